"""Run directories: whom they belong to, and what they hold."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from residua.errors import RunError, UsageError
from residua.runs.config import DataChoice, Run, override, to_json
from residua.runs.records import Metrics, Record, RunDirectory, open_directory
from residua.training import presets, recipes

RUN = Run(
    net="cifar/resnet-8",
    data=DataChoice(name="synthetic", val_size=64),
    recipe=recipes.rescaled(presets.HE2015, 2),
    seed=0,
)
ENV = {"device": "an abacus", "commit": None}

RECORD = Record(
    key=RUN.key,
    net=RUN.net,
    data=dataclasses.asdict(RUN.data),
    recipe=dataclasses.asdict(RUN.recipe),
    seed=0,
    params=75_290,
    epochs=2,
    steps=8,
    test_error=12.5,
    test_error_tta=11.25,
    val_error=None,
    best_val_error=None,
    train_loss=0.5,
    train_error=20.0,
    train_seconds=3.5,
    images_per_second=300.0,
    device="an abacus",
    versions={"torch": "2.13.0"},
)
# Other people's scripts read these.
RECORD_KEYS = {
    *("net", "data", "recipe", "seed", "params", "epochs", "steps", "test_error", "val_error"),
    *("test_error_tta", "best_val_error", "train_seconds", "images_per_second", "device"),
    "versions",
}
METRICS_KEYS = {
    *("epoch", "step", "lr", "train_loss", "train_error", "val_error", "seconds"),
    "images_per_second",
}


def open_(path: Path, run: Run = RUN, *, resume: bool = False) -> RunDirectory:
    """Open a run's directory."""
    return open_directory(path, run, resume=resume, env=ENV)


def snapshot(path: Path) -> dict[str, bytes]:
    """Return every file below a directory with its content."""
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_a_new_directory_says_what_the_run_is(tmp_path: Path):
    """Parents are made; run.json and env.json are there before the first step."""
    directory = open_(tmp_path / "runs" / "mine")
    assert {"run.json", "env.json"} == snapshot(tmp_path / "runs" / "mine").keys()
    assert to_json(RUN) == json.loads((directory.path / "run.json").read_bytes())
    assert ENV == json.loads((directory.path / "env.json").read_bytes())
    assert RUN == directory.run()
    assert directory.record() is None
    assert [] == directory.metrics()


@pytest.mark.parametrize("resume", [True, False])
def test_an_empty_directory_is_as_good_as_none(tmp_path: Path, *, resume: bool):
    """A directory made beforehand is used; with nothing to resume a run starts."""
    assert RUN == open_(tmp_path, resume=resume).run()


def test_a_finished_run_is_opened_and_left_alone(tmp_path: Path):
    """The record is there to be read, with --resume or without."""
    open_(tmp_path).write_record(RECORD)
    before = snapshot(tmp_path)
    for resume in (True, False):
        record = open_(tmp_path, resume=resume).record()
        assert json.loads(json.dumps(dataclasses.asdict(RECORD))) == record
    assert before == snapshot(tmp_path)


def test_an_unfinished_run_is_opened_with_resume_alone(tmp_path: Path):
    """Without --resume it is not touched, and the message says what to add."""
    open_(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="unfinished: add --resume"):
        open_(tmp_path)
    assert RUN == open_(tmp_path, resume=True).run()
    assert before == snapshot(tmp_path)


def test_other_image_files_than_at_the_beginning_are_refused(tmp_path: Path):
    """Before a run goes on; a finished one, or one of before they were put down, is opened."""
    begun, other = ENV | {"files": "0123"}, ENV | {"files": "4567"}
    directory = open_directory(tmp_path / "run", RUN, resume=False, env=begun)
    assert directory == open_directory(directory.path, RUN, resume=True, env=begun)
    with pytest.raises(UsageError, match="image files were added, removed or renamed"):
        open_directory(directory.path, RUN, resume=True, env=other)
    directory.write_record(RECORD)
    assert directory == open_directory(directory.path, RUN, resume=True, env=other)

    older = open_(tmp_path / "older")
    assert older == open_directory(older.path, RUN, resume=True, env=other)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    ("other", "path", "theirs", "ours"),
    [
        (dataclasses.replace(RUN, seed=7), "seed", "0", "7"),
        (dataclasses.replace(RUN, net="cifar/resnet-14"), "net", "resnet-8", "resnet-14"),
        (override(RUN, ("recipe.optim.lr=0.05",)), "recipe.optim.lr", "0.1", "0.05"),
        (override(RUN, ("data.train_limit=64",)), "data.train_limit", "None", "64"),
        (override(RUN, ("recipe.warm_up=null",)), "recipe.warm_up.below_error", "80", "None"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_directory_of_another_run_is_refused(
    tmp_path: Path, other: Run, path: str, theirs: str, ours: str, *, resume: bool
):
    """The message names one difference with both values, and nothing is overwritten."""
    open_(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="different run") as caught:
        open_(tmp_path, other, resume=resume)
    message = str(caught.value)
    assert all(part in message for part in (str(tmp_path), path, theirs, ours, "another --out"))
    assert "\n" not in message
    assert before == snapshot(tmp_path)


def test_a_directory_with_other_files_is_refused(tmp_path: Path):
    """Somebody's files are neither overwritten nor added to."""
    (tmp_path / "thesis.tex").write_text("Introduction")
    with pytest.raises(UsageError, match="holds other files"):
        open_(tmp_path)
    assert {"thesis.tex": b"Introduction"} == snapshot(tmp_path)


def test_a_damaged_run_file_is_told(tmp_path: Path):
    """A run.json cut short is named, not overwritten."""
    open_(tmp_path)
    (tmp_path / "run.json").write_text('{"net": "cif')
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        open_(tmp_path, resume=True)
    assert '{"net": "cif' == (tmp_path / "run.json").read_text()


def test_a_run_file_with_other_fields_is_named(tmp_path: Path):
    """A run.json of another version of ours is told of by its name."""
    open_(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(to_json(RUN) | {"colour": "blue"}))
    with pytest.raises(RunError, match=r"run\.json.*colour"):
        open_(tmp_path, resume=True)


def test_a_place_below_a_file_cannot_be_written_to(tmp_path: Path):
    """The place and the system's reason are told; the file stays."""
    (tmp_path / "file").write_text("content")
    with pytest.raises(RunError, match=r"cannot write to .*file/run: .*another --out"):
        open_(tmp_path / "file" / "run")
    assert {"file": b"content"} == snapshot(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_write_permission_cannot_be_written_to(tmp_path: Path):
    """The place and the system's reason are told."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"):
            open_(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_metrics_are_read_as_they_were_written(tmp_path: Path):
    """Each epoch is one line; writing again replaces all."""
    directory = open_(tmp_path)
    metrics = Metrics(
        epoch=1,
        step=4,
        lr=0.1,
        train_loss=2.25,
        train_error=80.0,
        val_error=None,
        val_loss=None,
        seconds=1.5,
        images_per_second=341.0,
    )
    epochs = [dataclasses.asdict(metrics), dataclasses.asdict(metrics) | {"epoch": 2}]

    directory.write_metrics(epochs[:1])
    directory.write_metrics(epochs)

    assert epochs == directory.metrics()
    assert 2 == len((tmp_path / "metrics.jsonl").read_text().splitlines())
    assert METRICS_KEYS <= epochs[0].keys()


def test_a_damaged_line_of_metrics_is_told(tmp_path: Path):
    """The file is named."""
    directory = open_(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged"):
        directory.metrics()


def test_a_record_has_what_scripts_read(tmp_path: Path):
    """The contract's keys are in record.json, with the contract's number."""
    open_(tmp_path).write_record(RECORD)
    content = json.loads((tmp_path / "record.json").read_bytes())
    assert RECORD_KEYS | {"contract"} <= content.keys()
    assert 1 == content["contract"]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"null", b"\xff", DEEP, b'{"contract": 1, "colour": "blue"}'],
    ids=["no fields", "list", "null", "no text", "deep", "other fields"],
)
@pytest.mark.parametrize("name", ["run.json", "record.json", "metrics.jsonl"])
def test_what_we_did_not_write_is_damaged(tmp_path: Path, name: str, content: bytes):
    """One line names the file; nothing of it is believed."""
    directory = open_(tmp_path)
    (tmp_path / name).write_bytes(content)
    read = {
        "run.json": directory.run,
        "record.json": directory.record,
        "metrics.jsonl": directory.metrics,
    }
    with pytest.raises(RunError, match=f"{tmp_path / name} is damaged .*new --out") as caught:
        read[name]()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_start_that_was_cut_short_is_no_obstacle(tmp_path: Path):
    """Killed before there was a run.json, a run starts in the same directory."""
    (tmp_path / "env.json").write_text("{}")
    (tmp_path / ".run.json.4711.part").write_text('{"net": "cif')
    assert RUN == open_(tmp_path).run()
    assert ENV == json.loads((tmp_path / "env.json").read_bytes())


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path):
    """Parts of files go; everything else stays."""
    directory = open_(tmp_path)
    before = snapshot(tmp_path)
    (tmp_path / ".checkpoint.pt.new.4711.part").write_bytes(b"half")
    with directory.locked():
        assert before.keys() | {".lock", ".holder"} == snapshot(tmp_path).keys()


def test_any_other_directory_is_no_run(tmp_path: Path):
    """Asking a directory without run.json for its run is a wrong use."""
    with pytest.raises(UsageError, match=r"is not a run directory: it holds no run\.json"):
        RunDirectory(tmp_path).run()


def test_one_process_at_a_time(tmp_path: Path):
    """While a run is locked nobody else gets it; the message says who has it."""
    directory = open_(tmp_path)
    with directory.locked():
        here = rf"{tmp_path} is in use by process {os.getpid()} on .*: wait for it"
        with pytest.raises(RunError, match=here), RunDirectory(tmp_path).locked():
            pytest.fail("two holders")
    with RunDirectory(tmp_path).locked():
        pass
    assert not (tmp_path / ".holder").exists()


def test_a_lock_ends_with_its_process(tmp_path: Path):
    """A process that is killed holds nothing any more."""
    open_(tmp_path)
    program = (
        "import os, pathlib, sys\n"
        "from residua.runs.records import RunDirectory\n"
        "with RunDirectory(pathlib.Path(sys.argv[1])).locked():\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert -9 == killed.returncode
    with RunDirectory(tmp_path).locked():
        assert f"process {os.getpid()} on " in (tmp_path / ".holder").read_text()
