"""How long runs will take: images to train on, and how many a second this machine manages."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from residua.arch import names
from residua.data import sets, svhn
from residua.data.images import DataSet, Images
from residua.errors import RunError, UsageError
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.studies import budgets, commands
from residua.studies.evidence import finished
from residua.studies.reproduce import Reproduction
from residua.training.loop import train_step
from residua.training.runtime import Runtime
from residua.training.train import prepare

TRAINING = {
    "cifar10": 50_000,
    "cifar100": 50_000,
    "svhn": sum(file.num_images for file in svhn.FILES["svhn"][:-1]),
}
SLOW_BATCH = 32  # on a CPU, where a batch of a large net takes a minute
AT_LEAST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What some runs of one net will take.

    Attributes:
        images_per_run: Training images that a run sees, repeats counted.
        epochs: Times that it sees each.
        images_per_second: Trained on.
        measured: Where that is from.
        seconds_per_run: With validation and test.
        device: Of this machine.
    """

    images_per_run: int
    epochs: float
    images_per_second: float
    measured: str
    seconds_per_run: float
    device: str


def estimate(run: Run, *, store: Path, data_dir: Path | None) -> Estimate:
    """What a run will take on this machine.

    Raises:
        RunError: The data set's size is not known without it, and it is missing.
    """
    num_train = TRAINING.get(run.data.name) or len(sets.load(run.data.name, data_dir).train)
    images, epochs = budgets.seen(run, num_train=num_train)
    runtime = Runtime()
    speed, measured = recorded(run, store, runtime) or (
        throughput(run, runtime),
        "measured now, in a few steps",
    )
    return Estimate(
        images_per_run=images,
        epochs=epochs,
        images_per_second=speed,
        measured=measured,
        seconds_per_run=budgets.passes(run, num_train=num_train) / speed,
        device=runtime.name,
    )


def plan(asked: Reproduction, *, seeds: int, store: Path, data_dir: Path | None) -> dict[str, Any]:
    """What it takes to reproduce a row, as JSON values: its runs, and an estimate of their time.

    Raises:
        RunError: As :func:`estimate`.
    """
    runs = [replace(asked.ours, seed=seed) for seed in range(seeds)]
    done = [run for run in runs if finished(store, run) is not None]
    each = estimate(runs[0], store=store, data_dir=data_dir)
    left = len(runs) - len(done)
    return {
        "row": asked.name,
        "net": asked.fact.net,
        "dataset": asked.ours.data.name,
        "printed": asked.fact.printed_error,
        "where": asked.fact.where,
        "trained_there": asked.fact.recipe_note,
        "differences": list(asked.differences),
        "runs": [
            {"seed": run.seed, "key": run.key, "done": run in done, "command": commands.train(run)}
            for run in runs
        ],
        **asdict(each),
        "images": left * each.images_per_run,
        "seconds": left * each.seconds_per_run,
    }


def recorded(run: Run, store: Path, runtime: Runtime) -> tuple[float, str] | None:
    """The mean throughput of finished runs like this one on this machine, if the store has any."""
    like = (run.net, run.recipe.precision, run.recipe.batch_size)
    speeds: list[float] = []
    for file in store.glob(f"{run.net.replace('/', '-')}--*/record.json"):
        try:
            there, record = RunDirectory(file.parent).run(), RunDirectory(file.parent).record()
        except (RunError, UsageError):
            continue
        same = like == (there.net, there.recipe.precision, there.recipe.batch_size)
        if same and record is not None and record["device"] == runtime.name:
            speeds.append(record["images_per_second"])
    return (fmean(speeds), f"the mean of {len(speeds)} records") if speeds else None


def throughput(run: Run, runtime: Runtime) -> float:
    """Images a second, from a few steps on noise, the first of them not counted."""
    size = run.recipe.batch_size
    if runtime.device.type == "cpu":
        size = min(size, SLOW_BATCH)
    side, num_classes = run.data.image_size, names.spec(run.net).num_classes
    pixels = torch.randint(256, (size, 3, side, side), dtype=torch.uint8)
    noise = Images(pixels, torch.arange(size) % num_classes)
    data = DataSet("noise", tuple(map(str, range(num_classes))), noise, noise, val_size=0)
    # Whitening needs many images and costs nothing later; BN's groups cost next to nothing.
    recipe = replace(run.recipe, batch_size=size, normalise="mean_std", bn_group=None)
    choice = replace(run.data, val_size=0, train_limit=None)
    state = prepare(replace(run, data=choice, recipe=recipe), data, runtime)
    state.net.train()
    train_step(state, 1e-6)
    began_s, num_steps = time.perf_counter(), 0
    while num_steps == 0 or time.perf_counter() - began_s < AT_LEAST_S:
        train_step(state, 1e-6)
        num_steps += 1
    return num_steps * size / (time.perf_counter() - began_s)
