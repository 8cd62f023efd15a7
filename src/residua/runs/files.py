"""Files that are whole or absent: written under a temporary name, synced, renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path

PART = ".*.part"  # a glob


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, or leave there what was there.

    A process that is killed meanwhile leaves a file whose name matches :data:`PART`.

    Raises:
        OSError: The disk is full, or the directory cannot be written to; it names ``path``.
    """
    try:
        _write(path, content)
    except OSError as error:  # of a write that fails, the system names no file
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: object) -> None:
    """Put a JSON document at ``path``, readable and with a line's end.

    Raises:
        OSError: As :func:`write_atomically`.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
