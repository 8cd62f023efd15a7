"""Recipes: the learning rate at points computed by hand, other lengths, impossible values."""

import dataclasses
from typing import get_args, get_type_hints

import pytest

from residua.data import augment, normalise
from residua.errors import UsageError
from residua.training.presets import HAN2017, HE2015, HE2016, HUANG2016_1202
from residua.training.recipes import (
    Augment,
    Budget,
    Normalise,
    Recipe,
    Sgd,
    Steps,
    WarmUp,
    rescaled,
)

CIFAR_STEPS = 351  # whole batches of 128 in 45,000 images


@pytest.mark.parametrize(
    ("recipe", "step", "lr"),
    [
        (HE2015, 0, 0.1),
        (HE2015, 31_999, 0.1),
        (HE2015, 32_000, 0.01),
        (HE2015, 47_999, 0.01),
        (HE2015, 48_000, 0.001),
        (HE2015, 63_999, 0.001),
        (HAN2017, 0, 0.1),
        (HAN2017, 150 * CIFAR_STEPS - 1, 0.1),
        (HAN2017, 150 * CIFAR_STEPS, 0.01),
        (HAN2017, 225 * CIFAR_STEPS - 1, 0.01),
        (HAN2017, 225 * CIFAR_STEPS, 0.001),
        (HAN2017, 300 * CIFAR_STEPS - 1, 0.001),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_learning_rate_falls_at_the_milestones(recipe: Recipe, step: int, lr: float):
    """A milestone is the first step of the lower rate, in iterations or in epochs."""
    assert lr == pytest.approx(recipe.lr(step, steps_per_epoch=CIFAR_STEPS))


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (HE2015.budget, 64_000),
        (HAN2017.budget, 300 * CIFAR_STEPS),
        (Budget(length=1.5), 526),
        (Budget(length=0.0001), 1),
    ],
)
def test_a_budget_in_steps(budget: Budget, steps: int):
    """Epochs are counted in whole batches, to the nearest step; there is always one."""
    assert steps == budget.steps(CIFAR_STEPS)


@pytest.mark.parametrize(
    ("recipe", "epochs", "at", "origin"),
    [
        (HE2015, 6, (3, 4.5), "64000 iterations"),
        (HAN2017, 2, (1, 1.5), "300 epochs"),
        (HAN2017, 600, (300, 450), "300 epochs"),
    ],
)
def test_another_length_moves_the_milestones_in_proportion(
    recipe: Recipe, epochs: float, at: tuple[float, ...], origin: str
):
    """Only budget and milestones change, and the recipe says what they were."""
    found = rescaled(recipe, epochs)
    budget = Budget(length=epochs, unit="epochs")
    schedule = Steps(at=at, factor=0.1)

    expected = dataclasses.replace(recipe, budget=budget, schedule=schedule, rescaled_from=origin)
    assert expected == found


def test_a_rescaled_learning_rate_falls_within_the_new_length():
    """he2015 over 6 epochs of 10 steps: 0.1 for 30 steps, 0.01 for 15, 0.001 for 15."""
    recipe = rescaled(HE2015, 6)
    rates = [recipe.lr(step, steps_per_epoch=10) for step in range(recipe.budget.steps(10))]
    assert [0.1] * 30 + [0.01] * 15 + [0.001] * 15 == pytest.approx(rates)


@pytest.mark.parametrize(
    ("recipe", "epochs", "iterations"),
    [
        (HUANG2016_1202, 30, 351),
        (HUANG2016_1202, 600, 7_020),
        (HE2016, 64_000 * 128 / 45_000, 400),
        (HE2016, 1, 2),
        (HE2016, 0.01, 1),
    ],
)
def test_another_length_shortens_the_warm_up_in_proportion(
    recipe: Recipe, epochs: float, iterations: int
):
    """It stays the same share of the run, of which an epoch is 45,000 images."""
    found = rescaled(recipe, epochs).warm_up
    assert recipe.warm_up
    assert dataclasses.replace(recipe.warm_up, iterations=iterations) == found


@pytest.mark.parametrize("epochs", [0, -1, float("inf"), float("nan")])
def test_a_length_that_is_none_is_refused(epochs: float):
    """The message has the value."""
    with pytest.raises(UsageError, match=f"epochs must be above 0, not {epochs:g}"):
        rescaled(HE2015, epochs)


@pytest.mark.parametrize("recipe", [HE2015, HE2016])
def test_a_length_without_end_is_refused(recipe: Recipe):
    """So many steps are more than a number of them can be."""
    with pytest.raises(UsageError, match=r"at most 1e\+09 epochs, not 1e\+308"):
        rescaled(recipe, 1e308)


def test_a_recipe_can_say_what_the_data_room_can_do():
    """Neither imports the other, so each lists the ways; the lists are the same."""
    augmented = get_type_hints(Augment)
    assert get_args(normalise.Way) == get_args(Normalise)
    assert get_args(augment.CropMode) == get_args(augmented["padding"])
    assert get_args(augment.Flip) == get_args(augmented["flip"])


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Sgd, {"lr": 0.0}, "lr must be above 0"),
        (Sgd, {"lr": float("nan")}, "lr must be above 0"),
        (Sgd, {"momentum": 1.0}, "momentum must lie in"),
        (Sgd, {"weight_decay": -1e-4}, "weight_decay must be 0 or above"),
        (Budget, {"length": 0}, "length must be above 0"),
        (Budget, {"length": float("inf")}, "length must be above 0"),
        (Augment, {"pad": -1}, "pad must be 0 or above"),
        (WarmUp, {"lr": 0.01, "below_error": 80, "window": 0}, "window"),
        (WarmUp, {"lr": 0.0, "below_error": 80}, "lr"),
        (Steps, {"at": (1,), "factor": 0.0}, "factor"),
    ],
)
def test_values_that_cannot_train_are_refused(kind: type, values: dict, message: str):
    """The message names the value."""
    with pytest.raises(ValueError, match=message):
        kind(**values)


def test_an_empty_batch_is_refused():
    """A batch has at least one image."""
    with pytest.raises(ValueError, match="batch_size must be above 0, not 0"):
        dataclasses.replace(HE2015, batch_size=0)
