"""A run from its description to its record."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path

import torch

from residua.arch import count, names
from residua.data.images import Images
from residua.data.listing import Files
from residua.data.loaders import Batches, TrainingBatches
from residua.data.normalise import Normalisation, normalisation
from residua.data.sets import DataSet, import_room, split
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, build
from residua.runs.config import Run
from residua.runs.records import Record, RunDirectory, open_directory
from residua.training.average import Average
from residua.training.batch_groups import share_out
from residua.training.checkpoint import load_checkpoint, memory_was_short
from residua.training.evaluate import FLIP, predict, score
from residua.training.loop import Fit, fit
from residua.training.optim import Rate, optimisers
from residua.training.progress import Watcher, watcher
from residua.training.runtime import Runtime, environment, keep_memory, versions
from residua.weights import save_weights


def prepare(run: Run, data: DataSet, runtime: Runtime) -> Fit:
    """A run before its first step.

    Raises:
        UsageError: The recipe asks for what this runtime or data set cannot give.
        RunError: The images do not fit into memory.
    """
    keep_memory()
    splits = split(data, val_size=run.data.val_size, train_limit=run.data.train_limit)
    constants = normalisation(splits.train, run.recipe.normalise)
    if isinstance(splits.train, Files):
        batches = _from_files(splits.train, run, constants, runtime)
    else:
        batches = _from_memory(splits.train, run, constants, runtime)
    net = fresh_net(run, num_classes=len(data.classes)).to(runtime.device)
    # The order in which convolutions here are fastest; it changes no result but by rounding.
    net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stub lacks it
    average = Average(net, decay=run.recipe.ema) if run.recipe.ema else None
    share_out(net, run.recipe, runtime.ranks)
    depth = names.entry(run.net).depth
    return Fit(
        run=run,
        net=net,
        average=average,
        optimisers=optimisers(net, run.recipe.optim),
        rate=Rate(run.recipe, depth=depth, steps_per_epoch=batches.steps_per_epoch),
        batches=batches,
        val=splits.val,
        normalisation=constants,
        runtime=runtime,
    )


def _from_memory(images: Images, run: Run, constants: Normalisation, runtime: Runtime) -> Batches:
    augment, side = run.recipe.augment, images.image_size
    if augment.padding == "reflect" and augment.pad >= side:
        raise UsageError(f"recipe.augment.pad {augment.pad} reflects more than {side} pixels hold")
    return Batches(
        images,
        batch_size=run.recipe.batch_size,
        seed=run.seed,
        normalisation=constants,
        pad=augment.pad,
        crop_mode=augment.padding,
        flip=augment.flip,
        device=runtime.device,
    )


def _from_files(
    files: Files, run: Run, constants: Normalisation, runtime: Runtime
) -> TrainingBatches:
    """Batches of which this rank decodes its part alone, so that none can be mixed with others'."""
    augment, ranks = run.recipe.augment, runtime.ranks
    if augment.pad or augment.flip == "alternating":
        raise UsageError(
            "imagenet:PATH is cropped and mirrored as its files are decoded: set "
            "recipe.augment.pad to 0 and recipe.augment.flip to true or false"
        )
    if ranks.count > 1 and (augment.mixup or augment.cutmix):
        raise UsageError("imagenet:PATH on several devices has neither mixup nor cutmix")
    return import_room("imagenet").FolderBatches(
        files,
        batch_size=run.recipe.batch_size,
        seed=run.seed,
        normalisation=constants,
        flip=augment.flip,
        device=runtime.device,
        part=ranks.part(run.recipe.batch_size),
    )


def train(state: Fit, data: DataSet, directory: RunDirectory, watcher: Watcher) -> Record:
    """Train, from the directory's checkpoint if it has one, and write weights and record.

    All ranks do this and the first one writes. The test images are looked at once, after the last
    step.

    Raises:
        RunError: As :func:`residua.training.loop.fit`, or the directory's checkpoints are damaged.
        Stopped: By SIGINT or SIGTERM, with everything saved.
        OSError: The directory cannot be written to, or its checkpoint not be read.
    """
    saved = load_checkpoint(directory.checkpoint, key=state.run.key, warn=watcher.warn)
    if saved is not None:
        try:
            state.load_state_dict(saved)
        except Exception as error:  # a state of other parts can fail anywhere
            if memory_was_short(error):
                raise
            first = " ".join(str(error).split())[:120]
            raise RunError(
                f"{directory.checkpoint} does not fit this run ({first}): start over with a new "
                f"--out"
            ) from None
        watcher.say(f"going on from step {state.step}")
    ranks = state.runtime.ranks
    if ranks.sums(state.step) != [ranks.count * state.step]:
        raise RunError(
            f"the ranks do not find the same checkpoint in {directory.path}: choose an --out that "
            f"all of them can read"
        )
    fit(state, directory, watcher)
    meta = Meta(
        net=state.run.net,
        data=data.name,
        classes=data.classes,
        image_size=data.test.image_size,
        mean=state.normalisation.mean,
        std=state.normalisation.std,
        whitening=state.normalisation.whitening,
    )
    if ranks.first:
        save_weights(directory.weights, state.result, meta)
    record = _record(state, data.test)
    if ranks.first:
        directory.write_record(record)
    return record


@contextlib.contextmanager
def entered(  # noqa: PLR0913 - what, where, by what, how, of which files and before whom
    path: Path,
    run: Run,
    runtime: Runtime,
    *,
    resume: bool,
    files: str | None = None,
    shown: Callable[[RunDirectory], Watcher] = lambda _: watcher(),
) -> Generator[tuple[RunDirectory, Watcher], None, None]:
    """The directory of a run, locked, and who shows it; ranks but the first read along unseen.

    ``files`` are the data set's, if it has some.

    Raises:
        UsageError: As :func:`residua.runs.records.open_directory`.
        RunError: Likewise, or another process is on it.
    """
    first = runtime.ranks.first
    with runtime.ranks.in_turn():
        directory = RunDirectory(path)
        if first:
            env = environment(runtime) | ({"files": files} if files else {})
            directory = open_directory(path, run, resume=resume, env=env)
    if first:
        with directory.locked(), shown(directory) as watch:
            yield directory, watch
    else:
        yield directory, Watcher()


def fresh_net(run: Run, *, num_classes: int) -> Net:
    """The run's net as it is before the first step: a function of name and seed."""
    torch.manual_seed(run.seed)
    return build(dataclasses.replace(names.spec(run.net), num_classes=num_classes))


def _record(state: Fit, test: Images | Files) -> Record:
    run = state.run
    ranks = state.runtime.ranks
    plain, mirrored = (
        predict(state.result, test, state.normalisation, views=(view,), ranks=ranks)
        for view in FLIP
    )
    last = state.epochs[-1]
    seconds = sum(epoch["seconds"] for epoch in state.epochs)
    val_errors = [e["val_error"] for e in state.epochs if e["val_error"] is not None]
    return Record(
        key=run.key,
        net=run.net,
        data=dataclasses.asdict(run.data),
        recipe=dataclasses.asdict(run.recipe),
        seed=run.seed,
        params=count.params(state.net.spec),
        epochs=last["epoch"],
        steps=state.step,
        test_error=score(plain, test.labels).error,
        test_error_tta=score((plain + mirrored) / 2, test.labels).error,
        val_error=last["val_error"],
        best_val_error=min(val_errors, default=None),
        train_loss=last["train_loss"],
        train_error=last["train_error"],
        train_seconds=seconds,
        images_per_second=state.step * run.recipe.batch_size / seconds,
        device=state.runtime.name,
        devices=ranks.count,
        bn_group=run.recipe.bn_group or run.recipe.batch_size,
        versions=versions(),
    )
