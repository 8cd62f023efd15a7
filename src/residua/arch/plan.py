"""The plan: a spec expanded into one row per unit.  Counting, building and lesions all read it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

from residua.arch.spec import Absent, DenseSpec, Identity, Project, ResidualSpec, Shortcut, Spec
from residua.errors import UsageError

ShortcutKind = Literal[
    "identity", "pad", "project", "none", "scale", "gate", "dropped", "concat", "transition"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One row of a plan.

    Attributes:
        index: Position in the net, from 0.
        stage: The stage (one spatial size), from 1, as the papers count.
        c_in: Input channels.
        c_mid: Channels between the convolutions (of a single convolution: its output's).
        c_out: Output channels.
        stride: 2 where the unit halves the size.
        shortcut: How the input reaches the output; ``concat`` and ``transition`` in dense nets.
        shares_first: Both paths read the pre-activated input.
        survival: Probability that the branch is used in a training step.
    """

    index: int
    stage: int
    c_in: int
    c_mid: int
    c_out: int
    stride: int
    shortcut: ShortcutKind
    shares_first: bool = False
    survival: float = 1.0


@functools.lru_cache(maxsize=8)
def plan(spec: Spec) -> tuple[Unit, ...]:
    """Expand a spec into its rows, first unit first.

    Raises:
        UsageError: A unit narrows what only zero-padding could match.
    """
    rows = _residual(spec) if isinstance(spec, ResidualSpec) else _dense(spec)
    for row in rows:
        if row.shortcut == "pad" and row.c_out < row.c_in:
            raise UsageError(
                f"unit {row.index} narrows from {row.c_in} channels to {row.c_out}: zero-padding "
                f"only widens"
            )
    return rows


def _residual(spec: ResidualSpec) -> tuple[Unit, ...]:
    num_units = sum(spec.depths)
    units: list[Unit] = []
    c_in = spec.stem.width
    for stage, depth in enumerate(spec.depths):
        for place in range(depth):
            index = len(units)
            c_mid = spec.widths.width(
                index, stage=stage, num_units=num_units, start=spec.stem.width
            )
            c_out = c_mid * spec.expansion
            stride = 2 if stage > 0 and place == 0 else 1
            shares = {
                "never": False,
                "first": index == 0,
                "change": c_in != c_out,
                "stage": place == 0,
            }
            units.append(
                Unit(
                    index=index,
                    stage=stage + 1,
                    c_in=c_in,
                    c_mid=c_mid,
                    c_out=c_out,
                    stride=stride,
                    shortcut=_kind(spec.shortcut, grows=c_in != c_out, halves=stride > 1),
                    shares_first=shares[spec.share],
                    survival=spec.survival.of(index, num_units=num_units) if spec.survival else 1.0,
                )
            )
            c_in = c_out
    return tuple(units)


def matching(
    shortcut: Shortcut, *, grows: bool, halves: bool
) -> Literal["identity", "pad", "project"]:
    """How the carried path takes the shape of a branch that adds channels or halves the size."""
    if isinstance(shortcut.carry, Project):
        return "project"
    if not (grows or halves):
        return "identity"
    if shortcut.match == "project_halving":
        return "project" if halves else "pad"
    return shortcut.match


def _kind(shortcut: Shortcut, *, grows: bool, halves: bool) -> ShortcutKind:
    if isinstance(shortcut.carry, Absent):
        return "none"
    if isinstance(shortcut.carry, Identity | Project):
        return matching(shortcut, grows=grows, halves=halves)
    return shortcut.carry.kind


def _dense(spec: DenseSpec) -> tuple[Unit, ...]:
    units: list[Unit] = []
    channels = spec.stem.width
    for stage, depth in enumerate(spec.depths, start=1):
        for _ in range(depth):
            units.append(
                Unit(
                    index=len(units),
                    stage=stage,
                    c_in=channels,
                    c_mid=4 * spec.growth if spec.bottleneck else spec.growth,
                    c_out=channels + spec.growth,
                    stride=1,
                    shortcut="concat",
                )
            )
            channels += spec.growth
        if stage < len(spec.depths):
            kept = math.floor(spec.compression * channels)
            units.append(
                Unit(
                    index=len(units),
                    stage=stage,
                    c_in=channels,
                    c_mid=kept,
                    c_out=kept,
                    stride=2,
                    shortcut="transition",
                )
            )
            channels = kept
    return tuple(units)
