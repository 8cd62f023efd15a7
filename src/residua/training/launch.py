"""One command as several processes, a rank for each device, watched until all have ended.

Each rank is told in its environment what torchrun would tell it.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import FrameType
from typing import IO

from residua.errors import UsageError
from residua.training.signals import STOPPING

TOLD = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")  # beside LOCAL_RANK; each a number
LOST = 75  # exit status of a rank that ended because another was gone
STOPPED = tuple(128 + number for number in STOPPING)
GRACE_S = 3.0  # for the other ranks, once one has failed
POLL_S = 0.02


def world_size() -> int:
    """How many ranks this process is one of; 1 where it was started by itself.

    Raises:
        UsageError: A rank is not told all that it needs to know.
    """
    if "LOCAL_RANK" not in os.environ:
        return 1
    for name in TOLD:
        if not os.environ.get(name, "").isdecimal():
            raise UsageError(
                f"LOCAL_RANK is set, but {name} is not set to a number: start several devices by "
                f"--devices or torchrun, which sets both, or unset LOCAL_RANK for one"
            )
    return int(os.environ["WORLD_SIZE"])


def split_up(devices: int | None) -> None:
    """Go on as a rank for each of several devices, and end with them; one device is no reason to.

    The ranks repeat this process's command.
    """
    if devices is None or devices == 1 or world_size() > 1:
        return
    sys.exit(run_ranks([sys.executable, "-P", "-m", "residua", *sys.argv[1:]], devices))


def run_ranks(command: Sequence[str], num_ranks: int) -> int:
    """Run a command as so many ranks, and return the exit status of the whole.

    Rank 0 writes to our standard output and error. What another rank writes is shown if that one
    fails; then the rest is ended within seconds. A signal that asks to stop goes to all.
    """
    environment = _environment(num_ranks)
    processes: list[subprocess.Popen[bytes]] = []
    signals: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        signals.append(number)
        for process in processes:
            process.send_signal(number)

    handlers = {number: signal.signal(number, pass_on) for number in STOPPING}
    try:
        with contextlib.ExitStack() as files:
            errors = [files.enter_context(tempfile.TemporaryFile()) for _ in range(num_ranks)]
            # One by one, for a signal must find those that are there.
            for rank, file in enumerate(errors):
                processes.append(_start(command, environment, rank, file))
            return _verdict(_watch(processes), signals, errors)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _environment(num_ranks: int) -> dict[str, str]:
    """What all ranks are told: where to meet, how many they are, and not to crowd the cores."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = max(1, (os.cpu_count() or 1) // num_ranks)
    return {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(num_ranks),
        "LOCAL_WORLD_SIZE": str(num_ranks),
    }


def _start(
    command: Sequence[str], environment: dict[str, str], rank: int, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command once more
        command,
        env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if rank else None,
        stderr=errors if rank else None,
        start_new_session=True,  # or Ctrl-C would reach the ranks twice
    )


def _watch(processes: list[subprocess.Popen[bytes]]) -> dict[int, int]:
    """Exit statuses by rank, in the order of ending; without those that outlived a failure."""
    ended: dict[int, int] = {}
    end_s = math.inf
    while len(ended) < len(processes) and time.monotonic() < end_s:
        for rank, process in enumerate(processes):
            status = process.poll()
            if status is None or rank in ended:
                continue
            ended[rank] = status
            if status not in {0, *STOPPED}:
                end_s = min(end_s, time.monotonic() + GRACE_S)
        time.sleep(POLL_S)
    return ended


def _verdict(ended: dict[int, int], signals: list[int], errors: Sequence[IO[bytes]]) -> int:
    """The exit status of the whole; the reason of a failure is told."""
    expected = {0, LOST, *STOPPED, *(-number for number in signals)}
    failed = [rank for rank, status in ended.items() if status not in expected]
    if not failed:
        if signals and any(ended.values()):
            return 128 + signals[-1]
        if LOST not in ended.values():
            return max(ended.values())
        sys.stderr.write("residua: the ranks lost touch with each other\n")
        return 1
    # What befell all alike was told by rank 0.
    rank = 0 if 0 in failed else failed[0]
    status = ended[rank]
    errors[rank].seek(0)
    sys.stderr.flush()
    shutil.copyfileobj(errors[rank], sys.stderr.buffer)
    if status == 2:
        return 2
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    sys.stderr.write(f"residua: rank {rank} {how}, and the run with it\n")
    return 1
