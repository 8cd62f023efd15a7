"""Runs brought to their end: what a store lacks is trained, what was begun goes on."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from residua.data import sets
from residua.data.sets import DataSet
from residua.errors import RunError, Stopped
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.studies.evidence import finished
from residua.studies.figures.curves import learning_curves
from residua.training.progress import Quiet, Watcher, watcher
from residua.training.ranks import end_with_parent
from residua.training.runtime import Runtime
from residua.training.signals import StopRequests
from residua.training.train import entered, prepare, train

Say = Callable[[str], None]
Shown = Callable[[RunDirectory], Watcher]

POLL_S = 0.5
GO_ON = "the same command goes on from there"


@runtime_checkable
class Engine(Protocol):
    """Something that trains runs into a store, each at ``store / run.slug``.

    A run that was begun there goes on, one that another process is training is left to it.  What
    fails is returned: the run's key and why, in a line.  Whoever calls looks into the store for
    what has finished.
    """

    def __call__(
        self, runs: Sequence[Run], *, store: Path, data_dir: Path | None, say: Say
    ) -> dict[str, str]:
        """Train all of them that can be trained."""
        ...


def complete(
    runs: Iterable[Run], *, store: Path, data_dir: Path | None, engine: Engine, say: Say
) -> dict[str, str]:
    """Train what a store lacks of some runs, each once however often it is asked for.

    Returns:
        Why a run could not be finished, by its key.

    Raises:
        Stopped: By SIGINT or SIGTERM; the same call goes on from there.
    """
    unique = list({run.key: run for run in runs}.values())
    lacking = [run for run in unique if finished(store, run) is None]
    if unique:
        say(f"{len(unique)} runs, {len(unique) - len(lacking)} of them finished in {store}")
    return engine(lacking, store=store, data_dir=data_dir, say=say) if lacking else {}


def in_turn(runs: Sequence[Run], *, store: Path, data_dir: Path | None, say: Say) -> dict[str, str]:
    """The engine of this process: one run after another, with all threads."""
    failed: dict[str, str] = {}
    for index, run in enumerate(runs, start=1):
        say(f"[{index}/{len(runs)}]")
        try:
            why = _attempt(run, store, data_dir, shown=lambda _: watcher())
        except Stopped as stop:
            raise Stopped(
                f"stopped in {run.net}, seed {run.seed}; {GO_ON}", signal=stop.signal
            ) from None
        if why:
            say(why)
            failed[run.key] = why
    return failed


def side_by_side(jobs: int) -> Engine:
    """An engine of several processes on this machine, of one thread each."""

    def train_all(
        runs: Sequence[Run], *, store: Path, data_dir: Path | None, say: Say
    ) -> dict[str, str]:
        failed: dict[str, str] = {}
        coming, begun, num_done = iter(runs), {}, 0
        with _workers(min(jobs, len(runs))) as pool, StopRequests() as stop:
            while num_done < len(runs):
                # No more than there are processes: what waits in the pool no signal can stop.
                for run in itertools.islice(coming, jobs - len(begun)):
                    begun[pool.submit(apart, run, store, data_dir)] = run
                done, _ = wait(begun, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    run, num_done = begun.pop(future), num_done + 1
                    if why := future.result():
                        failed[run.key] = why
                    say(f"[{num_done}/{len(runs)}] {why or came_to(run, store)}")
                if stop.signal is not None:
                    raise Stopped(f"stopped; {GO_ON}", signal=stop.signal)
        return failed

    return train_all


@contextmanager
def _workers(count: int) -> Generator[ProcessPoolExecutor, None, None]:
    """Processes of one thread each, which are told to stop if anything goes wrong here."""
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool:
        raise RunError(
            f"a process of --jobs {count} died, perhaps of too little memory: lower --jobs; {GO_ON}"
        ) from None
    except BaseException:
        for process in (pool._processes or {}).values():  # noqa: SLF001 - there is no public way
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """A process of its own group, so that a signal from the terminal comes to it by its parent."""
    os.setpgid(0, 0)
    end_with_parent()
    torch.set_num_threads(1)


def apart(run: Run, store: Path, data_dir: Path | None) -> str | None:
    """An attempt in a process of the pool: what stops it has stopped the pool."""
    try:
        return _attempt(run, store, data_dir, shown=lambda _: Quiet())
    except Stopped as stop:
        return str(stop)


def _attempt(run: Run, store: Path, data_dir: Path | None, *, shown: Shown) -> str | None:
    """Train a run, from where it is; return why that failed, or None."""
    data = _loaded(run.data.name, data_dir, run.data.image_size)
    try:
        carry_out(run, data, store / run.slug, Runtime(), resume=True, shown=shown)
    except RunError as error:
        return f"{run.net}, seed {run.seed}: {error}"
    return None


@functools.cache
def _loaded(name: str, directory: Path | None, image_size: int) -> DataSet:
    return sets.load(name, directory, image_size=image_size)


def came_to(run: Run, store: Path) -> str:
    """What a finished run came to, in a line."""
    record = RunDirectory(store / run.slug).record()
    assert record is not None, "a run without one has failed"
    return (
        f"{run.net}, seed {run.seed}: test error {record['test_error']:.2f} %, "
        f"{record['train_seconds']:.0f} s"
    )


def carry_out(  # noqa: PLR0913 - what, on what, where, by what, how and before whom
    run: Run, data: DataSet, out: Path, runtime: Runtime, *, resume: bool, shown: Shown
) -> dict[str, Any]:
    """Train one run into its directory, unless it has finished there before; return its record.

    Raises:
        UsageError: The recipe does not fit the data set or the devices, or the directory is
            another run's.
        RunError: The loss is not finite, another process is on the directory, or it is damaged.
        Stopped: By SIGINT or SIGTERM, with everything saved.
        OSError: The directory cannot be written to.
    """
    state = prepare(run, data, runtime)
    place = entered(out, run, runtime, resume=resume, files=data.files, shown=shown)
    with place as (directory, watch):
        record = directory.record()
        if record is not None:
            watch.say(f"{out} holds this run, finished: nothing to do")
        else:
            watch.say(_announcement(run, data, runtime))
            record = dataclasses.asdict(train(state, data, directory, watch))
        # A process that was killed may have left a record without them.
        if runtime.ranks.first and not directory.curves.exists():
            _draw(record, directory, watch)
    return record


def _announcement(run: Run, data: DataSet, runtime: Runtime) -> str:
    recipe = run.recipe
    moved = f" (its own are {recipe.rescaled_from})" if recipe.rescaled_from else ""
    return (
        f"{run.net} on {data.name}, seed {run.seed}; recipe {recipe.name}, {recipe.precision}, "
        f"{recipe.budget.unit}: {recipe.budget.length:g}{moved}; {runtime.name}"
    )


def _draw(record: dict[str, Any], directory: RunDirectory, watch: Watcher) -> None:
    try:
        learning_curves(record, directory.metrics(), directory.curves)
    except ImportError:
        watch.warn("curves.png was not drawn: pip install 'residua[plots]'")
