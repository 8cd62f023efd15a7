"""Several training runs at once on one device, fewer where its memory does not hold them all."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from residua.runs.files import write_atomically

POLL_S = 0.2
PATIENCE_S = 60  # for a run to save itself once it is asked to stop
KILLED = -signal.SIGKILL  # as the system does where the host's memory is short


@dataclass(slots=True, kw_only=True)
class Card:
    """One device, and the processes on it.

    Attributes:
        command: What trains a run of that name; it goes on where it was, and saves itself on
            SIGTERM.
        finished: Told of each run that is done.
        logs: Where the standard error of each run is kept, and how many there were beside it.
        device: What they share.
        at_once: The most runs; it falls when they need too much memory together.
        failed: What a run said that will not finish.
    """

    command: Callable[[str], list[str]]
    finished: Callable[[str], object]
    logs: Path
    device: torch.device
    at_once: int
    failed: dict[str, str] = field(default_factory=dict)

    def train(self, names: Iterable[str], *, until_s: float) -> None:
        """Train these runs, in this order; stop those that are left at a time of the clock.

        Args:
            names: The runs.
            until_s: Seconds of the monotonic clock.
        """
        waiting = deque(names)
        running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            while (waiting or running) and time.monotonic() < until_s:
                if waiting and len(running) < self.at_once and self.has_room(len(running)):
                    name = waiting.popleft()
                    running[name] = self._started(name)
                    self._met(running)
                    continue
                time.sleep(POLL_S)
                for name in [name for name, child in running.items() if child.poll() is not None]:
                    if self._ended(name, running.pop(name).returncode, others=len(running)):
                        waiting.appendleft(name)
        finally:
            _stop(running.values())

    def most(self, name: str) -> int:
        """The most runs that shared the device while this one was there, on any day."""
        file = self._most(name)
        return int(file.read_bytes()) if file.exists() else 0

    def has_room(self, num_running: int) -> bool:
        """Whether the device's memory would hold one more that is as large as those there."""
        if self.device.type != "cuda" or not num_running:
            return True
        free, total = torch.cuda.mem_get_info(self.device)
        return free > (total - free) / num_running

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        with self._log(name).open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own command
                self.command(name), stdout=subprocess.DEVNULL, stderr=log
            )

    def _ended(self, name: str, status: int, *, others: int) -> bool:
        """Note how a run ended, and tell whether it is to be tried again beside fewer."""
        if status == 0:
            self.finished(name)
            return False
        said = self._log(name).read_text(encoding="utf-8", errors="replace").strip()
        if others and ("out of memory" in said or status == KILLED):
            self.at_once = others
            return True
        last = said[max(0, said.rfind("residua: ")) :]
        self.failed[name] = last.partition("\n")[0] or f"ended with status {status}"
        return False

    def _met(self, names: Collection[str]) -> None:
        """Note that these runs share the device."""
        for name in names:
            most = max(self.most(name), len(names))
            write_atomically(self._most(name), f"{most}\n".encode())

    def _most(self, name: str) -> Path:
        return self.logs / f"{name}.most"

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


def _stop(children: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ask all to save themselves and end, and see that they do."""
    children = list(children)
    for child in children:
        child.terminate()
    latest_s = time.monotonic() + PATIENCE_S
    for child in children:
        try:
            child.wait(max(0, latest_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
