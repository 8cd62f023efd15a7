"""Timing: turns, what counts of them, and ratios."""

import time

import pytest

from benchmarks import timing
from benchmarks.timing import Budget, interleaved, speedup, summary, timed


def test_contenders_take_turns():
    """Every round has all contenders in their order, the warm-up's rounds too."""
    turns = []

    def contender(name):
        return lambda: turns.append(name) or 1.0

    budget = Budget(seconds=0, at_least=2, warm_up=1)
    interleaved({name: contender(name) for name in "ABC"}, budget)
    assert list("ABCABCABC") == turns


def test_warm_up_does_not_count():
    """Only what came after the warm-up is kept."""
    seconds = iter([9.0, 8.0, 1.0, 3.0, 2.0])
    found = interleaved({"A": lambda: next(seconds)}, Budget(seconds=0, at_least=3, warm_up=2))
    assert {"A": {"median_s": 2.0, "min_s": 1.0, "max_s": 3.0, "n": 3}} == found


def test_rounds_go_on_until_the_budget_is_spent(monkeypatch):
    """The time of the warm-up is no part of the budget."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "monotonic", lambda: now[0])

    def contender():
        now[0] += 1
        return 1.0

    found = interleaved({"A": contender}, Budget(seconds=5, at_least=2, warm_up=3))
    assert 5 == found["A"]["n"]


def test_timed_work_is_done_once_and_timed(monkeypatch):
    """The seconds are those between the start and the end of the work."""
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    done = []
    assert 2.5 == timed(lambda: done.append(1))()
    assert [1] == done


def test_ratio_is_of_medians():
    """An outlier moves no ratio."""
    found = {"slow": summary([4.0, 4.0, 100.0]), "fast": summary([0.1, 1.0, 1.0])}
    assert pytest.approx(4.0) == speedup(found, "fast", over="slow")


def sleeper(seconds: float):
    """Work that only waits, or ends its process where it cannot."""
    if seconds < 0:
        raise SystemExit("no time runs backwards")
    return lambda: time.sleep(seconds)


def test_work_apart_is_timed_there():
    """Each call is one round in another process, and what counts is its own time."""
    with timing.Apart(sleeper, 0.05) as contender:
        assert all(0.05 <= contender() < 0.5 for _ in range(2))


def test_a_process_that_ends_is_told():
    """Whoever waits for it learns that it is gone."""
    with timing.Apart(sleeper, -1.0) as contender, pytest.raises(SystemExit, match="ended"):
        contender()


def test_work_on_a_gpu_is_timed_by_its_events(monkeypatch):
    """From when the GPU is idle to when it is idle again; events tell milliseconds."""
    done = []

    class Event:
        def __init__(self, *, enable_timing):
            assert enable_timing

        def record(self):
            done.append("event")

        def elapsed_time(self, other):
            return 2500.0 if other is not self else 0.0

    monkeypatch.setattr(timing.torch.cuda, "Event", Event)
    monkeypatch.setattr(timing.torch.cuda, "synchronize", lambda: done.append("idle"))
    assert 2.5 == timed(lambda: done.append("work"), timing.torch.device("cuda"))()
    assert ["idle", "event", "work", "event", "idle"] == done
