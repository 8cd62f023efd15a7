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
from typing import Any, cast

from filelock import FileLock, Timeout

from residua.errors import RunError, UsageError
from residua.runs.config import Run, by_path, run_from_json, to_json
from residua.runs.files import write_atomically, write_json

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
        """Keep other processes off this run; the system lifts the lock of a process that died.

        Raises:
            RunError: Another process is on it.
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
        try:
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

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
        content = self._json("run.json")
        try:
            return run_from_json(content)
        except RunError as error:
            raise RunError(f"{self.path / 'run.json'}: {error}") from None

    def record(self) -> dict[str, Any] | None:
        """The record, once the run is finished."""
        if not (self.path / "record.json").exists():
            return None
        return cast("dict[str, Any]", self._json("record.json"))

    def metrics(self) -> list[dict[str, Any]]:
        """A dictionary per finished epoch.

        Raises:
            RunError: A line is damaged.
        """
        file = self.path / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        try:
            return [json.loads(line) for line in lines]
        except json.JSONDecodeError as error:
            raise RunError(f"{file} is damaged ({error}); use a new --out directory") from None

    def write_metrics(self, epochs: list[dict[str, Any]]) -> None:
        """Put down all finished epochs, one line each."""
        text = "".join(f"{json.dumps(epoch)}\n" for epoch in epochs)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def write_record(self, record: Record) -> None:
        """Finish the run."""
        write_json(self.path / "record.json", dataclasses.asdict(record))

    def _json(self, name: str) -> object:
        file = self.path / name
        try:
            return json.loads(file.read_bytes())
        except FileNotFoundError:
            raise UsageError(f"{self.path} is not a run directory: it holds no {name}") from None
        except ValueError as error:
            raise RunError(f"{file} is damaged ({error}); use a new --out directory") from None


def open_directory(path: Path, run: Run, *, resume: bool, env: dict[str, Any]) -> RunDirectory:
    """The directory of a run: a new one, its finished one, or with ``resume`` its unfinished one.

    Raises:
        UsageError: It belongs to another run, holds other files, or is unfinished and ``resume``
            was not asked for.
        RunError: It cannot be made or written to.
    """
    directory = RunDirectory(path)
    if (path / "run.json").exists():
        _same(directory, run)
        if directory.record() is None and not resume:
            raise UsageError(f"{path} holds this run, unfinished: add --resume to go on with it")
        return directory
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UsageError(f"{path} holds other files and no run: choose another --out")
        write_json(path / "run.json", to_json(run))
        write_json(path / "env.json", env)
    except OSError as error:
        raise RunError(
            f"cannot write to {path}: {error.strerror or error}; choose another --out"
        ) from None
    return directory


def _same(directory: RunDirectory, run: Run) -> None:
    theirs, ours = by_path(to_json(directory.run())), by_path(to_json(run))
    for path in sorted(theirs.keys() | ours.keys()):
        if theirs.get(path) != ours.get(path):
            raise UsageError(
                f"{directory.path} holds a different run: {path} is {theirs.get(path)!r} there and "
                f"{ours.get(path)!r} here; choose another --out"
            )
