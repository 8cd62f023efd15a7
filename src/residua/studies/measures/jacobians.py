"""Derivatives of ``H(x) = x + F(x)``, which are not "at least 1": by example and by measurement.

A post concludes from ``H' = 1 + F'`` that a residual unit's gradient is at least 1.  It would be if
F' were never negative; nothing keeps it from that.  In many dimensions the claim is that the
Jacobian ``I + F'`` shortens no gradient: that none of its singular values is below 1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from residua.arch.spec import Doubling, Joints, ResidualSpec, Stem
from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.nets.build import Net, build, expected_gates
from residua.nets.units import ResidualUnit

SIDE = 4  # pixels that directions reach over: with all, a Jacobian would be 16,384² numbers
CHUNK = 128  # directions at once: each takes as much memory as a forward pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A unit of one channel on images of one pixel: ``H(x) = x + outer · relu(inner · x)``.

    Attributes:
        x: Where.
        value: H there.
        derivative: H' there, by automatic differentiation.
    """

    x: tuple[float, ...]
    value: tuple[float, ...]
    derivative: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jacobian:
    """The Jacobian of one unit of a net at one image's maps, along changes in their middle.

    These are some of its columns: what they say of all is a bound, and one below 1 is a proof.

    Attributes:
        unit: Its index in the plan.
        smallest: The smallest singular value, at least the whole Jacobian's: the claim is that this
            is at least 1.
        largest: The largest, at most the whole Jacobian's.
        below_one: Share of the singular values that are below 1.
        least: The least derivative of H along a direction, of what changes in that direction, at
            least that along all directions; below 0, H falls there while its input rises.
    """

    unit: int
    smallest: float
    largest: float
    below_one: float
    least: float


def example(x: Sequence[float], *, inner: float, outer: float) -> Example:
    """The smallest residual unit there is.  With 1 and -1, H' is 0 for every x above 0."""
    spec = ResidualSpec(
        depths=(1,),
        kernels=(1, 1),
        widths=Doubling(base=1),
        joints=Joints(between=("relu",)),
        stem=Stem(width=1, ops=()),
    )
    (unit,) = build(spec).double().units
    with torch.no_grad():
        for weight, value in zip(unit.parameters(), (inner, outer), strict=True):
            weight.fill_(value)
    at = torch.tensor(x, dtype=torch.float64).view(-1, 1, 1, 1).requires_grad_()
    values = unit(at)
    (slopes,) = torch.autograd.grad(values.sum(), at)
    return Example(
        x=tuple(x),
        value=tuple(values.flatten().tolist()),
        derivative=tuple(slopes.flatten().tolist()),
    )


def measure(
    net: Net, images: Images, normalisation: Normalisation, *, side: int = SIDE
) -> tuple[Jacobian, ...]:
    """Jacobians of every unit that carries its input unchanged, at the first image's maps.

    What stands after the sum, a ReLU perhaps, is left out: it could only be smaller with it.

    Args:
        net: A residual net; a copy of it is evaluated, in double precision.
        images: At least one.
        normalisation: The net's.
        side: Height and width of the maps' middle, in which they are changed; what that does is
            looked at everywhere.

    Returns:
        None for a plain net, or one that widens in every unit.
    """
    net = copy.deepcopy(net).eval().double()
    one = Images(images.pixels[:1], images.labels[:1])
    batches = evaluation_batches(
        one, batch_size=1, normalisation=normalisation, device=net.classifier.weight.device
    )
    ((x, _),) = batches
    found: list[Jacobian] = []
    with torch.no_grad():
        x = net.stem(x.double())
        for unit, row, gate in zip(net.units, net.plan, expected_gates(net.plan), strict=True):
            if row.shortcut == "identity":
                assert isinstance(unit, ResidualUnit)
                columns = _columns(unit, unit.shared(x), gate=gate, side=side)
                found.append(_described(row.index, columns, side=side))
            x = unit(x, gate)
    return tuple(found)


def _columns(
    unit: ResidualUnit, maps: Float[Tensor, "1 c h w"], *, gate: float, side: int
) -> Float[Tensor, "d c h w"]:
    """How all outputs change with each value in the maps' middle."""
    d = _middle(maps, side=side).numel()
    directions = maps.new_zeros(d, *maps.shape[1:])
    middle = _middle(directions, side=side)
    middle.copy_(torch.eye(d).view(middle.shape))

    def sum_of_both(maps: Tensor) -> Tensor:
        return maps + gate * unit.branch(maps)

    def along(part: Tensor) -> Tensor:
        # In evaluation the images of a batch are apart: each may have a direction of its own.
        _, change = torch.autograd.functional.jvp(sum_of_both, maps.expand_as(part), part)
        assert isinstance(change, Tensor)
        return change

    with torch.enable_grad():
        return torch.cat([along(part) for part in directions.split(CHUNK)])


def _described(index: int, columns: Float[Tensor, "d c h w"], *, side: int) -> Jacobian:
    values = torch.linalg.svdvals(columns.flatten(1))
    square = _middle(columns, side=side).flatten(1)
    return Jacobian(
        unit=index,
        smallest=values.min().item(),
        largest=values.max().item(),
        below_one=(values < 1).double().mean().item(),
        least=torch.linalg.eigvalsh((square + square.T) / 2).min().item(),
    )


def _middle(maps: Float[Tensor, "*n h w"], *, side: int) -> Float[Tensor, "*n a b"]:
    top, left = (max(0, size - side) // 2 for size in maps.shape[-2:])
    return maps[..., top : top + side, left : left + side]
