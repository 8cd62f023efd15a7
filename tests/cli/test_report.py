"""The verbs report and reproduce, as the command tells them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from residua.studies import study

Residua = Callable[..., Any]
fault = pytest.mark.fault

ROW = "he2015/table6/resnet-20/cifar10"
TINY = (
    *("--data", "synthetic", "--epochs", "1"),
    *("--set", "recipe.batch_size=32", "--set", "data.train_limit=32"),
)


def test_report_prints_one_document(residua: Residua, finished: Path, tmp_path: Path):
    """What the page rests on, and where the page is."""
    outcome = residua("report", finished, "--out", tmp_path / "page", "--json")
    assert 0 == outcome.status
    made = json.loads(outcome.out)
    assert ["findings", "report"] == list(made)
    assert json.loads((finished / "record.json").read_text()) == made["findings"]["record"]
    assert (tmp_path / "page" / "report.html") == Path(made["report"])
    assert Path(made["report"]).is_file()


def test_report_says_the_error_and_where_the_page_is(
    residua: Residua, finished: Path, tmp_path: Path
):
    """By default it lies in the run's directory, which still is one."""
    run = shutil.copytree(finished, tmp_path / "run")  # others look into the first
    outcome = residua("report", run)
    record = json.loads((run / "record.json").read_text())
    assert 0 == outcome.status
    assert f"{record['test_error']:.2f} %" in outcome.out
    assert (run / "report" / "report.html").is_file()
    assert 0 == residua("evaluate", run, "--data", "synthetic").status


@fault("report of what is no run")
def test_a_folder_without_a_run(residua: Residua, refused: Any, tmp_path: Path):
    """What was looked for is named."""
    refused(residua("report", tmp_path), "neither a run (run.json) nor a study", status=2)


@fault("report of an unfinished run")
def test_a_run_without_a_record(residua: Residua, refused: Any, finished: Path, tmp_path: Path):
    """How to go on with it."""
    begun = shutil.copytree(finished, tmp_path / "begun")
    (begun / "record.json").unlink()
    refused(residua("report", begun), "begun has not finished", "--resume", status=2)


@fault("report of runs on different data sets")
def test_runs_of_different_data(residua: Residua, refused: Any, finished: Path, tmp_path: Path):
    """They are not compared."""
    other = shutil.copytree(finished, tmp_path / "other")
    content = json.loads((other / "run.json").read_text())
    content["data"]["name"] = "digits"
    (other / "run.json").write_text(json.dumps(content))
    outcome = residua("report", finished, other)
    refused(outcome, "runs on different images cannot be compared", status=2)


@fault("report of a record of another version")
def test_a_record_of_another_contract(
    residua: Residua, refused: Any, finished: Path, tmp_path: Path
):
    """The version that wrote it can read it."""
    other = shutil.copytree(finished, tmp_path / "other")
    content = json.loads((other / "record.json").read_text())
    (other / "record.json").write_text(json.dumps({**content, "contract": 7}))
    refused(residua("report", other), "is of contract 7", status=1)


@fault("reproduction of an unknown row")
def test_an_unknown_row_names_the_nearest(residua: Residua, refused: Any):
    """No torch is needed to say so."""
    outcome = residua("reproduce", "he2015/table6/resnet20/cifar10")
    refused(outcome, "no printed row is called", ROW, status=2)


@fault("reproduction of an unverified figure")
def test_an_unverified_row_is_refused(residua: Residua, refused: Any):
    """Only what was read in its source is judged by."""
    outcome = residua("reproduce", "veit2016/5-quoted/preresnet-110/cifar10")
    refused(outcome, "is unverified", status=2)


def test_a_dry_run_trains_nothing(residua: Residua, tmp_path: Path):
    """Runs, images and time; the images of 64,000 steps of 128, three times."""
    outcome = residua("reproduce", ROW, "--dry-run", "--store", tmp_path / "store", "--json")
    assert 0 == outcome.status
    plan = json.loads(outcome.out)
    assert ("8.75", "he2015 Table 6", 3) == (plan["printed"], plan["where"], len(plan["runs"]))
    assert 64_000 * 128 == plan["images_per_run"]
    assert 3 * 64_000 * 128 == plan["images"]
    assert plan["seconds"] == pytest.approx(3 * plan["seconds_per_run"])
    assert plan["seconds_per_run"] > plan["images_per_run"] / plan["images_per_second"]
    assert [0, 1, 2] == [run["seed"] for run in plan["runs"]]
    assert not (tmp_path / "store").exists()


def test_a_small_budget_ends_undecided(residua: Residua, tmp_path: Path):
    """With the reasons; again, nothing is trained and the time is that of the record."""
    places = ("--store", tmp_path / "store", "--out", tmp_path / "page")
    outcome = residua("reproduce", ROW, "--seeds", 1, *TINY, *places, "--json")
    assert 0 == outcome.status, outcome.err
    made = json.loads(outcome.out)
    (claim,) = made["findings"]["claims"]
    assert "undecided" == claim["verdict"]
    assert "not trained as the source trained" in claim["reason"]
    assert "3 seeds are needed" in claim["reason"]
    assert "undecided" in Path(made["report"]).read_text()
    assert "data.name is synthetic, not cifar10" in made["findings"]["deviations"]
    again = residua("reproduce", ROW, "--seeds", 1, *TINY, *places, "--dry-run", "--json")
    plan = json.loads(again.out)
    assert ([True], 0) == ([run["done"] for run in plan["runs"]], plan["images"])
    assert "the mean of 1 records" == plan["measured"]


def test_ctrl_c_says_that_nothing_is_lost(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same command goes on; there is no --resume here."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "conduct", interrupted)
    outcome = residua("reproduce", ROW, *TINY, "--store", tmp_path)
    outcome.assert_refused("the same command goes on from there", status=130)


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--devices", "2"), "are for --engine ray"),
        (("--address", "here:1"), "are for --engine ray"),
        (("--engine", "ray", "--jobs", "2"), "--jobs is for --engine local"),
        (("--epochs", "0"), "epochs must be above 0"),
        (("--set", "recipe.lr=1"), "nothing is set by 'recipe.lr'"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    residua: Residua, tmp_path: Path, options: tuple[str, ...], phrase: str
):
    """Before anything is trained."""
    outcome = residua("reproduce", ROW, "--store", tmp_path, "--data", "synthetic", *options)
    outcome.assert_refused(phrase, status=2)
    assert [] == list(tmp_path.iterdir())
