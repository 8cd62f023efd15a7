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

SIDE = 4  # pixels of the maps that a Jacobian is taken at: all of them would be 16,384² numbers


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
    """The Jacobian of one unit of a net at one image's maps.

    Attributes:
        unit: Its index in the plan.
        smallest: Its smallest singular value: the claim is that it is at least 1.
        largest: Its largest.
        below_one: Share of the singular values that are below 1.
        least: The least derivative of H along a direction, of what changes in that direction; below
            0, H falls there while its input rises.
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
        side: Height and width of the middle piece that the maps are cut to.

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
                matrix = _jacobian(unit, _middle(unit.shared(x), side=side), gate=gate)
                found.append(_described(row.index, matrix))
            x = unit(x, gate)
    return tuple(found)


def _jacobian(
    unit: ResidualUnit, shared: Float[Tensor, "1 c h w"], *, gate: float
) -> Float[Tensor, "d d"]:
    def sum_of_both(maps: Tensor) -> Tensor:
        return maps + gate * unit.branch(maps)

    with torch.enable_grad():
        found = torch.autograd.functional.jacobian(sum_of_both, shared, vectorize=True)
    assert isinstance(found, Tensor)
    return found.reshape(shared.numel(), shared.numel())


def _described(index: int, matrix: Float[Tensor, "d d"]) -> Jacobian:
    values = torch.linalg.svdvals(matrix)
    return Jacobian(
        unit=index,
        smallest=values.min().item(),
        largest=values.max().item(),
        below_one=(values < 1).double().mean().item(),
        least=torch.linalg.eigvalsh((matrix + matrix.T) / 2).min().item(),
    )


def _middle(maps: Float[Tensor, "1 c h w"], *, side: int) -> Float[Tensor, "1 c a b"]:
    top, left = ((size - side) // 2 for size in maps.shape[2:])
    return maps[:, :, top : top + side, left : left + side]
