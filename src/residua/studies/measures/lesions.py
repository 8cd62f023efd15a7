"""Nets with units left out or exchanged at test time, without retraining.  Source: veit2016 §4."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.errors import UsageError
from residua.nets.build import Net, expected_gates
from residua.nets.fold import fold

BATCH_SIZE = 250

# A unit and the factor of its branch; a net as it is executes its whole plan.
Step = tuple[int, float]
Variant = tuple[Step, ...]


def whole(net: Net) -> Variant:
    """The net as it is."""
    return tuple(enumerate(expected_gates(net.plan)))


def without(net: Net, deleted: Iterable[int]) -> Variant:
    """The net without the branches of some units: their shortcuts stay, as in veit2016 §4.1.

    A plain unit has no shortcut, so it is left out as a whole.

    Raises:
        UsageError: What is left does not fit together.
    """
    gone = set(deleted)
    for index in gone:
        if net.plan[index].shortcut == "transition":
            raise UsageError(
                f"unit {index} is a transition: all that its net knows goes through it"
            )
    plain = {index for index in gone if net.plan[index].shortcut == "none"}
    kept = [step for step in whole(net) if step[0] not in plain]
    return _checked(net, [(index, 0.0 if index in gone else gate) for index, gate in kept])


def indispensable(net: Net) -> dict[int, str]:
    """The units that a net cannot do without, not even one alone, each with the reason."""
    reasons: dict[int, str] = {}
    for row in net.plan:
        try:
            without(net, {row.index})
        except UsageError as error:
            reasons[row.index] = str(error)
    return reasons


def reordered(net: Net, order: Sequence[int]) -> Variant:
    """The net with its units executed in another order.

    Raises:
        UsageError: A unit would get maps of another shape than it reads.
    """
    gates = expected_gates(net.plan)
    return _checked(net, [(index, gates[index]) for index in order])


def exchangeable(net: Net) -> list[tuple[int, ...]]:
    """The units that may stand in each other's place: groups of two or more."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in net.plan:
        if row.c_in == row.c_out and row.stride == 1:
            groups[row.stage, row.c_in].append(row.index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def swapped(net: Net, *, swaps: int, generator: torch.Generator) -> list[int]:
    """An order after some exchanges of two units drawn at random, of one shape each.

    Raises:
        UsageError: No two units have one shape.
    """
    groups = exchangeable(net)
    if not groups:
        raise UsageError("no two units of this net read and write maps of one shape")
    order = list(range(len(net.plan)))
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    for draw in torch.randint(len(pairs), (swaps,), generator=generator).tolist():
        # Places, not units: what stands there now is of one shape too.
        one, other = pairs[draw]
        order[one], order[other] = order[other], order[one]
    return order


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation of an order with the plan's: 1 as planned, -1 reversed."""
    pairs = list(combinations(order, 2))
    return sum(1 if one < other else -1 for one, other in pairs) / len(pairs)


def errors(
    net: Net,
    images: Images,
    normalisation: Normalisation,
    variants: Sequence[Variant],
    *,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> list[float]:
    """Percent of images that each variant of a net gets wrong.

    What variants begin with alike is computed once, so leaving out each of n units in turn takes
    the time of n / 2 nets.

    Args:
        net: It is left as it is; a copy, see :func:`residua.nets.fold.fold`, is executed.
        images: What to classify.
        normalisation: The net's.
        variants: From the other functions of this module.
        precision: What convolutions compute in.

    Returns:
        An error for each variant, in their order.
    """
    dtype = torch.bfloat16 if precision == "bf16" else net.classifier.weight.dtype
    folded = fold(net, dtype=dtype)
    wrong = [0] * len(variants)
    remaining = list(enumerate(variants))
    with torch.inference_mode():
        for x, labels in evaluation_batches(
            images,
            batch_size=BATCH_SIZE,
            normalisation=normalisation,
            device=net.classifier.weight.device,
        ):
            _count(folded, folded.stem(x), labels, remaining, wrong)
    return [100 * each / len(images) for each in wrong]


def _count(
    net: Net,
    x: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    remaining: list[tuple[int, Variant]],
    wrong: list[int],
) -> None:
    """Add each variant's mistakes; all begin with maps x and have the steps that remain."""
    following: dict[Step, list[tuple[int, Variant]]] = defaultdict(list)
    for variant, steps in remaining:
        if steps:
            following[steps[0]].append((variant, steps[1:]))
        else:
            wrong[variant] += int((net.classify(x).argmax(1) != labels).sum())
    for place, ((index, gate), rest) in enumerate(following.items(), start=1):
        # A folded unit may overwrite what it reads.
        maps = x if place == len(following) else x.clone()
        _count(net, net.units[index](maps, gate), labels, rest, wrong)


def _checked(net: Net, steps: list[Step]) -> Variant:
    indices = [index for index, _ in steps]
    ends = [("the stem", net.plan[0].c_in, 1), *(_written(net, index) for index in indices)]
    for before, index in zip(ends, indices, strict=False):
        row = net.plan[index]
        # Units of one stage have maps of one size; the first of a stage halves it.
        stages = {row.stage, row.stage - 1} if _begins(net, index) else {row.stage}
        _fits(before, f"unit {index}", row.c_in, stages)
    last = net.plan[-1]
    _fits(ends[-1], "the head", last.c_out, {last.stage})
    return tuple(steps)


def _written(net: Net, index: int) -> tuple[str, int, int]:
    return f"unit {index}", net.plan[index].c_out, net.plan[index].stage


def _fits(before: tuple[str, int, int], reader: str, c_in: int, stages: set[int]) -> None:
    writer, c_out, stage = before
    if c_out != c_in or stage not in stages:
        raise UsageError(
            f"{reader} reads {c_in} channels of stage {max(stages)}, but {writer} before it "
            f"writes {c_out} in stage {stage}"
        )


def _begins(net: Net, index: int) -> bool:
    return index == 0 or net.plan[index].stage != net.plan[index - 1].stage
