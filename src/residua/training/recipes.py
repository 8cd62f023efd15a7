"""Recipes as data: the types that hold everything which may move the loss curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from residua.errors import UsageError

MOST_LENGTH = 1e9  # of a budget
NUM_IMAGES = 45_000  # that the papers train on


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be above 0, not {value}")


def _share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must lie in [0, 1), not {value}")


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be 0 or above, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent: ``v ← m·v + g; w ← w - lr·v`` with ``g`` including decay.

    Attributes:
        lr: Initial learning rate.
        momentum: The m above.
        nesterov: Look ahead: the step is ``g + m·v``.
        weight_decay: L2 factor added to the gradient.
        decay_norms: Decay BN's gamma and beta and the biases as well as the weights.
    """

    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decay_norms: bool = True
    kind: Literal["sgd"] = "sgd"

    def __post_init__(self) -> None:
        """Refuse rates that cannot train."""
        _positive(lr=self.lr)
        _share(momentum=self.momentum)
        _not_negative(weight_decay=self.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Muon:
    """Momentum made orthogonal for the convolutions inside the units; SGD for all the rest.

    Source: Jordan et al. 2024; a filter bank is flattened to [c_out, c_in·k²].

    Attributes:
        lr: Initial learning rate of the orthogonal steps, each of root-mean-square size
            ``√max(1, rows/columns)`` before it.
        momentum: Nesterov momentum of the gradient that is made orthogonal.
        weight_decay: Share of a weight, times the learning rate, taken off at each step.
        iterations: Newton-Schulz iterations.
        rest: The optimiser of stem, norms, biases and classifier.
    """

    lr: float = 0.02
    momentum: float = 0.95
    weight_decay: float = 0.0
    iterations: int = 5
    rest: Sgd = field(default_factory=Sgd)
    kind: Literal["muon"] = "muon"

    def __post_init__(self) -> None:
        """Refuse rates that cannot train."""
        _positive(lr=self.lr, iterations=self.iterations)
        _share(momentum=self.momentum)
        _not_negative(weight_decay=self.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a run is."""

    length: float
    unit: Literal["epochs", "iterations"] = "epochs"

    def __post_init__(self) -> None:
        """Refuse an empty run, and one so long that its steps cannot be counted."""
        _positive(length=self.length)
        if self.length > MOST_LENGTH:
            raise UsageError(
                f"a budget is at most {MOST_LENGTH:g} {self.unit}, not {self.length:g}"
            )

    def steps(self, steps_per_epoch: int) -> int:
        """The budget in optimiser steps."""
        per_unit = steps_per_epoch if self.unit == "epochs" else 1
        return max(1, round(self.length * per_unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Multiply the learning rate by ``factor`` at each point of ``at``, in the budget's unit."""

    at: tuple[float, ...]
    factor: float = 0.1
    kind: Literal["steps"] = "steps"

    def __post_init__(self) -> None:
        """Refuse a factor that cannot train."""
        _positive(factor=self.factor)

    def scale(self, progress: float, *, length: float) -> float:  # noqa: ARG002 - one signature for all schedules
        """Factor on the initial rate after ``progress`` of ``length`` units of the budget."""
        return self.factor ** sum(progress >= point for point in self.at)

    def stretched(self, ratio: float) -> Steps:
        """The same schedule for a budget ``ratio`` times as long."""
        return replace(self, at=tuple(point * ratio for point in self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Knots:
    """The factor runs in straight lines through ``values`` at ``at``, in the budget's unit.

    Before the first knot and after the last it stays.
    """

    at: tuple[float, ...]
    values: tuple[float, ...]
    kind: Literal["knots"] = "knots"

    def __post_init__(self) -> None:
        """Refuse what is no function of time."""
        if len(self.at) != len(self.values) or not self.at:
            raise ValueError(f"{len(self.at)} knots cannot have {len(self.values)} values")
        if any(left >= right for left, right in pairwise(self.at)):
            raise ValueError(f"knots must rise, not {self.at}")
        for value in self.values:
            _not_negative(values=value)

    def scale(self, progress: float, *, length: float) -> float:  # noqa: ARG002 - one signature for all schedules
        """Factor on the initial rate after ``progress`` of ``length`` units of the budget."""
        points = list(zip(self.at, self.values, strict=True))
        for (left, low), (right, high) in pairwise(points):
            if left <= progress < right:
                return low + (high - low) * (progress - left) / (right - left)
        return self.values[0] if progress < self.at[0] else self.values[-1]

    def stretched(self, ratio: float) -> Knots:
        """The same schedule for a budget ``ratio`` times as long."""
        return replace(self, at=tuple(point * ratio for point in self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosine:
    """Rise in a straight line over ``rise`` of the budget, then fall along half a cosine to 0.

    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.
    """

    rise: float = 0.0
    kind: Literal["cosine"] = "cosine"

    def __post_init__(self) -> None:
        """Refuse a rise that leaves no time to fall."""
        _share(rise=self.rise)

    def scale(self, progress: float, *, length: float) -> float:
        """Factor on the initial rate after ``progress`` of ``length`` units of the budget."""
        share = progress / length
        if share < self.rise:
            return share / self.rise
        return (1 + math.cos(math.pi * (share - self.rise) / (1 - self.rise))) / 2

    def stretched(self, ratio: float) -> Cosine:  # noqa: ARG002 - one signature for all schedules
        """The same schedule for a budget ``ratio`` times as long."""
        return self


Optim = Sgd | Muon
Schedule = Steps | Knots | Cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """A learning rate of its own at the start, until a condition ends it for good.

    Attributes:
        lr: The learning rate meanwhile.
        iterations: Ends after so many.
        below_error: Ends once the training error over the last ``window`` iterations is below
            this many percent.
        window: Iterations that the error is measured over.
        min_depth: Only nets of at least this depth start gently.
    """

    lr: float
    iterations: int | None = None
    below_error: float | None = None
    window: int = 100
    min_depth: int = 0

    def __post_init__(self) -> None:
        """Refuse a warm-up that cannot end."""
        _positive(lr=self.lr, window=self.window)
        if (self.iterations is None) == (self.below_error is None):
            raise ValueError("a warm-up ends either after iterations or below_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """What is done to training images, in this order.  Source: he2015 §4.2, but for the last three.

    Attributes:
        pad: Pixels on each side before a crop back to the size; 0 switches cropping off.
        padding: What the border holds: zeros (after normalisation: the mean image) or reflections.
        flip: Mirror each image with probability one half, or alternately: each image is mirrored
            in every second epoch, its first a matter of chance (Jordan 2024).
        cutout: Side of a square set to the mean, in pixels; 0 for none (DeVries & Taylor 2017).
        mixup: α of the Beta distribution that blends two images; 0 for none (Zhang et al. 2018).
        cutmix: α of the Beta distribution of the area pasted from another image; 0 for none
            (Yun et al. 2019).
    """

    pad: int = 4
    padding: Literal["zeros", "reflect"] = "zeros"
    flip: bool | Literal["alternating"] = True
    cutout: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        """Refuse sizes below nothing, and two ways of blending at once."""
        _not_negative(pad=self.pad, cutout=self.cutout, mixup=self.mixup, cutmix=self.cutmix)
        if self.mixup and self.cutmix:
            raise ValueError("mixup and cutmix cannot both blend a batch: set one of them to 0")


Normalise = Literal["per_pixel_mean", "per_pixel_mean_global_std", "mean_std", "divide", "zca"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything of a run, beside net and data, that may move its loss curve.

    :data:`residua.training.presets.SOURCES` says where the values come from; prose is no part of
    a run's key.

    Attributes:
        name: What it is asked for by.
        budget: How long to train.
        batch_size: Images per optimiser step, over all devices.
        optim: The optimiser.
        schedule: Factor on the learning rate over the run.
        warm_up: A gentler start, where the paper has one.
        augment: What is done to the training images.
        normalise: What is done to all images in 0…1: subtract the mean image; that, and divide by
            one deviation; subtract the channels' means and divide by their deviations; nothing; or
            whiten (ZCA) what is left of each image once its own contrast is taken out.
        label_smoothing: Share of the target spread evenly over all classes.
        ema: Decay per step of an average of the weights, which is then what is evaluated and
            saved; 0 for none.
        precision: Numbers of the forward and backward pass; weights are always fp32.
        bn_group: Images that one BN layer averages over; by default the batch.
        rescaled_from: The recipe's own budget, where a run's was set to another.
    """

    name: str
    budget: Budget
    batch_size: int = 128
    optim: Optim = field(default_factory=Sgd)
    schedule: Schedule
    warm_up: WarmUp | None = None
    augment: Augment = field(default_factory=Augment)
    normalise: Normalise = "mean_std"
    label_smoothing: float = 0.0
    ema: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    bn_group: int | None = None
    rescaled_from: str | None = None

    def __post_init__(self) -> None:
        """Refuse an empty batch and shares that are none."""
        _positive(batch_size=self.batch_size)
        _share(label_smoothing=self.label_smoothing, ema=self.ema)

    def lr(self, step: int, *, steps_per_epoch: int) -> float:
        """Learning rate at an optimiser step (from 0), warm-up aside."""
        per_unit = steps_per_epoch if self.budget.unit == "epochs" else 1
        return self.optim.lr * self.schedule.scale(step / per_unit, length=self.budget.length)


def rescaled(recipe: Recipe, epochs: float) -> Recipe:
    """The same recipe over another number of epochs, all within it stretched in proportion.

    A budget of iterations, as papers have them, is of 45,000 images.

    Raises:
        UsageError: ``epochs`` is not above 0, or too many to count.
    """
    if not 0 < epochs < math.inf:
        raise UsageError(f"epochs must be above 0, not {epochs:g}")
    budget = Budget(length=epochs)
    warm_up, own_epochs = recipe.warm_up, recipe.budget.length
    if recipe.budget.unit == "iterations":
        own_epochs *= recipe.batch_size / NUM_IMAGES
    if warm_up and warm_up.iterations:
        iterations = max(1, round(warm_up.iterations * epochs / own_epochs))
        warm_up = replace(warm_up, iterations=iterations)
    return replace(
        recipe,
        budget=budget,
        schedule=recipe.schedule.stretched(epochs / recipe.budget.length),
        warm_up=warm_up,
        rescaled_from=f"{recipe.budget.length:g} {recipe.budget.unit}",
    )
