"""Records: what is kept of a run, and what is left out of those that are read."""

import json

import pytest

from benchmarks import records
from residua.errors import RunError, UsageError

fault = pytest.mark.fault


def test_a_finished_run_is_kept(run_directory, tmp_path):
    """Its record with the commit that env.json tells, under a name that tells what it is of."""
    (file,) = records.keep(run_directory(), tmp_path / "records", at_once=3)
    (found,) = records.read(tmp_path / "records", told=pytest.fail)
    expected = "cifar-resnet-20--cifar10--he2015--16-epochs--s0--a-processor-threads-2"
    assert f"{expected}--{found.key}.json" == file.name == found.file_name
    assert ("fedcba987654+changes", 3, 9.0) == (found.commit, found.at_once, found.test_error)
    assert "he2015" == found.typed_recipe.name
    record = json.loads((tmp_path / "runs" / "run" / "record.json").read_bytes())
    assert {**record, "commit": found.commit, "at_once": 3} == json.loads(file.read_bytes())


def test_all_seeds_below_a_directory_are_kept(run_directory, tmp_path, capsys):
    """Those that are finished; each is printed."""
    for seed in range(3):
        run_directory(f"s{seed}", seed=seed, finished=seed < 2)
    out = tmp_path / "records"
    assert 0 == records.main(["add", str(tmp_path / "runs"), "--to", str(out)])
    assert sorted(map(str, out.iterdir())) == sorted(capsys.readouterr().out.split())
    assert [0, 1] == [record.seed for record in records.read(out)]


def test_how_many_shared_the_device_is_remembered(run_directory, tmp_path):
    """Added again without a word of it, a record says what it said; at first, that it was alone."""
    place, folder = str(run_directory()), tmp_path / "records"
    for more, expected in (((), 1), (("--at-once", "6"), 6), ((), 6)):
        assert 0 == records.main(["add", place, "--to", str(folder), *more])
        assert [expected] == [record.at_once for record in records.read(folder)]


@fault("keeping the record of an unfinished run")
def test_an_unfinished_run_is_refused(run_directory, tmp_path, capsys, record_property):
    """In one line and with status 2, and nothing is written."""
    place = run_directory(finished=False)
    assert 2 == records.main(["add", str(place), "--to", str(tmp_path / "records")])
    message = capsys.readouterr().err
    record_property("message", message)
    assert f"{place} holds no finished run: record.json is missing\n" == message
    assert not (tmp_path / "records").exists()
    with pytest.raises(UsageError):
        records.keep(place, tmp_path)


@pytest.mark.parametrize(
    ("damage", "phrase"),
    [
        pytest.param(
            lambda text: text[:200],
            "cannot be read",
            id="a truncated file",
            marks=fault("a truncated file in records/"),
        ),
        pytest.param(
            lambda text: text.replace('"contract": 1', '"contract": 2'),
            "is of contract version 2, not 1",
            id="a file of another contract version",
            marks=fault("a file of another contract version in records/"),
        ),
        pytest.param(
            lambda text: text.replace('"batch_size": 128', '"batch_size": "large"'),
            "batch_size",
            id="a wrong value in a file",
            marks=fault("a wrong value in a file in records/"),
        ),
        pytest.param(
            lambda _: "[]", "no JSON object", id="a list", marks=fault("a list in records/")
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_left_out(
    run_directory, tmp_path, capsys, record_property, damage, phrase
):
    """The others are read."""
    folder = tmp_path / "records"
    for seed in range(2):
        (last,) = records.keep(run_directory(f"s{seed}", seed=seed), folder)
    last.write_text(damage(last.read_text()))
    assert [0] == [record.seed for record in records.read(folder)]
    message = capsys.readouterr().err
    record_property("message", message)
    assert message.startswith(f"left out: {last} ")
    assert phrase in message
    assert 1 == message.count("\n")


@pytest.mark.parametrize("name", ["record.json", "run.json"])
def test_a_damaged_run_is_not_kept(run_directory, tmp_path, name):
    """Its record would stand for what nobody can check."""
    (run_directory() / name).write_text("{")
    with pytest.raises(RunError, match=name):
        records.keep(tmp_path / "runs", tmp_path / "records")
    assert [] == list((tmp_path / "records").iterdir())
