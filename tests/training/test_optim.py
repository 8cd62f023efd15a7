"""The optimiser's law, who decays, and the warm-up."""

import dataclasses
import itertools
import json

import pytest
import torch
from torch import Tensor, nn

from residua.training.optim import Rate, sgd
from residua.training.presets import HAN2017, HE2015
from residua.training.recipes import Sgd, WarmUp

LR, MOMENTUM, DECAY = 0.1, 0.9, 0.25


def small_module() -> nn.Module:
    """A convolution with a bias, BN and a classifier, with seeded weights in float64."""
    torch.manual_seed(0)
    parts = (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2))
    return nn.Sequential(*parts).double()


def by_hand(w: Tensor, gradients: list[Tensor], *, nesterov: bool, decay: float) -> Tensor:
    """Return the weight after some steps of ``v ← m·v + g; w ← w - lr·v``, v starting at g."""
    velocity = None
    for gradient in gradients:
        g = gradient + decay * w
        velocity = g if velocity is None else MOMENTUM * velocity + g
        w = w - LR * (g + MOMENTUM * velocity if nesterov else velocity)
    return w


@pytest.mark.parametrize(("nesterov", "decay_norms"), [*itertools.product([True, False], repeat=2)])
def test_steps_follow_the_law(*, nesterov: bool, decay_norms: bool):
    """Three steps by hand: momentum, Nesterov's look ahead, decay of weights or of everything."""
    module = small_module()
    settings = Sgd(
        lr=LR,
        momentum=MOMENTUM,
        nesterov=nesterov,
        weight_decay=DECAY,
        decay_norms=decay_norms,
    )
    optimiser = sgd(module.parameters(), settings)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    gradients: dict[str, list[Tensor]] = {name: [] for name in before}

    for _ in range(3):
        for name, parameter in module.named_parameters():
            parameter.grad = torch.randn_like(parameter)
            gradients[name].append(parameter.grad.clone())
        optimiser.step()

    for name, parameter in module.named_parameters():
        decays = parameter.ndim > 1 or decay_norms
        decay = DECAY if decays else 0.0
        expected = by_hand(before[name], gradients[name], nesterov=nesterov, decay=decay)
        torch.testing.assert_close(expected, parameter.detach())


@pytest.mark.parametrize("decay_norms", [True, False])
def test_norms_and_biases_decay_as_asked(*, decay_norms: bool):
    """With no gradient, a step takes lr·decay of each weight, and of a vector where asked."""
    module = small_module()
    for parameter in module.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)

    sgd(module.parameters(), Sgd(lr=LR, weight_decay=DECAY, decay_norms=decay_norms)).step()

    kept = 1 - LR * DECAY
    for parameter in module.parameters():
        decays = parameter.ndim > 1 or decay_norms
        assert [pytest.approx(kept if decays else 1.0)] == parameter.unique().tolist()


def rate(*, depth: int = 110, **changes) -> Rate:
    """Return he2015's rate over a window of four batches."""
    warm_up = WarmUp(lr=0.01, below_error=80, min_depth=110, window=4)
    recipe = dataclasses.replace(HE2015, warm_up=dataclasses.replace(warm_up, **changes))
    return Rate(recipe, depth=depth, steps_per_epoch=10)


def warming(found: Rate) -> bool:
    """Return whether a warm-up goes on."""
    return found.state_dict()["warming"]


def test_the_warm_up_holds_until_the_error_falls():
    """0.01 until the mean over the whole window is below 80 %, then the schedule."""
    found = rate()
    rates: list[float] = []
    for step, error in enumerate([90.0, 0.0, 90.0, 140.0, 90.0, 0.0, 89.0]):
        rates.append(found.at(step))
        found.observe(error)
    # Windows: not yet full; 80, not below; 80, not below; then (90 + 140 + 90 + 0) / 4 = 80; 79.75.
    assert [0.01] * 7 == rates
    assert not warming(found)
    assert 0.1 == found.at(7)


def test_a_window_that_is_not_full_ends_nothing():
    """The first batches may be lucky; the measure is over the whole window."""
    found = rate()
    for _ in range(3):
        found.observe(0.0)
    assert warming(found)
    found.observe(0.0)
    assert not warming(found)


def test_a_warm_up_that_is_over_stays_over():
    """However bad it gets, the schedule's rate holds."""
    found = rate()
    for error in (*[0.0] * 4, *[100.0] * 20):
        found.observe(error)
    assert not warming(found)
    assert [0.1, 0.01, 0.001] == pytest.approx([found.at(step) for step in (0, 32_000, 48_000)])


@pytest.mark.parametrize(("depth", "warms"), [(20, False), (109, False), (110, True), (1202, True)])
def test_only_deep_nets_warm_up(depth: int, *, warms: bool):
    """he2015 warms up from 110 layers on."""
    found = rate(depth=depth)
    assert warms == warming(found)
    assert (0.01 if warms else 0.1) == found.at(0)


def test_a_recipe_without_warm_up_starts_at_its_rate():
    """han2017 has none, at any depth."""
    found = Rate(HAN2017, depth=272, steps_per_epoch=10)
    found.observe(100.0)
    assert not warming(found)
    assert [0.1, 0.01] == pytest.approx([found.at(1_499), found.at(1_500)])


@pytest.mark.parametrize("num_seen", range(8))
def test_a_rate_goes_on_from_its_state(num_seen: int):
    """Wherever it is interrupted, the rest of the run has the rates it would have had."""
    errors = [100.0, 100.0, 60.0, 70.0, 80.0, 100.0, 100.0, 100.0]

    def go_on(found: Rate, rest: list[float]) -> list[float]:
        rates: list[float] = []
        for error in rest:
            found.observe(error)
            rates.append(found.at(0))
        return rates

    first, second = rate(), rate()
    go_on(first, errors[:num_seen])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))

    assert warming(first) == warming(second)
    assert go_on(first, errors[num_seen:]) == go_on(second, errors[num_seen:])
    assert not warming(second)
