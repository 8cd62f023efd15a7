"""Times of several contenders, interleaved: A B C A B C …, so that a slow minute slows all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Self, TypedDict

import torch

Measure = Callable[[], float]  # does its work once and returns the seconds that count


class Times(TypedDict):
    """Seconds of one contender over all rounds that count."""

    median_s: float
    min_s: float
    max_s: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to go on.

    Attributes:
        seconds: After so many no new round begins.
        at_least: Rounds that are done nevertheless.
        warm_up: Rounds before those, which do not count: kernels are chosen, caches filled.
    """

    seconds: float
    at_least: int
    warm_up: int


SHORT = Budget(seconds=10, at_least=3, warm_up=1)
LONG = Budget(seconds=60, at_least=7, warm_up=2)


def timed(work: Callable[[], object], device: torch.device | None = None) -> Measure:
    """Work that counts from its first to its last line; on a GPU, until that has done it."""
    if device and device.type == "cuda":
        return _timed_by_events(work)

    def measure() -> float:
        started_s = time.perf_counter()
        work()
        return time.perf_counter() - started_s

    return measure


def _timed_by_events(work: Callable[[], object]) -> Measure:
    """The GPU's own clock, from when it is idle to when it has done all that it was given."""

    def measure() -> float:
        started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        started.record()
        work()
        ended.record()
        torch.cuda.synchronize()
        return started.elapsed_time(ended) / 1e3  # of milliseconds

    return measure


class Apart:
    """Work in a process of its own: with its own threads, and memory that nobody else arranges.

    Args:
        prepare: Makes the work there; a function of a module, as are all functions sent elsewhere.
        arguments: What it is called with.
    """

    def __init__(self, prepare: Callable[..., Callable[[], object]], *arguments: object) -> None:
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_attend, args=(theirs, prepare, arguments))
        self._process.start()
        theirs.close()

    def __call__(self) -> float:
        """Do the work once; seconds, as measured there."""
        try:
            self._ours.send("again")
            return self._ours.recv()
        except (EOFError, ConnectionError):
            raise SystemExit("a contender's process ended; its message stands above") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.join()


def _attend(
    asked: Connection, prepare: Callable[..., Callable[[], object]], arguments: tuple[object, ...]
) -> None:
    """Do the work whenever asked, until nobody is there to ask."""
    measure = timed(prepare(*arguments))
    while True:
        try:
            asked.recv()
        except EOFError:
            return
        asked.send(measure())


def interleaved(contenders: Mapping[str, Measure], budget: Budget) -> dict[str, Times]:
    """Each contender's times; every round has all of them, in their order."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    rounds, started_s = -budget.warm_up, time.monotonic()
    while rounds < budget.at_least or time.monotonic() - started_s < budget.seconds:
        if rounds == 0:
            started_s = time.monotonic()
        for name, measure in contenders.items():
            taken_s = measure()
            if rounds >= 0:
                seconds[name].append(taken_s)
        rounds += 1
    return {name: summary(values) for name, values in seconds.items()}


def summary(seconds: Iterable[float]) -> Times:
    """What is kept of the times of one contender."""
    values = sorted(seconds)
    return {
        "median_s": statistics.median(values),
        "min_s": values[0],
        "max_s": values[-1],
        "n": len(values),
    }


def speedup(times: Mapping[str, Times], of: str, *, over: str) -> float:
    """How many times as fast one contender is as another: the ratio of their medians."""
    return times[over]["median_s"] / times[of]["median_s"]
