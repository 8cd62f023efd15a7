"""Checkpoints: whole or absent, run nothing, and the one before is kept."""

import errno
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from residua.errors import RunError
from residua.training.checkpoint import load_checkpoint, previous, save_checkpoint

KEY = "0123456789ab"


def state(step: int) -> dict:
    """Return a small state."""
    torch.manual_seed(step)
    return {"key": KEY, "step": step, "net": {"w": torch.randn(300)}, "epochs": [{"loss": 1.5}]}


def load(file: Path, warnings: list[str] | None = None) -> dict | None:
    """Load with the right key, keeping warnings."""
    return load_checkpoint(file, key=KEY, warn=[].append if warnings is None else warnings.append)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A checkpoint of step 2, beside which that of step 1 lies."""
    file = tmp_path / "checkpoint.pt"
    save_checkpoint(file, state(1))
    save_checkpoint(file, state(2))
    return file


def test_the_newest_comes_back(saved: Path):
    """Numbers, strings and tensors are equal; it loads without running any code."""
    warnings: list[str] = []
    found = load(saved, warnings)
    assert found is not None
    assert [] == warnings
    assert state(2)["net"]["w"].equal(found["net"]["w"])
    assert (KEY, 2, [{"loss": 1.5}]) == (found["key"], found["step"], found["epochs"])
    assert 2 == torch.load(saved, weights_only=True)["step"]


def test_the_one_before_is_kept(saved: Path):
    """Two files, no parts: the newest and the previous."""
    assert {saved, previous(saved)} == set(saved.parent.iterdir())
    assert 1 == torch.load(previous(saved), weights_only=True)["step"]


def test_without_a_checkpoint_there_is_none(tmp_path: Path):
    """A run that was killed before its first one starts at the beginning."""
    assert load(tmp_path / "checkpoint.pt") is None


def test_between_two_renames_the_previous_one_stands(saved: Path):
    """Killed after the old one was set aside, a run goes on from that."""
    saved.unlink()
    found = load(saved)
    assert found is not None
    assert 1 == found["step"]


def flip_a_byte(file: Path) -> None:
    """Change one byte of the tensor."""
    content = bytearray(file.read_bytes())
    content[content.index(state(2)["net"]["w"].numpy().tobytes()) + 100] ^= 0xFF
    file.write_bytes(content)


def compress_badly(file: Path) -> None:
    """Put a compressed archive there, whose compression is broken."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint/data.pkl", bytes(1_000))
    content = bytearray(file.read_bytes())
    content[50:55] = b"\xff" * 5
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-200]),
    "flipped byte": flip_a_byte,
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_bytes(b"no checkpoint\n"),
    "code": lambda file: torch.save({"key": KEY, "step": Path("/")}, file),
    "tensor": lambda file: torch.save(torch.zeros(3), file),
    "list": lambda file: torch.save([1, 2, 3], file),
    "compressed": compress_badly,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_passed_over(saved: Path, damage: str):
    """A warning of one line names it; the previous one is used."""
    DAMAGES[damage](saved)
    warnings: list[str] = []
    found = load(saved, warnings)
    assert found is not None
    assert 1 == found["step"]
    (warning,) = warnings
    assert warning.startswith(f"{saved} is damaged (")
    assert "\n" not in warning


@pytest.mark.parametrize("damage", DAMAGES)
def test_none_that_is_whole_is_told(saved: Path, damage: str):
    """With both damaged a line names the place and says what to do."""
    previous(saved).write_bytes(b"")
    DAMAGES[damage](saved)
    with pytest.raises(RunError, match=r"no checkpoint in .* is whole: .*new --out") as caught:
        load(saved)
    assert str(saved.parent) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EIO, "Input/output error"), r"checkpoint\.pt"),
        (MemoryError(), None),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "DefaultCPUAllocator"),
    ],
    ids=["disk", "Python", "torch"],
)
def test_what_cannot_be_read_may_be_whole(
    saved: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str | None
):
    """It is no reason to go on from an older one, nor to start over."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    warnings: list[str] = []
    with pytest.raises(type(error), match=told):
        load(saved, warnings)
    assert [] == warnings


class Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        """Ask for the directory."""
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_one_is_not_executed(saved: Path, tmp_path: Path, protocol: int):
    """It is passed over, and the warning says what it wanted."""
    hostile = {"key": KEY, "step": Hostile(tmp_path / "made")}
    torch.save(hostile, saved, pickle_protocol=protocol)
    warnings: list[str] = []
    found = load(saved, warnings)
    assert found is not None
    assert 1 == found["step"]
    (warning,) = warnings
    reason = "it holds posix.mkdir, and making that could run code" if protocol == 2 else "Unsupp"
    assert warning.startswith(f"{saved} is damaged ({reason}")
    assert not (tmp_path / "made").exists()


def test_that_of_another_run_is_told(saved: Path):
    """The key inside says whose it is."""
    with pytest.raises(RunError, match=r"checkpoint\.pt belongs to another run: .*new --out"):
        load_checkpoint(saved, key="ba9876543210", warn=[].append)


def test_a_full_disk_leaves_both(saved: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither the newest nor the previous one is touched before the new one is whole."""

    def full(_descriptor: int):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {file: file.read_bytes() for file in saved.parent.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(saved, state(3))
    assert before == {file: file.read_bytes() for file in saved.parent.iterdir()}
