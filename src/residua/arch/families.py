"""The CIFAR families as functions: a paper's depth rule in, a spec out."""

from __future__ import annotations

import math
from typing import Literal

from residua.arch.spec import (
    AVERAGE_PAD,
    BARE_PROJECTION,
    BN_RELU,
    NO_SHORTCUT,
    OPTION_A,
    OPTION_B,
    OPTION_C,
    PREACTIVATION,
    PYRAMID,
    WIDE_DROPOUT,
    Additive,
    DenseSpec,
    Doubling,
    Multiplicative,
    ResidualSpec,
    Stem,
    Survival,
)
from residua.errors import UsageError

STAGES = 3
DEEPEST = 10_000  # no paper goes past 1202; a slip of a digit should not become a plan of its size
SHORTCUTS = {"a": OPTION_A, "b": OPTION_B, "c": OPTION_C}


def resnet(
    depth: int, *, shortcut: Literal["a", "b", "c"] | None = None, bottleneck: bool = False
) -> ResidualSpec:
    """ResNet for CIFAR: ``depth = 6n + 2``, or ``9n + 2`` with bottleneck units.

    Args:
        depth: Weighted layers on the longest path.
        shortcut: a: zero-padding (the paper's choice on CIFAR); b: projection where the shape
            changes (the choice for bottlenecks, whose first unit must widen); c: everywhere.
        bottleneck: 1×1, 3×3, 1×1 convolutions with a fourfold output, built as he2015 has them
            (he2016 appendix): the first 1×1 takes the stride.

    Raises:
        UsageError: The depth breaks the rule.

    Source: he2015 §4.2; bottlenecks he2016 §4.1, appendix.
    """
    return ResidualSpec(
        depths=_depths(depth, family="resnet", per=9 if bottleneck else 6, plus=2),
        shortcut=SHORTCUTS[shortcut or ("b" if bottleneck else "a")],
        kernels=(1, 3, 1) if bottleneck else (3, 3),
        expansion=4 if bottleneck else 1,
    )


def plain(depth: int) -> ResidualSpec:
    """ResNet's twin without shortcuts: ``depth = 6n + 2``.

    Raises:
        UsageError: The depth breaks the rule.

    Source: he2015 §4.2.
    """
    return ResidualSpec(depths=_depths(depth, family="plain", per=6, plus=2), shortcut=NO_SHORTCUT)


def preact(depth: int, *, bottleneck: bool = False) -> ResidualSpec:
    """Pre-activation ResNet: ``depth = 6n + 2``, or ``9n + 2`` with bottleneck units.

    The first activation stands right after the stem's convolution, before the two paths split
    (here: shared by the first unit), and an extra one follows the last addition (he2016 appendix).
    Basic units carry by option A; bottlenecks project from the shared pre-activation wherever the
    channels change (he2016 appendix), without BN and with the stride in the first convolution (the
    authors' code).

    Raises:
        UsageError: The depth breaks the rule.

    Source: he2016 §4.
    """
    return ResidualSpec(
        depths=_depths(depth, family="preresnet", per=9 if bottleneck else 6, plus=2),
        kernels=(1, 3, 1) if bottleneck else (3, 3),
        expansion=4 if bottleneck else 1,
        joints=PREACTIVATION,
        shortcut=BARE_PROJECTION if bottleneck else OPTION_A,
        share="change" if bottleneck else "first",
        stem=Stem(ops=()),
        head=BN_RELU,
        init="fan_out",
    )


def stochastic(depth: int) -> ResidualSpec:
    """ResNet with stochastic depth: ``depth = 6n + 2``, the linear rule to 0.5.

    Raises:
        UsageError: The depth breaks the rule.

    Source: huang2016 §3; average pooling on the shortcut as in the authors' code.
    """
    return ResidualSpec(
        depths=_depths(depth, family="sd-resnet", per=6, plus=2),
        shortcut=AVERAGE_PAD,
        survival=Survival(),
        init="fan_out",
    )


def wide(depth: int, widen: int, *, dropout: float = 0.0) -> ResidualSpec:
    """Wide ResNet: ``depth = 6n + 4`` (three projections are counted, the classifier is not).

    Args:
        depth: The paper's n.
        widen: The paper's k: stages are 16k, 32k and 64k wide.
        dropout: Rate between the convolutions.

    Raises:
        UsageError: The depth breaks the rule, or ``widen`` is below 1.

    Source: zagoruyko2016 §2-3.
    """
    at_least(1, widen=widen)
    return ResidualSpec(
        depths=_depths(depth, family="wrn", per=6, plus=4),
        widths=Doubling(base=16 * widen),
        joints=WIDE_DROPOUT if dropout else PREACTIVATION,
        shortcut=BARE_PROJECTION,
        share="change",
        dropout=dropout,
        stem=Stem(ops=()),
        head=BN_RELU,
    )


def densenet(depth: int, growth: int, *, bc: bool = False) -> DenseSpec:
    """DenseNet for CIFAR: ``depth = 3n + 4``, or ``6n + 4`` with bottlenecks and compression.

    Args:
        depth: Weighted layers, transitions included.
        growth: The paper's k.
        bc: DenseNet-BC: 1×1 convolutions to 4k channels, transitions that keep half, stem of 2k.

    Raises:
        UsageError: The depth breaks the rule, or ``growth`` is below 1.

    Source: huang2017 §3; stem of 16 channels without BC (§4.2; the authors' code has 2k always,
    which fits none of the printed counts).
    """
    at_least(1, growth=growth)
    family = "densenet-bc" if bc else "densenet"
    return DenseSpec(
        depths=_depths(depth, family=family, per=6 if bc else 3, plus=4),
        growth=growth,
        bottleneck=bc,
        compression=0.5 if bc else 1.0,
        stem=Stem(width=2 * growth if bc else 16, ops=()),
    )


def pyramid(
    depth: int, alpha: float, *, multiplicative: bool = False, bottleneck: bool = False
) -> ResidualSpec:
    """PyramidNet for CIFAR: ``depth = 6n + 2``, or ``9n + 2`` with bottleneck units.

    Args:
        depth: Weighted layers on the longest path.
        alpha: Total widening: 16 grows to 16 + α, or to 16·α when multiplicative.
        multiplicative: Widen by a constant factor instead of a constant step.
        bottleneck: 1×1, 3×3 (which takes the stride), 1×1 convolutions with a fourfold output.

    Raises:
        UsageError: The depth breaks the rule, or α would narrow the net.

    Source: han2017; the stem's BN without ReLU as in the authors' code.
    """
    at_least(1 if multiplicative else 0, alpha=alpha)
    return ResidualSpec(
        depths=_depths(depth, family="pyramidnet", per=9 if bottleneck else 6, plus=2),
        widths=Multiplicative(alpha=alpha) if multiplicative else Additive(alpha=alpha),
        kernels=(1, 3, 1) if bottleneck else (3, 3),
        expansion=4 if bottleneck else 1,
        joints=PYRAMID,
        shortcut=AVERAGE_PAD,
        stride_at=1 if bottleneck else 0,
        stem=Stem(ops=("bn",)),
        head=BN_RELU,
        init="fan_out",
    )


def pyramid_of_the_post() -> ResidualSpec:
    """The net that a post's PyramidNet code builds under the name of 110 layers.

    Its loop makes 17 units a stage instead of 18 while the step stays α/54: 104 layers, last
    width 61.
    """
    return ResidualSpec(
        depths=(17,) * STAGES,
        widths=Additive(alpha=48, steps=54),
        joints=PYRAMID,
        shortcut=AVERAGE_PAD,
        stem=Stem(ops=("bn",)),
        head=BN_RELU,
        init="fan_out",
    )


def _depths(depth: int, *, family: str, per: int, plus: int) -> tuple[int, ...]:
    """Units per stage for a depth of ``per · n + plus``, or the rule in an error."""
    num, rest = divmod(depth - plus, per)
    most = (DEEPEST - plus) // per
    if not rest and 1 <= num <= most:
        return (num,) * STAGES
    nearest = sorted({min(max(near, 1), most) for near in (num, num + 1)})
    raise UsageError(
        f"{family} has no depth {depth}: the rule is depth = {per}n + {plus} with n ≥ 1, at most "
        f"{DEEPEST}; nearest: {' and '.join(str(per * near + plus) for near in nearest)}"
    )


def at_least(least: int, **values: float) -> None:
    """Refuse values below ``least`` and what is no finite number.

    Raises:
        UsageError: A value is out of range; it is named.
    """
    for name, value in values.items():
        if not least <= value < math.inf:
            raise UsageError(f"{name} must be at least {least}, not {value:g}")
