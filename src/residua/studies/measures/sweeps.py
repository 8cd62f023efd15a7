"""Lesions in series: each unit, several at random, exchanges.  Source: veit2016 §4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.nets.build import Net
from residua.studies.measures import lesions

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """Each unit left out in turn; errors in percent.

    Attributes:
        whole: Error of the net as it is.
        errors: Error without each unit, in the plan's order; None where the net cannot do without.
        halving: The units that halve the size.
    """

    whole: float
    errors: tuple[float | None, ...]
    halving: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """More and more of one lesion, several draws of each dose; errors in percent.

    Attributes:
        whole: Error of the net as it is.
        doses: How many units are left out, or how many exchanges are made.
        errors: For each dose, an error a draw.
        taus: For each dose, Kendall's correlation of each draw's order with the plan's; None where
            units are left out.
    """

    whole: float
    doses: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    taus: tuple[tuple[float, ...], ...] | None = None


def each(
    net: Net, images: Images, normalisation: Normalisation, *, precision: Precision = "fp32"
) -> Deletions:
    """Leave out each unit in turn.  Source: veit2016 §4; the figure of lesions in han2017.

    Arguments are those of :func:`residua.studies.measures.lesions.errors`.
    """
    dispensable = removable(net)
    variants = [lesions.whole(net), *(lesions.without(net, {unit}) for unit in dispensable)]
    whole, *found = lesions.errors(net, images, normalisation, variants, precision=precision)
    errors = dict(zip(dispensable, found, strict=True))
    return Deletions(
        whole=whole,
        errors=tuple(errors.get(row.index) for row in net.plan),
        halving=tuple(row.index for row in net.plan if row.stride > 1),
    )


def removable(net: Net) -> tuple[int, ...]:
    """The units that a net can do without: all that have a shortcut, or else keep the shape."""
    kept = lesions.indispensable(net)
    return tuple(row.index for row in net.plan if row.index not in kept)


def several(  # noqa: PLR0913 - all but three have a default
    net: Net,
    images: Images,
    normalisation: Normalisation,
    *,
    doses: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
    precision: Precision = "fp32",
) -> Dose:
    """Leave out more and more units at random.  Source: veit2016 §4.

    Args:
        net: As in :func:`residua.studies.measures.lesions.errors`, as images, normalisation and
            precision are.
        images: What to classify.
        normalisation: The net's.
        doses: How many units to leave out; by default any number, from one to all.
        draws: Choices of units for each number.
        seed: Of the draws.
        precision: What convolutions compute in.
    """
    units = torch.tensor(removable(net))
    doses = tuple(doses or range(1, len(units) + 1))
    generator = torch.Generator().manual_seed(seed)
    variants = [
        lesions.whole(net),
        *(
            lesions.without(
                net, units[torch.randperm(len(units), generator=generator)[:dose]].tolist()
            )
            for dose in doses
            for _ in range(draws)
        ),
    ]
    whole, *found = lesions.errors(net, images, normalisation, variants, precision=precision)
    return Dose(whole=whole, doses=doses, errors=_by_dose(found, draws))


def exchanges(  # noqa: PLR0913 - all but three have a default
    net: Net,
    images: Images,
    normalisation: Normalisation,
    *,
    doses: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
    precision: Precision = "fp32",
) -> Dose:
    """Exchange more and more pairs of units at random.  Source: veit2016 §4.

    Arguments are those of :func:`several`; doses, how many exchanges to make, are by default any
    number up to that of the units.

    Raises:
        UsageError: No two units have one shape, as in a net that widens in every unit.
    """
    doses = tuple(doses or range(1, len(net.plan) + 1))
    generator = torch.Generator().manual_seed(seed)
    orders = [
        lesions.swapped(net, swaps=dose, generator=generator)
        for dose in doses
        for _ in range(draws)
    ]
    variants = [lesions.whole(net), *(lesions.reordered(net, order) for order in orders)]
    whole, *found = lesions.errors(net, images, normalisation, variants, precision=precision)
    return Dose(
        whole=whole,
        doses=doses,
        errors=_by_dose(found, draws),
        taus=_by_dose([lesions.kendall_tau(order) for order in orders], draws),
    )


def _by_dose(values: list[float], draws: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(values[at : at + draws]) for at in range(0, len(values), draws))
