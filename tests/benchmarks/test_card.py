"""A shared device: as many runs as it holds, each to its end, and none left behind."""

import math
import sys
import time

import pytest
import torch

from benchmarks import card
from benchmarks.card import Card

fault = pytest.mark.fault

# Runs in their own words: each leaves a file with its name while it is there.
PROLOGUE = """
import os, pathlib, signal, sys, time
name, place = sys.argv[1:]
def others():
    return [file for file in pathlib.Path(place).glob("*.on") if file.stem != name]
here = pathlib.Path(place, name + ".on")
here.touch()
"""
# Where two are there, one of them has no room.
CROWDED = """
time.sleep(0.3)
while others() and not pathlib.Path(place, "one.left").exists():
    pathlib.Path(place, "one.left").touch()
    here.unlink()
    sys.exit("residua: out of memory (CUDA out of memory. Tried to allocate 2 GiB)")
time.sleep(0.6)
here.unlink()
"""
COUNTING = """
pathlib.Path(place, name).write_text(str(len(others())))
time.sleep(0.3 if name == "a" else 1)  # so that the third has one beside it
here.unlink()
"""
ENDLESS = """
def save(*_):
    pathlib.Path(place, name + ".saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
time.sleep(60)
"""


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A function that gives a CPU shared by some runs that do what a script says."""
    monkeypatch.setattr(card, "POLL_S", 0.02)
    (tmp_path / "logs").mkdir()

    def of(script: str, *, at_once: int = 2) -> Card:
        done: list[str] = []

        def command(name: str) -> list[str]:
            return [sys.executable, "-S", "-c", PROLOGUE + script, name, str(tmp_path)]

        made = Card(
            command=command,
            finished=done.append,
            logs=tmp_path / "logs",
            device=torch.device("cpu"),
            at_once=at_once,
        )
        of.done = done
        return made

    return of


def test_runs_share_a_device_up_to_a_number(shared, tmp_path):
    """Of three, two at a time, and all are told to be finished."""
    at_work = shared(COUNTING)
    at_work.train("abc", until_s=math.inf)
    assert list("abc") == sorted(shared.done)
    assert max(int((tmp_path / name).read_text()) for name in "abc") <= 1
    assert ({}, 2, {2}) == (at_work.failed, at_work.at_once, set(map(at_work.most, "abc")))


def test_the_most_at_once_is_each_runs_own(shared):
    """Kept over slices: two were stopped side by side; then they and another were alone."""
    shared("time.sleep(60)").train("ab", until_s=time.monotonic() + 1)
    alone = shared("", at_once=1)
    alone.train("abc", until_s=math.inf)
    assert ([2, 2, 1], list("abc")) == (list(map(alone.most, "abc")), shared.done)


@fault("a GPU's memory is short for several runs")
def test_fewer_at_once_where_memory_runs_out(shared, record_property):
    """The run that had no room comes again, alone, and goes on."""
    at_work = shared(CROWDED)
    at_work.train("ab", until_s=math.inf)
    record_property("message", "")
    assert list("ab") == sorted(shared.done)
    assert ({}, 1) == (at_work.failed, at_work.at_once)


def test_a_run_too_large_for_the_device_fails(shared):
    """Alone it cannot be helped; the others are trained."""
    at_work = shared(
        "sys.exit('residua: out of memory (CUDA)\\nadvice' if name == 'a' else 0)", at_once=1
    )
    at_work.train("ab", until_s=math.inf)
    assert ["b"] == shared.done
    assert {"a": "residua: out of memory (CUDA)"} == at_work.failed


def test_what_a_failed_run_said_is_kept(shared):
    """Its last message; its status, where it said nothing."""
    at_work = shared(
        "print('noise\\nresidua: diverged', file=sys.stderr) if name == 'a' else 0; sys.exit(3)"
    )
    at_work.train("ab", until_s=math.inf)
    assert {"a": "residua: diverged", "b": "ended with status 3"} == at_work.failed


def test_a_run_that_the_system_killed_comes_again(shared):
    """Beside fewer: the host's memory was short."""
    script = """
if name == "a" and not pathlib.Path(place, "killed").exists():
    pathlib.Path(place, "killed").touch()
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(1)
"""
    at_work = shared(script)
    at_work.train("ab", until_s=math.inf)
    assert (["a", "b"], 1) == (sorted(shared.done), at_work.at_once)


def test_time_is_up(shared, tmp_path):
    """All that run are asked to save themselves, and nothing begins."""
    at_work = shared(ENDLESS)
    at_work.train("abc", until_s=time.monotonic() + 2.5)
    assert ["a.saved", "b.saved"] == sorted(file.name for file in tmp_path.glob("*.saved"))
    assert ([], {}) == (shared.done, at_work.failed)


def test_a_run_that_does_not_listen_is_killed(shared, monkeypatch):
    """After some patience."""
    monkeypatch.setattr(card, "PATIENCE_S", 0.2)
    started_s = time.monotonic()
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    shared(script).train("a", until_s=started_s + 2)
    assert time.monotonic() - started_s < 20


@pytest.mark.parametrize(("free", "expected"), [(31, True), (29, False)])
def test_room_for_one_more(shared, monkeypatch, free, expected):
    """With two runs there, as much as each of them takes; the first always has room."""
    at_work = shared("")
    at_work.device = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, free + 60))
    assert [True, expected] == [at_work.has_room(0), at_work.has_room(2)]
