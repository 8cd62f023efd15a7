"""Weights of a bottleneck against two 3×3 convolutions, input width by input width, exactly.

A post says that a bottleneck has "about 22 % fewer parameters".  With an inner width w and inputs
of c channels it has ``c·w + 13·w²`` weights against the basic unit's ``18·w²``: 2/9 fewer at c = w
if the shortcut has none; but where it projects to 4w it adds ``4·c·w``, and then nothing is saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from residua.arch import layers
from residua.arch.plan import plan
from residua.arch.spec import OPTION_A, OPTION_B, Doubling, ResidualSpec, Shortcut, Stem

WIDTH = 64  # of he2015 Fig. 5 and of the first stage of its ImageNet nets
CLAIMED_PCT = -22.2  # the post's; it prints "about 22 %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A bottleneck and a basic unit of one inner width, in weights of convolutions.

    Attributes:
        c_in: Input channels of the bottleneck.
        basic: Weights of two 3×3 convolutions at the inner width.
        branch: Weights of the bottleneck's 1×1, 3×3 and 1×1 convolutions.
        projection: Weights of the 1×1 convolution on its shortcut, where the channels change.
    """

    c_in: int
    basic: int
    branch: int
    projection: int

    @property
    def branch_pct(self) -> float:
        """Change from the basic unit's weights to the branch's, in percent of the former."""
        return 100 * (self.branch - self.basic) / self.basic

    @property
    def unit_pct(self) -> float:
        """The same with the projection counted, as option B needs one."""
        return 100 * (self.branch + self.projection - self.basic) / self.basic


def compare(c_in: int, *, width: int = WIDTH) -> Comparison:
    """Count a bottleneck that reads ``c_in`` channels and a basic unit of the same inner width."""
    basic, _ = _weights(width, width=width, kernels=(3, 3), expansion=1, shortcut=OPTION_A)
    branch, projection = _weights(
        c_in, width=width, kernels=(1, 3, 1), expansion=4, shortcut=OPTION_B
    )
    return Comparison(c_in=c_in, basic=basic, branch=branch, projection=projection)


def comparisons(*, width: int = WIDTH) -> tuple[Comparison, ...]:
    """One for each input width up to the bottleneck's own output, four times the inner width."""
    return tuple(compare(c_in, width=width) for c_in in range(1, 4 * width + 1))


def holds(compared: tuple[Comparison, ...], *, projected: bool) -> tuple[int, ...]:
    """The input widths for which the claim is true when rounded to a whole percent."""
    return tuple(
        each.c_in
        for each in compared
        if round(each.unit_pct if projected else each.branch_pct) == round(CLAIMED_PCT)
    )


def _weights(
    c_in: int, *, width: int, kernels: tuple[int, ...], expansion: int, shortcut: Shortcut
) -> tuple[int, int]:
    """Weights of the convolutions in the branch and on the shortcut of a net's first unit."""
    spec = ResidualSpec(
        depths=(1,),
        kernels=kernels,
        expansion=expansion,
        shortcut=shortcut,
        stem=Stem(width=c_in),
        widths=Doubling(base=width),
    )
    parts = layers.unit(spec, plan(spec)[0])
    branch, carry = (
        sum(layer.params for layer in path if layer.kind == "conv")
        for path in (parts.branch, parts.carry)
    )
    return branch, carry
