"""Which runs an engine is asked for, what it gives back, and how it ends when it is told to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from residua.errors import RunError, Stopped
from residua.runs.config import Run
from residua.studies import budgets, runner
from residua.studies.evidence import finished

SMOKE = budgets.get("smoke")
PLAIN, RESIDUAL = (SMOKE.run(f"cifar/{net}", 0) for net in ("plain-8", "resnet-8"))


class Recorder:
    """An engine that trains nothing and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(
        self, runs: Sequence[Run], *, store: Path, data_dir: Path | None, say: runner.Say
    ) -> dict[str, str]:
        """Fail all of them."""
        say(f"{store}, {data_dir}")
        self.asked += [run.key for run in runs]
        return {run.key: "not today" for run in runs}


def silent(_line: str) -> None:
    """Say nothing."""


def test_each_run_is_asked_for_once(tmp_path: Path):
    """In their order, however often several labels name it; failures come back by key."""
    engine, said = Recorder(), []
    failed = runner.complete(
        [PLAIN, RESIDUAL, PLAIN], store=tmp_path, data_dir=None, engine=engine, say=said.append
    )
    assert [PLAIN.key, RESIDUAL.key] == engine.asked
    assert {PLAIN.key: "not today", RESIDUAL.key: "not today"} == failed
    assert [f"2 runs, 0 of them finished in {tmp_path}", f"{tmp_path}, None"] == said


def test_what_has_finished_is_not_asked_for(tmp_path: Path):
    """Nor is an engine troubled with nothing."""
    first = runner.in_turn([PLAIN], store=tmp_path, data_dir=None, say=silent)
    engine = Recorder()
    runner.complete([PLAIN], store=tmp_path, data_dir=None, engine=engine, say=silent)
    assert ({}, []) == (first, engine.asked)
    assert finished(tmp_path, PLAIN) is not None
    assert finished(tmp_path, RESIDUAL) is None
    error = runner.came_to(PLAIN, tmp_path)
    assert error.startswith("cifar/plain-8, seed 0: test error ")


def test_one_failure_does_not_end_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its reason is told at once and again at the end; the next run is begun."""
    begun: list[str] = []

    def fail(run: Run, *_: object, **__: object) -> None:
        begun.append(run.net)
        raise RunError("the loss is nan")

    monkeypatch.setattr(runner, "carry_out", fail)
    said: list[str] = []
    failed = runner.in_turn([PLAIN, RESIDUAL], store=tmp_path, data_dir=None, say=said.append)
    assert ["cifar/plain-8", "cifar/resnet-8"] == begun
    assert "cifar/plain-8, seed 0: the loss is nan" == failed[PLAIN.key]
    assert ["[1/2]", failed[PLAIN.key], "[2/2]", failed[RESIDUAL.key]] == said


def test_a_stop_says_which_run_and_what_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The signal's number goes with it."""

    def stop(*_: object, **__: object) -> None:
        raise Stopped("stopped at step 3", signal=15)

    monkeypatch.setattr(runner, "carry_out", stop)
    with pytest.raises(Stopped, match="stopped in cifar/plain-8, seed 0; the same") as stopped:
        runner.in_turn([PLAIN], store=tmp_path, data_dir=None, say=silent)
    assert 15 == stopped.value.signal


def test_no_more_runs_are_handed_out_than_there_are_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that waits inside of the pool would be begun after a signal; all get their turn."""
    at_once: list[int] = []

    class Pool:
        def submit(self, _function: object, run: Run, *_: object) -> Future:
            future = Future()
            future.set_result(f"{run.seed} failed")
            return future

    def first_done(begun: dict[Future, Run], **_: object) -> tuple[set[Future], None]:
        at_once.append(len(begun))
        return {next(iter(begun))}, None

    monkeypatch.setattr(runner, "_workers", lambda _count: nullcontext(Pool()))
    monkeypatch.setattr(runner, "wait", first_done)
    runs = [replace(PLAIN, seed=seed) for seed in range(5)]
    said: list[str] = []
    failed = runner.side_by_side(2)(runs, store=tmp_path, data_dir=None, say=said.append)
    assert [2, 2, 2, 2, 1] == at_once
    assert [f"[{seed + 1}/5] {seed} failed" for seed in range(5)] == said
    assert {run.key: f"{run.seed} failed" for run in runs} == failed


@pytest.mark.fault("process of a study killed")
def test_a_process_that_dies_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[..., None]
):
    """One line says what to do; nothing hangs."""
    monkeypatch.setattr(runner, "_begin", os.abort)
    with pytest.raises(RunError, match="a process of --jobs 2 died") as told:
        runner.side_by_side(2)([PLAIN, RESIDUAL], store=tmp_path, data_dir=None, say=silent)
    record_property("message", str(told.value))
