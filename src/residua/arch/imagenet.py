"""The families on ImageNet: a depth of the papers' tables in, a spec for 224 pixels out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from residua.arch.families import SHORTCUTS, at_least
from residua.arch.spec import (
    AVERAGE_PAD,
    BARE_PROJECTION,
    BN_RELU,
    NO_SHORTCUT,
    OPTION_B,
    PREACTIVATION,
    PYRAMID,
    Additive,
    DenseSpec,
    Doubling,
    ResidualSpec,
    Stem,
    Survival,
)
from residua.errors import UsageError

UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}  # he2015 Table 1; 200 he2016 Table 5
BASIC = (18, 34)
BOTTLENECK = (50, 101, 152, 200)
DENSE = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}  # huang2017 Table 1; 161 of an earlier version and the authors' repository
STEM = Stem(kind="imagenet", width=64)
PIXELS = 224
CLASSES = 1000


def resnet(depth: int, *, shortcut: Literal["a", "b", "c"] = "b") -> ResidualSpec:
    """ResNet for ImageNet: 18 and 34 layers of basic units, 50 to 200 of bottlenecks.

    Args:
        depth: Weighted layers on the longest path.
        shortcut: a: zero-padding; b: projection where the shape changes; c: everywhere.

    The first 1×1 convolution of a bottleneck takes the stride: only so do the multiply-adds come
    to the paper's FLOPs (much code of others strides in the 3×3).

    Raises:
        UsageError: No net of the paper has this depth.

    Source: he2015 Table 1, §3.3.
    """
    _legal(depth, family="resnet", depths=(*BASIC, *BOTTLENECK))
    return ResidualSpec(
        depths=UNITS[depth],
        widths=Doubling(base=64),
        kernels=(3, 3) if depth in BASIC else (1, 3, 1),
        expansion=1 if depth in BASIC else 4,
        shortcut=SHORTCUTS[shortcut],
        stem=STEM,
        image_size=PIXELS,
        num_classes=CLASSES,
    )


def plain(depth: int) -> ResidualSpec:
    """ResNet's twin without shortcuts: 18 or 34 layers.

    Raises:
        UsageError: No net of the paper has this depth.

    Source: he2015 Table 2, Fig. 3.
    """
    _legal(depth, family="plain", depths=BASIC)
    return replace(resnet(depth), shortcut=NO_SHORTCUT)


def preact(depth: int) -> ResidualSpec:
    """Pre-activation ResNet of bottlenecks: 50 to 200 layers.

    The first activation stands right after the first convolution (he2016 appendix), thus before
    max pooling, and the first unit has none of its own, as in fb.resnet.torch, to which the
    paper's Table 5 points.  The projections read the pre-activated input.  Which convolution takes
    the stride is unstated for ImageNet: ours is the first 1×1, as in the authors' CIFAR code and
    in he2015; fb.resnet.torch strides in the 3×3.

    Raises:
        UsageError: No net of the papers has this depth.

    Source: he2016 Table 5, appendix.
    """
    _legal(depth, family="preresnet", depths=BOTTLENECK)
    return replace(
        resnet(depth),
        joints=PREACTIVATION,
        shortcut=BARE_PROJECTION,
        share="change",
        stem=replace(STEM, preactivates=True),
        head=BN_RELU,
        init="fan_out",
    )


def stochastic(depth: int) -> ResidualSpec:
    """ResNet with stochastic depth, the linear rule to 0.5.

    Raises:
        UsageError: No net of the papers has this depth.

    Source: huang2016 Table 1 (152 layers).
    """
    _legal(depth, family="sd-resnet", depths=BOTTLENECK)
    return replace(resnet(depth), survival=Survival())


def wide(depth: int, widen: float) -> ResidualSpec:
    """Wide ResNet: every width of 18 and 34 layers times K, the inner ones of 50 layers times 2.

    These are units in the original order, not pre-activated (the authors' pretrained/ code); their
    bottlenecks stride in the 3×3 and, for K = 2, end as wide as ResNet-50's.

    Args:
        depth: Weighted layers on the longest path.
        widen: The paper's K; 64·K must be whole.

    Raises:
        UsageError: No net of the paper has this depth, or K makes no whole width.

    Source: zagoruyko2016 Tables 7-8.
    """
    _legal(depth, family="wrn", depths=(*BASIC, 50))
    at_least(1, widen=widen)
    if not float(64 * widen).is_integer():
        raise UsageError(f"wrn-{depth} has no width of 64 · {widen:g}: it must be whole")
    spec = replace(resnet(depth), widths=Doubling(base=int(64 * widen)), shortcut=OPTION_B)
    if depth in BASIC:
        return spec
    if widen != 2:
        raise UsageError(f"wrn-50 has no widening by {widen:g}: its bottlenecks are widened by 2")
    return replace(spec, expansion=2, stride_at=1)


def densenet(depth: int) -> DenseSpec:
    """DenseNet-BC for ImageNet: growth 32, or 48 for 161 layers.

    Raises:
        UsageError: No net of the paper has this depth.

    Source: huang2017 Table 1, §3.
    """
    _legal(depth, family="densenet", depths=tuple(DENSE))
    growth = 48 if depth == 161 else 32
    return DenseSpec(
        depths=DENSE[depth],
        growth=growth,
        bottleneck=True,
        compression=0.5,
        stem=replace(STEM, width=2 * growth),
        image_size=PIXELS,
        num_classes=CLASSES,
    )


def pyramid(depth: int, alpha: float) -> ResidualSpec:
    """Additive PyramidNet of bottlenecks: 50 to 200 layers, 64 channels grow to 64 + α.

    Here the stem has its ReLU, unlike on CIFAR (the authors' code).

    Args:
        depth: Weighted layers on the longest path.
        alpha: Total widening.

    Raises:
        UsageError: No net of the papers has this depth, or α would narrow the net.

    Source: han2017; the authors' code.
    """
    _legal(depth, family="pyramidnet", depths=BOTTLENECK)
    at_least(0, alpha=alpha)
    return replace(
        resnet(depth),
        widths=Additive(alpha=alpha),
        joints=PYRAMID,
        shortcut=AVERAGE_PAD,
        stride_at=1,
        head=BN_RELU,
        init="fan_out",
    )


def _legal(depth: int, *, family: str, depths: tuple[int, ...]) -> None:
    if depth not in depths:
        nearest = min(depths, key=lambda legal: abs(legal - depth))
        raise UsageError(
            f"{family} has no depth {depth} on ImageNet: the depths are "
            f"{', '.join(map(str, depths))}; nearest: {nearest}"
        )
