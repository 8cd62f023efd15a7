"""What the GPU suite measures and trains, at full size and as a toy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from benchmarks.contenders import PAIRS
from benchmarks.timing import LONG, Budget
from residua.arch import count, names
from residua.studies.budgets import HELD_BACK
from residua.training import presets

ALL_IMAGES = "data.val_size=0"  # the papers' final runs, but where validation images chose


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: ``residua train`` with these arguments."""

    net: str
    recipe: str
    seed: int
    settings: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its directory's."""
        return f"{self.net.replace('/', '-')}--{self.recipe}--s{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured and trained, and on what.

    Attributes:
        data: The data set of all runs.
        titles: Nets whose training steps are timed.
        batch_size: Of those steps.
        budget: How long each net's steps are timed.
        side: Of the matrices that tell the card's rate.
        copied_mb: What is copied to tell its memory's.
        fast: Runs whose seconds count: each has the device to itself.
        papers: Runs that share it.
    """

    data: str
    titles: tuple[str, ...]
    batch_size: int
    budget: Budget
    side: int
    copied_mb: int
    fast: tuple[Job, ...]
    papers: tuple[Job, ...]


FAST = ("resnet-20", "resnet-56", "wrn-16-8", "pyramidnet-110-a48")
PAPERS = (
    *("resnet-20", "resnet-32", "resnet-44", "resnet-56", "resnet-110"),
    *("preresnet-110", "preresnet-164-bottleneck", "sd-resnet-110"),
    *("wrn-16-4", "wrn-16-8", "wrn-28-10"),
    *("densenet-40-12", "densenet-bc-100-12", "pyramidnet-110-a48", "pyramidnet-110-a84"),
)
SEEDS = range(3)


def of_paper(net: str, seed: int) -> Job:
    """A run as the net's paper has it, which held images back only where they chose an epoch."""
    recipe = presets.default(names.entry(net)).name
    return Job(
        net=net, recipe=recipe, seed=seed, settings=() if recipe in HELD_BACK else (ALL_IMAGES,)
    )


def work(job: Job) -> float:
    """Multiply-adds of a run by a paper's recipe, up to a factor."""
    budget = presets.get(job.recipe).budget
    epochs = budget.length / (390 if budget.unit == "iterations" else 1)
    return epochs * count.macs(names.spec(job.net))


def full() -> Plan:
    """The nets of the papers on CIFAR-10, a seed of each before the next."""
    return Plan(
        data="cifar10",
        titles=tuple(PAIRS),
        batch_size=128,
        budget=LONG,
        side=8192,
        copied_mb=4000,
        fast=tuple(
            Job(net=f"cifar/{net}", recipe="fast", seed=seed, settings=(ALL_IMAGES,))
            for seed in SEEDS
            for net in FAST
        ),
        papers=tuple(
            job
            for seed in SEEDS
            for job in sorted((of_paper(f"cifar/{net}", seed) for net in PAPERS), key=work)
        ),
    )


def toy() -> Plan:
    """The same in small: nets of a few units, a few synthetic images, one epoch."""
    settings = ("data.train_limit=64", "recipe.batch_size=32")
    of = partial(Job, seed=0, settings=settings, more=("--epochs", "1"))
    return Plan(
        data="synthetic",
        titles=("ResNet-20",),
        batch_size=2,
        budget=Budget(seconds=0, at_least=1, warm_up=1),
        side=64,
        copied_mb=1,
        fast=(of(net="cifar/resnet-8", recipe="he2015"),),
        papers=(
            of(net="cifar/wrn-10-1", recipe="zagoruyko2016"),
            of(net="cifar/pyramidnet-8-a12", recipe="han2017"),
        ),
    )
