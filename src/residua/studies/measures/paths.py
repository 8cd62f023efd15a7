"""A residual net as 2ⁿ paths: how many have which length, and how much gradient they bring.

A path takes the branch of some of the n units and the shortcut of the others; its length is the
number of its branches.  The gradient of the loss is the sum of all paths' gradients, where the
forward pass is that of the whole net.  Source: veit2016 §5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.errors import RunError, UsageError
from residua.nets.build import Net, expected_gates
from residua.nets.units import ResidualUnit

BATCH_SIZE = 125
EFFECTIVE = 0.95  # of all norms' sum: the lengths that have so much of it are called effective


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths of a net by length, from 0 to the number of its units.

    Attributes:
        gradients: Mean norm of the gradient that one path of each length brings to the input.
        draws: Paths that each mean is of, every one drawn at random and for another image.
    """

    gradients: tuple[float, ...]
    draws: int

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of paths of each length: binomial coefficients."""
        num_units = len(self.gradients) - 1
        return tuple(math.comb(num_units, length) for length in range(num_units + 1))

    @property
    def shares(self) -> tuple[float, ...]:
        """Each length's part of the sum of all paths' norms: count times mean norm."""
        products = [n * norm for n, norm in zip(self.counts, self.gradients, strict=True)]
        return tuple(product / sum(products) for product in products)

    @property
    def effective(self) -> tuple[int, int]:
        """The shortest run of lengths that has 95 % of all paths' norms: its first and its last."""
        sums = [0.0, *accumulate(self.shares)]
        runs = [
            (last - first, first, last)
            for last in range(len(self.shares))
            for first in range(last + 1)
            if sums[last + 1] - sums[first] >= EFFECTIVE
        ]
        _, first, last = min(runs)
        return first, last

    @property
    def effective_share(self) -> float:
        """Which share of all paths has an effective length."""
        first, last = self.effective
        return sum(self.counts[first : last + 1]) / sum(self.counts)


def measure(
    net: Net,
    images: Images,
    normalisation: Normalisation,
    *,
    draws: int,
    seed: int = 0,
) -> Paths:
    """Draw paths of every length, and follow the loss's gradient back along each.

    Running statistics normalise, so that every image has gradients of its own: a path is drawn for
    each image, not for a batch.

    Args:
        net: A residual net; it is left as it is.
        images: At least one; taken in turn until there are enough.
        normalisation: The net's.
        draws: Paths of each length.
        seed: Of the draws.

    Raises:
        UsageError: The net has units without a shortcut, so it is one path.
        RunError: No path brings any gradient.
    """
    num_units = len(_units(net))
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.arange(num_units + 1).repeat_interleave(draws)
    # The units in a random order of each path's own; it takes the first of them.
    ranks = torch.rand(len(lengths), num_units, generator=generator).argsort(1).argsort(1)
    through = ranks < lengths[:, None]
    # Every length has the same images: some have far larger gradients than others.
    chosen = images.take(torch.arange(draws).repeat(num_units + 1) % len(images))
    norms = [
        # Doubled first: the square of a long path's gradient is too small for single precision.
        gradient(net, x, labels, through=through[rows]).flatten(1).double().norm(dim=1)
        for rows, x, labels in _batches(chosen, normalisation, net.classifier.weight.device)
    ]
    means = torch.cat(norms).view(num_units + 1, draws).mean(1)
    if not means.any():
        raise RunError("no path brings any gradient to the images: train the net again")
    return Paths(gradients=tuple(means.tolist()), draws=draws)


def gradient(
    net: Net,
    x: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    through: Bool[Tensor, "n units"],
) -> Float[Tensor, "n c h w"]:
    """What one path for each image brings to it of its loss's gradient.

    Args:
        net: A residual net, evaluated as a whole, with running statistics; it is left as it is.
        x: Normalised images.
        labels: Their classes.
        through: The units whose branch an image's path takes, and not their shortcut.

    Returns:
        Gradients of each image's own cross-entropy.

    Raises:
        UsageError: The net has units without a shortcut.
    """
    units, gates = _units(net), expected_gates(net.plan)
    was_training = net.training
    net.eval()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        maps = net.stem(x)
        for unit, gate, taken in zip(units, gates, through.to(x.device).unbind(1), strict=True):
            maps = _split(unit, maps, gate=gate, taken=taken)
        loss = functional.cross_entropy(net.classify(maps), labels, reduction="sum")
        (found,) = torch.autograd.grad(loss, x)
    net.train(was_training)
    return found


def _split(
    unit: ResidualUnit,
    maps: Float[Tensor, "n c h w"],
    *,
    gate: float,
    taken: Bool[Tensor, " n"],
) -> Float[Tensor, "n d i j"]:
    """A unit's whole output, through which gradients go back on one of its two ways."""
    assert unit.carry is not None
    shared = unit.shared(maps)
    carried, branched = unit.carry(shared).clone(), gate * unit.branch(shared)
    branched.register_hook(lambda grad: grad * taken.view(-1, 1, 1, 1))
    carried.register_hook(lambda grad: grad * ~taken.view(-1, 1, 1, 1))
    return unit.after(unit.join(carried, branched))


def _units(net: Net) -> Sequence[ResidualUnit]:
    units = [
        unit for unit in net.units if isinstance(unit, ResidualUnit) and unit.carry is not None
    ]
    if len(units) < len(net.units):
        raise UsageError("a net has many paths where every unit adds to a shortcut: not this one")
    return units


def _batches(
    images: Images, normalisation: Normalisation, device: torch.device
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    batches = evaluation_batches(
        images, batch_size=BATCH_SIZE, normalisation=normalisation, device=device
    )
    for number, (x, labels) in enumerate(batches):
        yield slice(number * BATCH_SIZE, (number + 1) * BATCH_SIZE), x, labels
