"""Signals that ask a run to stop: noted when they come, obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """Within this context, the first SIGINT or SIGTERM is noted as ``signal`` and nothing more.

    A second one does what it always does.  Only the main thread can watch; elsewhere nothing is
    noted.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers = {}

    def __enter__(self) -> StopRequests:  # noqa: PYI034 - the type checker of the tests cannot read Self
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
