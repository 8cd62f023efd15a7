"""``residua study``: every study at smoke, what is shared and goes on, and what goes wrong."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import residua as package
from residua.arch import names
from residua.errors import RunError
from residua.nets.build import Meta
from residua.reports import reporting
from residua.runs.records import RunDirectory
from residua.studies.named import EXPERIMENTS
from residua.training import loop
from residua.weights import save_weights

Residua = Callable[..., Any]
fault = pytest.mark.fault

QUICK = {"degradation", "bottleneck"}
# Verdicts by arithmetic: a smoke run decides nothing else.
EXACT = {
    "A bottleneck has about 22 % fewer weights than two 3×3 convolutions.": "refuted",
    "The derivative of a residual unit is at least 1, for its shortcut's is 1.": "refuted",
}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all studies of this module have their runs."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def interrupted(residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A study that was stopped in its second run, with its outcome."""
    step, steps = loop.train_step, []

    def stop(state: loop.Fit, lr: float) -> None:
        steps.append(state.run.key)
        if len(steps) == 7:
            raise KeyboardInterrupt
        step(state, lr)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_step", stop)
        return residua("study", "run", "degradation", "--store", tmp_path)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in EXPERIMENTS],
)
def test_every_study_at_smoke(residua: Residua, store: Path, tmp_path: Path, name: str):
    """It ends with findings, a page and figures; nothing is missing, and nothing is decided."""
    where = ("--store", store, "--out", tmp_path / "out")
    outcome = residua("study", "run", name, *where, "--json")

    assert 0 == outcome.status, outcome.err
    made = json.loads(outcome.out)
    found = made["findings"]
    assert json.loads((tmp_path / "out" / "findings.json").read_bytes()) == found
    assert [name, "smoke", []] == [found[key] for key in ("study", "budget", "missing")]
    for claim in found["claims"]:
        assert EXACT.get(claim["statement"], "undecided") == claim["verdict"]
    assert found["figures"]
    for figure in found["figures"]:
        svg = tmp_path / "out" / f"{figure['name']}.svg"
        assert svg.read_bytes().startswith(b"<?xml")
        with Image.open(svg.with_suffix(".png")) as image:
            grey = image.convert("L")
            assert 0.002 < sum(grey.histogram()[:200]) / (grey.width * grey.height) < 0.7
    assert html.escape(found["question"], quote=True).replace("&#x27;", "&#39;") in Path(
        made["report"]
    ).read_text(encoding="utf-8")


def test_studies_share_their_runs(residua: Residua, store: Path, tmp_path: Path):
    """What one has trained, another does not train again; nor does the same one."""
    where = ("--store", store, "--out", tmp_path / "out")
    assert 0 == residua("study", "run", "degradation", *where).status
    before = {path: path.stat().st_mtime_ns for path in store.glob("*/record.json")}
    for name, runs in (("degradation", 4), ("signal", 2)):
        outcome = residua("study", "run", name, *where)
        assert f"{runs} runs, {runs} of them finished" in outcome.err
    assert before == {path: path.stat().st_mtime_ns for path in store.glob("*/record.json")}


@fault("study interrupted")
def test_an_interrupted_study_goes_on(
    residua: Residua, interrupted: Any, tmp_path: Path, refused: Callable[..., None]
):
    """The finished run stays, the begun one goes on from its checkpoint, the rest follows."""
    refused(interrupted, "the same command goes on from there", status=130)
    (finished,) = tmp_path.glob("*/record.json")
    (begun,) = (path for path in tmp_path.iterdir() if path != finished.parent)
    assert 2 == len(RunDirectory(begun).metrics()) + 1
    before = finished.stat().st_mtime_ns

    outcome = residua("study", "run", "degradation", "--store", tmp_path)

    assert 0 == outcome.status
    assert "4 runs, 1 of them finished" in outcome.err
    assert "going on from step 2" in outcome.err
    assert before == finished.stat().st_mtime_ns
    assert 4 == len(list(tmp_path.glob("*/record.json")))


@fault("study without its data set")
def test_without_the_data_set(residua: Residua, tmp_path: Path, refused: Callable[..., None]):
    """It is told before anything is trained."""
    outcome = residua(
        *("study", "run", "degradation", "--budget", "laptop"),
        *("--data-dir", tmp_path / "none", "--store", tmp_path / "store"),
    )
    refused(outcome, "cifar10", status=1)
    assert not (tmp_path / "store").exists()


@fault("study without matplotlib")
def test_without_matplotlib(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None]
):
    """It is told before anything is trained, for no page comes without figures."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = residua("study", "run", "degradation", "--store", tmp_path / "store")
    refused(outcome, "pip install 'residua[plots]'", status=2)
    assert not (tmp_path / "store").exists()


@fault("study of which a run diverges")
def test_a_run_that_fails_is_missing(
    residua: Residua,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[..., None],
):
    """The others are trained, and the findings say which is missing and why."""
    step = loop.train_step

    def diverge(state: loop.Fit, lr: float) -> None:
        if state.run.net == "cifar/plain-14":
            raise RunError("the loss is nan")
        step(state, lr)

    monkeypatch.setattr(loop, "train_step", diverge)
    where = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    outcome = residua("study", "run", "degradation", *where, "--json")

    assert 0 == outcome.status
    found = json.loads(outcome.out)["findings"]
    assert ["cifar/plain-14, seed 0: the loss is nan"] == found["missing"]
    assert 3 == len(found["runs"])
    reasons = [claim["reason"] for claim in found["claims"]]
    assert "no seed has finished on both sides" == reasons[0]
    assert "n = 1" in reasons[1]
    record_property("message", f"missing    {found['missing'][0]}")


def test_where_all_runs_fail_there_is_nothing_to_find(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None]
):
    """The first reason is told."""

    def diverge(_state: loop.Fit, _lr: float) -> None:
        raise RunError("the loss is nan")

    monkeypatch.setattr(loop, "train_step", diverge)
    outcome = residua("study", "run", "degradation", "--store", tmp_path, "--out", tmp_path / "o")
    refused(outcome, "cifar/plain-8, seed 0: the loss is nan", status=1)
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_shards_make_a_whole(residua: Residua, tmp_path: Path):
    """The first lacks what the second then trains."""
    where = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    first, second = (
        json.loads(residua("study", "run", "degradation", "--shard", part, *where, "--json").out)
        for part in ("1/2", "2/2")
    )
    lacking = [f"cifar/{net}, seed 0: not trained yet" for net in ("resnet-8", "resnet-14")]
    assert lacking == first["findings"]["missing"]
    assert [] == second["findings"]["missing"]
    assert 4 == len(second["findings"]["runs"])


def test_findings_come_last(residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the page cannot be written there are none, for they would be another page's."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reporting, "of_study", full)
    assert 1 == residua("study", "run", "bottleneck", "--out", tmp_path).status
    assert [] == list(tmp_path.iterdir())


def test_shards_have_folders_of_their_own(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Those at work at once do not write over each other's findings."""
    monkeypatch.chdir(tmp_path)
    for options in (("--shard", "1/2"), ("--shard", "2/2"), ()):
        assert 0 == residua("study", "run", "bottleneck", *options).status
    found = sorted(file.parent for file in Path().rglob("findings.json"))
    place = Path("runs/studies/bottleneck-smoke")
    assert [place, place / "shard-1-of-2", place / "shard-2-of-2"] == found


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_a_shard_that_is_none(residua: Residua, shard: str):
    """From the first to the last of them."""
    outcome = residua("study", "run", "degradation", f"--shard={shard}")
    outcome.assert_refused("--shard wants I/N", shard, status=2)


@pytest.mark.slow
def test_several_processes_find_what_one_does(residua: Residua, store: Path, tmp_path: Path):
    """The same runs, to the digit, two at a time."""
    errors = [
        {run["key"]: run["test_error"] for run in json.loads(outcome.out)["findings"]["runs"]}
        for at, how in ((store, ()), (tmp_path / "apart", ("--jobs", "2")))
        for outcome in [
            residua(
                *("study", "run", "degradation", "--store", at, "--out", tmp_path / "out"),
                *(*how, "--json"),
            )
        ]
    ]
    assert errors[0] == errors[1]


def test_weights_in_place_of_runs(residua: Residua, finished: Path, tmp_path: Path):
    """A lesion of a trained net, on the test images of its own data set; no run, no claim."""
    outcome = residua(
        *("study", "run", "lesion", "--weights", finished, "--out", tmp_path / "out"), "--json"
    )
    found = json.loads(outcome.out)["findings"]
    assert [[], []] == [found["runs"], found["claims"]]
    (row,) = found["tables"][0]["rows"]
    record = RunDirectory(finished).record()
    assert record is not None
    assert [finished.stem, 0, round(record["test_error"], 2)] == row[:3]
    assert f"residua study run lesion --budget paper --weights {finished}" == found["command"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "no claim is put to these nets" in page


@fault("weights of another class count")
def test_weights_of_other_classes(residua: Residua, tmp_path: Path, refused: Callable[..., None]):
    """They are refused with both numbers."""
    net = package.create("cifar/resnet-8", num_classes=7)
    meta = Meta(
        net="cifar/resnet-8",
        data="synthetic",
        classes=tuple("abcdefg"),
        mean=torch.zeros(3),
        std=None,
        image_size=32,
    )
    save_weights(tmp_path / "w.safetensors", net, meta)
    outcome = residua("study", "run", "lesion", "--weights", tmp_path / "w.safetensors")
    refused(outcome, "tells 7 classes apart, synthetic has 10", status=2)


def test_a_study_that_takes_no_weights(residua: Residua, finished: Path):
    """It says what to do."""
    outcome = residua("study", "run", "degradation", "--weights", finished)
    outcome.assert_refused("degradation trains its own nets: leave --weights out", status=2)


def test_unknown_names(residua: Residua):
    """Of a study and of a data set; both lists are given."""
    unknown = residua("study", "run", "lesions")
    unknown.assert_refused("no study is called 'lesions'", "lesion", status=2)
    data = residua("study", "run", "bottleneck", "--data", "cifar11")
    data.assert_refused("unknown data set 'cifar11'", status=2)


def test_the_list(residua: Residua):
    """Each study with its question, runs and minutes; all nets that are named exist."""
    rows = json.loads(residua("study", "list", "--json").out)
    assert list(EXPERIMENTS) == [row["name"] for row in rows]
    by_name = {row["name"]: row for row in rows}
    assert (24, 0) == (by_name["degradation"]["runs"], by_name["bottleneck"]["runs"])
    assert all(row["minutes"] <= 30 for row in rows)
    for budget in ("smoke", "fast", "paper"):
        listed = json.loads(residua("study", "list", "--budget", budget, "--json").out)
        assert len(rows) == len(listed)
        assert all(row["runs"] is not None for row in listed)


def test_the_list_for_people(residua: Residua, monkeypatch: pytest.MonkeyPatch):
    """It fits eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = residua("study", "list").out.splitlines()
    assert 80 >= max(map(len, lines))
    assert set(EXPERIMENTS) <= {line.partition(" ")[0] for line in lines}


def test_the_list_needs_no_torch():
    """Nor does a study's name that is wrong."""
    for arguments, status in ((["list"], 0), (["run", "none"], 2)):
        code = (
            "import sys\n"
            f"sys.argv = ['residua', 'study', *{arguments!r}]\n"
            "from residua.cli import main\n"
            "try:\n    main()\nexcept SystemExit as stop:\n    status = stop.code or 0\n"
            "else:\n    status = 0\n"
            "assert 'torch' not in sys.modules\n"
            f"assert {status} == status\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_papers_nets_are_legal():
    """Every run of every study at the budget paper is of a net that can be read."""
    from residua.studies import budgets

    for experiment in EXPERIMENTS.values():
        for runs in experiment.runs(budgets.get("paper"), range(1)).values():
            assert all(names.entry(run.net).name == run.net for run in runs)
