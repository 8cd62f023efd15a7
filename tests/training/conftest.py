"""Small runs: synthetic images, tiny nets, three steps an epoch."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from residua.data import sets
from residua.data.sets import DataSet
from residua.runs.config import DataChoice, Run, override
from residua.runs.records import RunDirectory, open_directory
from residua.training import presets, recipes
from residua.training.loop import Fit
from residua.training.progress import Watcher
from residua.training.runtime import Runtime
from residua.training.train import prepare

TIMES = {"seconds", "images_per_second", "train_seconds"}


def without_times(content: dict) -> dict:
    """Return all but the times, which no two runs share."""
    return {name: value for name, value in content.items() if name not in TIMES}


class PowerCut(Watcher):
    """Ends the run after some steps."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.said: list[str] = []

    def say(self, message: str) -> None:
        """Keep a message."""
        self.said.append(message)

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:  # noqa: ARG002 - the watcher's signature
        """Stop."""
        if step == self.last:
            raise KeyboardInterrupt


SETTINGS = ("recipe.batch_size=32", "data.train_limit=96", "data.val_size=40")


@pytest.fixture(scope="session")
def data() -> DataSet:
    """The synthetic images, of them only as many for testing as a test has time for."""
    synthetic = sets.load("synthetic")
    return dataclasses.replace(synthetic, test=synthetic.test.take(torch.arange(50)))


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """A maker of runs of two epochs of three steps; settings as ``--set`` has them."""

    def make(*settings: str, net: str = "cifar/resnet-8", seed: int = 0, epochs: float = 2) -> Run:
        recipe = recipes.rescaled(presets.HAN2017, epochs)
        choice = DataChoice(name="synthetic", val_size=64)
        return override(Run(net=net, data=choice, recipe=recipe, seed=seed), SETTINGS + settings)

    return make


@pytest.fixture(scope="session")
def start(data: DataSet) -> Callable[..., Fit]:
    """A maker of runs before their first step, on the CPU."""

    def make(run: Run, **runtime) -> Fit:
        return prepare(run, data, Runtime(device=torch.device("cpu"), **runtime))

    return make


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., RunDirectory]:
    """An opener of a run's directory, new or to go on with."""

    def open_(run: Run, name: str = "run") -> RunDirectory:
        return open_directory(tmp_path / name, run, resume=True, env={})

    return open_
