"""``train`` over several seeds, and ``evaluate`` on the images that a run held back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from residua import weights
from residua.nets.build import Meta, create
from residua.runs.records import RunDirectory

Residua = Callable[..., Any]

NET = "cifar/resnet-8"


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory, train: Residua) -> tuple[Path, dict]:
    """The directory of the seeds 3 and 4, and what was printed."""
    out = tmp_path_factory.mktemp("seeds") / "both"
    outcome = train("--seed", 3, "--seeds", 2, "--out", out, "--json")
    assert 0 == outcome.status, outcome.err
    return out, json.loads(outcome.out)


def test_seeds_train_into_a_directory_each(two_seeds: tuple[Path, dict]):
    """From --seed on, below --out; the document has their records and what they have in common."""
    out, result = two_seeds
    places = {path.name: RunDirectory(path) for path in out.iterdir()}
    assert {"s3": 3, "s4": 4} == {name: place.run().seed for name, place in places.items()}
    assert [places["s3"].record(), places["s4"].record()] == result["records"]
    errors = [record["test_error"] for record in result["records"]]
    assert (sum(errors) / 2, 2) == (
        pytest.approx(result["test_error"]["mean"]),
        result["test_error"]["n"],
    )


def test_half_done_seeds_go_on(two_seeds: tuple[Path, dict], train: Residua, tmp_path: Path):
    """The one that has finished is left alone, the other is trained to the same error."""
    before, result = two_seeds
    out = tmp_path / "both"
    shutil.copytree(before, out)
    (out / "s4" / "record.json").unlink()
    weights_of_3 = (out / "s3" / "model.safetensors").stat()

    how = ("--seed", 3, "--seeds", 2, "--out", out)
    outcome = train(*how)
    assert (2, "") == (outcome.status, outcome.out)
    assert "s4 holds this run, unfinished: add --resume" in outcome.err
    outcome = train(*how, "--resume", "--json")

    assert 0 == outcome.status, outcome.err
    assert weights_of_3 == (out / "s3" / "model.safetensors").stat()
    assert [record["test_error"] for record in result["records"]] == [
        record["test_error"] for record in json.loads(outcome.out)["records"]
    ]


def test_seeds_without_a_place_have_their_own(
    train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where each would lie by itself: a run that is there already is one of them."""
    monkeypatch.chdir(tmp_path)
    assert 0 == train().status
    outcome = train("--seeds", 2)
    assert 0 == outcome.status, outcome.err
    assert "finished: nothing to do" in outcome.err
    runs = {path.name: RunDirectory(path).run() for path in (tmp_path / "runs").iterdir()}
    assert list(runs) == [run.slug for run in runs.values()]
    assert [0, 1] == sorted(run.seed for run in runs.values())


def test_only_a_run_knows_what_it_held_back(residua: Residua, finished: Path, tmp_path: Path):
    """Weights by themselves, and another data set, are refused rather than guessed about."""
    validate = ("--split", "val", "--data")
    for name in ("model.safetensors", "model.json"):
        shutil.copy(finished / name, tmp_path)
    file = tmp_path / "model.safetensors"
    outcome = residua("evaluate", file, *validate, "synthetic")
    outcome.assert_refused(str(file), "no run directory", "--split val", status=2)
    assert 0 == residua("evaluate", file, "--data", "synthetic").status

    outcome = residua("evaluate", finished, *validate, "digits")
    outcome.assert_refused(str(finished), "synthetic", "digits", status=2)


def test_a_folder_that_has_grown_is_told(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Other images than those held back would validate, so --resume refuses."""
    image = pytest.importorskip("PIL.Image")
    for index in range(20):
        file = tmp_path / "pets" / ("cat", "dog")[index % 2] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (32, 32)).save(file)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("residua.training.train.fit", stop)
    data = ("--data", f"folder:{tmp_path / 'pets'}", "--data-dir", tmp_path)
    how = ("--set", "data.val_size=2", "--set", "recipe.batch_size=8", "--resume", "--quiet")
    command = ("train", NET, *data, *how, "--out", tmp_path / "run")
    assert [130, 130] == [residua(*command).status for _ in range(2)]

    shutil.copy(tmp_path / "pets" / "cat" / "0.png", tmp_path / "pets" / "cat" / "new.png")
    residua(*command).assert_refused("image files were added", "train anew", status=2)


def test_weights_for_other_channels_are_refused(residua: Residua, tmp_path: Path):
    """Both numbers are told."""
    meta = Meta(
        net=NET,
        data="scans",
        classes=tuple("0123456789"),
        mean=torch.zeros(1),
        std=None,
        image_size=32,
    )
    file = tmp_path / "scans.safetensors"
    weights.save_weights(file, create(NET, in_channels=1), meta)
    outcome = residua("evaluate", file, "--data", "synthetic")
    outcome.assert_refused(f"{file} takes 1 channels, data sets have 3", status=2)
