"""Checkpoints: whole or absent, checked before use, with the one before kept beside."""

from __future__ import annotations

import errno
import io
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from residua.errors import RunError
from residua.runs.files import write_atomically

# How torch tells that memory is short: CUDA, the CPU, C++, CUDA's libraries.
NO_MEMORY = ("out of memory", "DefaultCPUAllocator", "bad_alloc", "_ALLOC_FAILED")


def save_checkpoint(file: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers and strings; what was at ``file`` becomes the previous one.

    Raises:
        OSError: The place cannot be written to; both older files are as they were.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    new = file.with_name(f"{file.name}.new")
    write_atomically(new, buffer.getvalue())
    if file.exists():
        file.replace(previous(file))
    new.replace(file)


def load_checkpoint(file: Path, *, key: str, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest whole checkpoint of a run, or None if it has none yet.

    A damaged one is passed over for the previous one, with a warning.

    Raises:
        RunError: None of the files is whole, or one belongs to another run.
        OSError: The system cannot read one, which says nothing of what is in it.
        MemoryError, RuntimeError: Memory is short, likewise.
    """
    found = [candidate for candidate in (file, previous(file)) if candidate.exists()]
    for candidate in found:
        try:
            state = _read(candidate)
        except Exception as error:
            if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
                raise OSError(error.errno, error.strerror, str(candidate)) from None
            if memory_was_short(error):
                raise
            # Damage can break a reader anywhere.
            warn(f"{candidate} is damaged ({_reason(error)})")
            continue
        if state.get("key") != key:
            raise RunError(f"{candidate} belongs to another run: start over with a new --out")
        return state
    if found:
        raise RunError(f"no checkpoint in {file.parent} is whole: start over with a new --out")
    return None


def previous(file: Path) -> Path:
    """Where the checkpoint before the newest lies."""
    return file.with_name(f"{file.stem}.previous{file.suffix}")


def memory_was_short(error: Exception) -> bool:
    """Whether a file that could not be read may be whole: there was no room for it."""
    short = isinstance(error, RuntimeError) and any(sign in str(error) for sign in NO_MEMORY)
    return short or isinstance(error, MemoryError)


def _read(file: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it; torch itself verifies no checksums."""
    with zipfile.ZipFile(file) as archive:
        broken = archive.testzip()
    if broken:
        raise ValueError(f"wrong checksum of {broken}")
    with warnings.catch_warnings(action="ignore"):  # about pickles that it then refuses
        state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise TypeError(f"holds a {type(state).__name__}")
    return state


def _reason(error: Exception) -> str:
    if refused := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it holds {refused[1]}, and making that could run code from the file"
    reason = str(error).rpartition("WeightsUnpickler error: ")[2]
    return reason.strip().partition("\n")[0][:120] or type(error).__name__
