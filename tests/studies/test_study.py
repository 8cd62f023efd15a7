"""A study's folder: drawn from its findings alone, and without matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import residua
from residua.errors import UsageError
from residua.nets.build import Meta
from residua.studies import budgets, findings, runner, study
from residua.studies.findings import Findings
from residua.studies.named import EXPERIMENTS
from residua.weights import save_weights


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What a study found that trains nothing, and so reads none of its budget's images."""
    place = tmp_path_factory.mktemp("empty")
    request = study.Request(
        budget=budgets.get("laptop"), data_dir=place, store=place / "store", command="again"
    )
    return study.conduct(
        EXPERIMENTS["bottleneck"], request, engine=runner.in_turn, say=lambda _line: None
    )


def test_what_is_written_can_be_drawn_again(found: Findings, tmp_path: Path):
    """Figures made from the file are those that were made from the findings."""
    study.write(tmp_path / "out", found)
    (tmp_path / "again").mkdir()
    study.draw(tmp_path / "again", findings.read(tmp_path / "out"))
    drawn = (tmp_path / "out" / "bottleneck.png").read_bytes()
    assert drawn == (tmp_path / "again" / "bottleneck.png").read_bytes()
    assert ["bottleneck.png", "bottleneck.svg", "findings.json"] == sorted(
        path.name for path in (tmp_path / "out").iterdir()
    )


@pytest.mark.fault("figures without matplotlib")
def test_without_matplotlib(
    found: Findings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[..., None],
):
    """No findings without their figures; one line says what draws them."""
    loaded = [name for name in sys.modules if name.startswith("matplotlib.")]
    for name in ("matplotlib", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'residua\[plots\]'") as told:
        study.write(tmp_path, found)
    assert not (tmp_path / findings.FILE).exists()
    record_property("message", str(told.value))


def test_a_figure_that_is_no_longer_drawn_does_not_stay(found: Findings, tmp_path: Path):
    """What others put into the folder does."""
    old = replace(found.figures[0], name="of-last-time")
    study.write(tmp_path, replace(found, figures=(*found.figures, old)))
    assert (tmp_path / "of-last-time.svg").is_file()
    (tmp_path / "mine.svg").touch()
    study.write(tmp_path, found)
    shown = {figure.name for figure in found.figures}
    assert {*shown, "mine"} == {path.stem for path in tmp_path.glob("*.svg")}


def trained(place: Path, data: str) -> Path:
    """Weights of a small net that was trained on a data set, as they say."""
    net = residua.create("cifar/resnet-8")
    meta = Meta(
        net="cifar/resnet-8",
        data=data,
        classes=tuple("abcdefghij"),
        mean=torch.zeros(3),
        std=None,
        image_size=32,
    )
    save_weights(place, net, meta)
    return place


@pytest.mark.parametrize(
    ("data", "shard", "why"),
    [
        ("cifar10", (1, 1), r"a\.safetensors on synthetic, \S+b\.safetensors on cifar10; say with"),
        ("synthetic", (1, 2), "--weights trains nothing: leave --shard out"),
    ],
)
def test_weights_that_cannot_be_looked_at_together(
    tmp_path: Path, data: str, shard: tuple[int, int], why: str
):
    """On whose test images, of two data sets; and there is nothing to share out."""
    request = study.Request(
        budget=budgets.get("smoke"),
        weights=(
            trained(tmp_path / "a.safetensors", "synthetic"),
            trained(tmp_path / "b.safetensors", data),
        ),
        shard=shard,
        store=tmp_path / "store",
        command="again",
    )
    with pytest.raises(UsageError, match=why):
        study.conduct(EXPERIMENTS["lesion"], request, engine=runner.in_turn, say=lambda _line: None)


def test_all_runs_that_it_rests_on_are_named(made_up: Callable[..., Any]):
    """The frontier shows other studies' runs beside its own, each of them once."""
    names = ("resnet-20", "preresnet-20", "resnet-56")  # the last is of another study
    frontier = EXPERIMENTS["frontier"]
    evidence = made_up(frontier.runs, {name: [(30.0, 35.0)] for name in names}, seeds=1)
    found = study._found(frontier, evidence, missing=(), command="again")
    assert [f"cifar/{name}" for name in sorted(names)] == sorted(run.net for run in found.runs)
