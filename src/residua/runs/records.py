"""Run directories: what a run is, what it measured, and where it can go on from."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from residua.errors import RunError, UsageError
from residua.runs.config import Run, by_path, differing, to_json, typed
from residua.runs.files import PART, write_atomically, write_json

CONTRACT = 1  # of the files of a run directory; another number means other fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One epoch of a run; errors in percent, times around training alone."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_error: float
    val_error: float | None
    val_loss: float | None
    seconds: float
    images_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a finished run came to; errors in percent, test images seen once, at the end.

    Attributes:
        test_error: After the last epoch.
        test_error_tta: Averaging the prediction with that of the mirrored image.
        val_error: After the last epoch.
        best_val_error: Of any epoch; an extra, nothing is selected by it.
        train_seconds: Time in training steps alone.
        devices: How many finished the run.
        bn_group: Images that a BN layer averaged over.
    """

    contract: int = CONTRACT
    key: str
    net: str
    data: dict[str, Any]
    recipe: dict[str, Any]
    seed: int
    params: int
    epochs: int
    steps: int
    test_error: float
    test_error_tta: float
    val_error: float | None
    best_val_error: float | None
    train_loss: float
    train_error: float
    train_seconds: float
    images_per_second: float
    device: str
    devices: int = 1
    bn_group: int | None = None
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @contextlib.contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Keep other processes off this run, and clear away what one that was killed left.

        The system lifts the lock of a process that died.

        Raises:
            RunError: Another process is on it, or the directory cannot be written to.
        """
        holder = self.path / ".holder"
        lock = FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                f"{self.path} is in use by {holder.read_text() if holder.exists() else 'another'}: "
                f"wait for it, stop it, or choose another --out"
            ) from None
        except OSError as error:
            raise _unwritable(self.path, error) from None
        try:
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
            for part in self.path.glob(PART):
                part.unlink()
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    @property
    def is_one(self) -> bool:
        """Whether a run has been put down there."""
        return (self.path / "run.json").exists()

    @property
    def checkpoint(self) -> Path:
        """Where the run goes on from."""
        return self.path / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The trained weights; their description lies beside them as ``model.json``."""
        return self.path / "model.safetensors"

    @property
    def curves(self) -> Path:
        """The learning curves."""
        return self.path / "curves.png"

    def run(self) -> Run:
        """The run that this directory belongs to.

        Raises:
            UsageError: It belongs to none.
            RunError: ``run.json`` is damaged.
        """
        try:
            content = (self.path / "run.json").read_bytes()
        except FileNotFoundError:
            raise UsageError(f"{self.path} is not a run directory: it holds no run.json") from None
        return self._typed(Run, content, "run.json")

    def check_files(self, files: str | None) -> None:
        """Refuse images whose files are not named as when the run was begun.

        Other images would then be held back for validation; some of them it has trained on.

        Args:
            files: What :class:`residua.data.images.DataSet` has under this name.

        Raises:
            UsageError: They are not.
        """
        try:
            before = json.loads((self.path / "env.json").read_bytes())["files"]
        except (OSError, KeyError, TypeError, ValueError, RecursionError):
            return  # of a data set without files, or of before they were put down
        if before != files:
            raise UsageError(
                f"{self.path}: image files were added, removed or renamed since it was begun, so "
                f"others would validate: undo that, or train anew"
            )

    def record(self) -> dict[str, Any] | None:
        """The record, once the run is finished.

        Raises:
            RunError: ``record.json`` is damaged.
        """
        file = self.path / "record.json"
        if not file.exists():
            return None
        return dataclasses.asdict(self._typed(Record, file.read_bytes(), file.name))

    def metrics(self) -> list[dict[str, Any]]:
        """A dictionary per finished epoch.

        Raises:
            RunError: A line is damaged.
        """
        file = self.path / "metrics.jsonl"
        lines = file.read_bytes().splitlines() if file.exists() else []
        return [dataclasses.asdict(self._typed(Metrics, line, file.name)) for line in lines]

    def write_metrics(self, epochs: list[dict[str, Any]]) -> None:
        """Put down all finished epochs, one line each."""
        text = "".join(f"{json.dumps(epoch)}\n" for epoch in epochs)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def write_record(self, record: Record) -> None:
        """Finish the run."""
        write_json(self.path / "record.json", dataclasses.asdict(record))

    def _typed(self, kind: Any, text: bytes, name: str) -> Any:  # noqa: ANN401 - a class, and one of it
        """JSON from one of our files as what it is."""
        try:
            return typed(kind, json.loads(text), what=kind.__name__.lower())
        except (RunError, ValueError, RecursionError) as error:
            raise RunError(
                f"{self.path / name} is damaged ({error}); use a new --out directory"
            ) from None


def open_directory(path: Path, run: Run, *, resume: bool, env: dict[str, Any]) -> RunDirectory:
    """The directory of a run: a new one, its finished one, or with ``resume`` its unfinished one.

    Raises:
        UsageError: It belongs to another run, holds other files, or is unfinished and ``resume``
            was not asked for, or the files of its images are others now.
        RunError: It cannot be made or written to.
    """
    directory = RunDirectory(path)
    if directory.is_one:
        _same(directory, run)
        if directory.record() is None and not resume:
            raise UsageError(f"{path} holds this run, unfinished: add --resume to go on with it")
        if directory.record() is None:
            directory.check_files(env.get("files"))
        return directory
    try:
        path.mkdir(parents=True, exist_ok=True)
        # env.json alone, or part of a file, is of a process that was killed here.
        if any(file.name != "env.json" and not file.match(PART) for file in path.iterdir()):
            raise UsageError(f"{path} holds other files and no run: choose another --out")
        write_json(path / "env.json", env)
        write_json(path / "run.json", to_json(run))
    except OSError as error:
        raise _unwritable(path, error) from None
    return directory


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot write to {path}: {error.strerror or error}; choose another --out")


def _same(directory: RunDirectory, run: Run) -> None:
    theirs, ours = by_path(to_json(directory.run())), by_path(to_json(run))
    found = differing(theirs, ours)
    if found:
        path, there, here = min(found, key=lambda row: row[0])
        raise UsageError(
            f"{directory.path} holds a different run: {path} is {there!r:.80} there and "
            f"{here!r:.80} here; choose another --out"
        )
