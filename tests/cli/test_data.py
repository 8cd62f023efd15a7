"""The verbs ``data get`` and ``data check``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Residua = Callable[..., object]


@pytest.fixture
def damaged(cifar10_dir: Path, tmp_path: Path) -> Path:
    """The official batches but for one, which lacks its end."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for file in (cifar10_dir / folder.name).iterdir():
        (folder / file.name).symlink_to(file)
    whole = (folder / "data_batch_3").read_bytes()
    (folder / "data_batch_3").unlink()
    (folder / "data_batch_3").write_bytes(whole[:-1])
    return tmp_path


def test_check_finds_the_official_files_right(residua: Residua, cifar10_dir: Path):
    """Every file with its checksum, as the contract has it."""
    outcome = residua("data", "check", "cifar10", "--data-dir", cifar10_dir, "--json")
    assert (0, "") == (outcome.status, outcome.err)
    files = {file["name"]: file for file in json.loads(outcome.out)["files"]}
    assert {
        "name": "cifar-10-batches-py/test_batch",
        "md5": "40351d587109b95175f43aff81a1287e",
        "ok": True,
    } == files["cifar-10-batches-py/test_batch"]
    assert all(file["ok"] for file in files.values())


def test_check_names_a_damaged_file(residua: Residua, damaged: Path):
    """In the table as in the message, and with exit status 1."""
    outcome = residua("data", "check", "cifar10", "--data-dir", damaged)
    assert 1 == outcome.status
    (line,) = [line for line in outcome.out.splitlines() if "data_batch_3" in line]
    assert line.split()[-1] == "damaged"
    assert "1 of " in outcome.err
    assert "residua data get cifar10" in outcome.err


def test_check_says_what_is_missing(residua: Residua, tmp_path: Path):
    """Nothing is there: the file that would be fetched is named."""
    outcome = residua("data", "check", "cifar10", "--data-dir", tmp_path, "--json")
    assert 1 == outcome.status
    missing = {"name": "cifar-10-python.tar.gz", "md5": None, "ok": False}
    assert {"files": [missing]} == json.loads(outcome.out)


def test_get_leaves_alone_what_is_right(residua: Residua, cifar10_dir: Path):
    """No connection is made for files that lie there whole."""
    outcome = residua("data", "get", "cifar10", "--data-dir", cifar10_dir, "--json")
    assert 0 == outcome.status
    assert all(file["ok"] for file in json.loads(outcome.out)["files"])


@pytest.mark.parametrize("verb", ["get", "check"])
def test_an_unknown_data_set_is_refused(residua: Residua, verb: str):
    """With the nearest name."""
    outcome = residua("data", verb, "cifar11")
    assert 2 == outcome.status
    assert "did you mean cifar10" in outcome.err
