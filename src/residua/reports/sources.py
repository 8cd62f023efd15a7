"""What lies at a path: a finished run, several of them, or a study."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import RunError, UsageError
from residua.runs.config import Run
from residua.runs.records import CONTRACT, RunDirectory
from residua.studies import findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished run with all that its directory says."""

    directory: RunDirectory
    run: Run
    record: dict[str, Any]
    metrics: list[dict[str, Any]]
    env: dict[str, Any]


def is_study(path: Path) -> bool:
    """Whether a study's findings lie there."""
    return (path / findings.FILE).is_file()


def directories(path: Path) -> list[RunDirectory]:
    """The run directory at a path, or those right below it.

    Raises:
        UsageError: There are none.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise UsageError(f"{path} {what}: name a run directory or a study's folder")
    if (path / "run.json").exists():
        return [RunDirectory(path)]
    found = [RunDirectory(file.parent) for file in sorted(path.glob("*/run.json"))]
    if not found:
        raise UsageError(
            f"{path} holds neither a run (run.json) nor a study ({findings.FILE}), and no folder "
            f"in it holds a run"
        )
    return found


def read(directory: RunDirectory) -> Finished | None:
    """A run, if it has finished.

    Raises:
        UsageError: It is no run directory.
        RunError: A file is damaged, or was written by another version of residua.
    """
    run = directory.run()
    _check_contract(directory.path / "record.json")
    record = directory.record()
    if record is None:
        return None
    return Finished(
        directory=directory,
        run=run,
        record=record,
        metrics=directory.metrics(),
        env=_env(directory.path / "env.json"),
    )


def _check_contract(file: Path) -> None:
    """Refuse a record whose fields mean something else here."""
    try:
        contract = json.loads(file.read_bytes())["contract"]
    except FileNotFoundError:
        return
    except (KeyError, TypeError, ValueError, RecursionError):
        return  # damaged, which whoever reads it in earnest will tell
    if contract != CONTRACT:
        raise RunError(
            f"{file} is of contract {contract!r:.20} and this residua reads {CONTRACT}: report it "
            f"with the version that wrote it"
        )


def _env(file: Path) -> dict[str, Any]:
    """Where it was computed; a run does without."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
