"""Kernels of our own for CPUs, in C++: compiled for this machine on first use.

Each computes what torch's operations do and goes through memory less often.  Within :func:`plain`,
or in a process with RESIDUA_PLAIN=1 in its environment, nobody uses them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextvars import ContextVar

_plain = ContextVar("plain", default=os.environ.get("RESIDUA_PLAIN") == "1")


@contextlib.contextmanager
def plain() -> Generator[None, None, None]:
    """Within it, every operation of this thread is torch's."""
    before = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(before)


def plain_only() -> bool:
    """Whether :func:`plain` is in force."""
    return _plain.get()
