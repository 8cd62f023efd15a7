"""Variations: what the papers change in a net to see what it is for, as suffixes of its name.

A name may end in ``+VARIATION``, or several of them as long as each changes something else.  Each
variation is a function from spec to spec; its docstring says what the paper leaves open.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from residua.arch.spec import (
    BARE_PROJECTION,
    BN_AFTER_ADDITION,
    LAST_BN,
    NO_FIRST_RELU,
    ORIGINAL,
    PREACTIVATION,
    PYRAMID,
    RELU_BEFORE_ADDITION,
    RELU_ONLY_PREACTIVATION,
    WIDE_DROPOUT,
    Carry,
    DenseSpec,
    Dropped,
    Gate,
    Identity,
    ResidualSpec,
    Scale,
    Shortcut,
    Spec,
    Stem,
    Survival,
)
from residua.errors import UsageError

WHOLE = r"(?:0|[1-9]\d{0,5})"
NUMBER = rf"{WHOLE}(?:\.\d{{0,3}}[1-9])?"  # no trailing zeros: one name for one net
PYRAMID_UNITS = {"a": PREACTIVATION, "b": NO_FIRST_RELU, "c": LAST_BN, "d": PYRAMID}


@dataclass(frozen=True, slots=True)
class Variation:
    """One row of the table below.

    Attributes:
        shown: The suffix as people read it, with its values in capitals.
        of: How the names begin that it may follow.
        paper: Who tried it.
        regex: The suffix as we read it.
        change: Maps a spec, and the values in the suffix, to the varied spec.
    """

    shown: str
    of: tuple[str, ...]
    paper: str
    regex: str
    change: Callable[[Any, re.Match[str]], Spec]


def scaled(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Multiply the shortcut and the branch of every unit by constants.

    A shortcut of 0 leaves a plain net.  Source: he2016 §3.1, Table 1.
    """
    scale = Scale(carry=float(found["carry"]), branch=float(found["branch"]))
    return _carrying(spec, scale)


def gated(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Gate the shortcut of every unit, or both paths exclusively; the bias starts at -N.

    Source: he2016 §3.1, Table 1.
    """
    gate = Gate(exclusive=found["kind"] == "exclusive", bias=0.0 - float(found["bias"]))
    return _carrying(spec, gate)


def dropped(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Put dropout of 0.5 on the output of every shortcut.  Source: he2016 §3.1, Table 1."""
    return _carrying(spec, Dropped())


def bn_after_addition(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Move the last BN behind the addition: ``f`` is BN and ReLU.  Source: he2016 Fig. 4(b).

    The stem keeps its BN and ReLU, which are the ``f`` of its convolution; no head is needed, for
    the last unit ends in BN and ReLU.  The paper draws identity shortcuts only and says that the
    components stay the same; so projections keep their own BN.
    """
    return replace(_original(spec), joints=BN_AFTER_ADDITION)


def relu_before_addition(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Move the ReLU before the addition: ``f`` is the identity.  Source: he2016 Fig. 4(c).

    The stem keeps its BN and ReLU: its signal is non-negative, like all that the branches add to
    it.  The paper asks for an extra activation at the end of the pre-activated orders only, so
    there is no head; on identity shortcuts a ReLU there would change nothing.
    """
    return replace(_original(spec), joints=RELU_BEFORE_ADDITION)


def relu_only(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Move the ReLU, but not the BN, before the first convolution.  Source: he2016 Fig. 4(d).

    The appendix treats this order like full pre-activation.  The BN after every convolution stays,
    the stem's too; the ReLU "right after conv1 and before splitting" is then all of the first
    activation, and a ReLU after the last addition is the extra one: the head.  Projections read
    the activated input, as the appendix has it, and keep their BN.

    Raises:
        UsageError: Basic units for CIFAR that project: there is no such net in the paper.
    """
    stem = _original(spec).stem
    projects = spec.shortcut.match == "project"
    if projects and spec.kernels == (3, 3) and stem.kind == "cifar":
        raise UsageError("+relu-only takes basic units with option A, as the paper's have it")
    if stem.kind == "imagenet":
        stem = replace(stem, preactivates=True)
    else:
        stem = replace(stem, ops=("bn",))
    return replace(
        spec,
        joints=RELU_ONLY_PREACTIVATION,
        share="change" if projects else "first",
        stem=stem,
        head=("relu",),
    )


def one_layer(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Let every shortcut skip one convolution: twice as many units.  Source: he2016 §4.1."""
    if spec.kernels != (3, 3):
        raise UsageError("+one-layer takes units of two 3×3 convolutions apart")
    return replace(spec, kernels=(3,), depths=tuple(2 * depth for depth in spec.depths))


def shared_stages(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Share the pre-activation at every stage's start, as fb.resnet.torch does."""
    if spec.expansion > 1:
        raise UsageError("bottlenecks share their pre-activation at every stage's start already")
    return replace(spec, share="stage")


def torch_stride(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Stride in the 3×3 of a bottleneck, as fb.resnet.torch and all that follows it does."""
    if spec.kernels != (1, 3, 1):
        raise UsageError("+stride-3x3 is about bottlenecks: other units have no choice")
    return replace(spec, stride_at=1)


def cifar_stem(spec: Any, _: re.Match[str]) -> Spec:  # noqa: ANN401 - either kind of spec
    """Read images of 32 pixels: a 3×3 convolution in place of the 7×7 one and the pooling.

    No paper's: so much code for CIFAR has it under the names of ImageNet's nets, such as a
    ResNet-18 of 11.2 M parameters.  The stem of a dense net has no BN then, as on CIFAR.
    """
    stem = Stem(width=spec.stem.width, ops=() if spec.kind == "dense" else spec.stem.ops)
    return replace(spec, stem=stem, image_size=32, num_classes=10)


def constant_depth(spec: ResidualSpec, _: re.Match[str]) -> ResidualSpec:
    """Let every unit survive: the paper's own baseline.  Source: huang2016 Table 1."""
    return replace(spec, survival=None)


def survival(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Set the survival probability: of the last unit, or of all.  Source: huang2016 §3."""
    final = float(found["final"])
    if not 0 < final <= 1:
        raise UsageError(f"a survival probability is above 0 and at most 1, not {final:g}")
    rule = "linear" if found["rule"] == "linear" else "uniform"
    return replace(spec, survival=Survival(final=final, rule=rule))


def kernels(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Give every unit other convolutions, the paper's B(…), as many units as before.

    So N = (n - 4)/6 whatever the number of convolutions, which is what the paper's counts show;
    the depth in the name is then nominal.  The first convolution takes the stride, as in the
    authors' code of B(3,3); the paper does not say.  Source: zagoruyko2016 §2.1, Table 2.
    """
    return replace(spec, kernels=tuple(int(kernel) for kernel in found["kernels"]))


def deepening(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Put l 3×3 convolutions into a unit, and keep their number.  Source: zagoruyko2016 Table 3."""
    layers, stage = int(found["layers"]), 2 * spec.depths[0]
    if not layers or stage % layers:
        divisors = [str(n) for n in range(1, stage + 1) if stage % n == 0]
        raise UsageError(
            f"+layers-{layers} does not divide the {stage} convolutions of a stage; "
            f"possible: {', '.join(divisors)}"
        )
    return replace(spec, kernels=(3,) * layers, depths=(stage // layers,) * len(spec.depths))


def wide_dropout(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Put dropout before every convolution of a unit but the first.  Source: zagoruyko2016 §2.4."""
    if spec.dropout:
        raise UsageError("the net has dropout already")
    return replace(spec, joints=WIDE_DROPOUT, dropout=_rate(found))


def dense_dropout(spec: DenseSpec, found: re.Match[str]) -> DenseSpec:
    """Put dropout after every convolution but the stem's.  Source: huang2017 §4.2."""
    return replace(spec, dropout=_rate(found))


def feature_dropout(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Put dropout before the classifier, as the authors' code does on ImageNet for α = 450."""
    return replace(spec, feature_dropout=_rate(found))


def dense_bottleneck(spec: DenseSpec, _: re.Match[str]) -> DenseSpec:
    """Precede every 3×3 by a 1×1 to 4k channels: DenseNet-B, half as many layers of two.

    The stem stays 16 wide: only BC's is 2k (huang2017 §3).
    """
    _basic(spec)
    if any(depth % 2 for depth in spec.depths):
        raise UsageError("+bottleneck halves the layers of a block: the depth must be 6n + 4")
    return replace(spec, bottleneck=True, depths=tuple(depth // 2 for depth in spec.depths))


def dense_compression(spec: DenseSpec, _: re.Match[str]) -> DenseSpec:
    """Let transitions keep half of the channels: DenseNet-C.  Source: huang2017 §3."""
    _basic(spec)
    return replace(spec, compression=0.5)


def dense_stem(spec: DenseSpec, _: re.Match[str]) -> DenseSpec:
    """Make the stem 2k wide, as the authors' code does for every DenseNet."""
    return replace(spec, stem=replace(spec.stem, width=2 * spec.growth))


def pyramid_unit(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Build the paper's units (a), (b), (c); (d) is PyramidNet's own.  Source: han2017.

    a: pre-activation; b: without the first ReLU; c: with a BN at the end; d: both.  Stem and head
    are the adopted net's in all: nothing is known to differ.
    """
    return replace(spec, joints=PYRAMID_UNITS[found["unit"]])


def pyramid_projection(spec: ResidualSpec, found: re.Match[str]) -> ResidualSpec:
    """Project instead of appending zeros: in every widening unit, or only where the size halves.

    A projection has no BN, as in the other families that normalise first; whether the authors'
    had one is not known.  Source: han2017.
    """
    shortcut = Shortcut(match="project_halving") if found["halving"] else BARE_PROJECTION
    return replace(spec, shortcut=shortcut)


def varied(base: str, spec: Spec, suffixes: list[str]) -> Spec:
    """The spec of ``base`` with variations applied, one after another.

    Raises:
        UsageError: ``base`` has no such variation, it makes no sense there, it changes nothing, or
            two of them change the same part of the net.
    """
    changed: dict[str, str] = {}
    for suffix in suffixes:
        variation, found = _read(base, suffix)
        after: Spec = variation.change(spec, found)
        names = [field.name for field in dataclasses.fields(spec)]
        fields = [name for name in names if getattr(spec, name) != getattr(after, name)]
        if not fields:
            raise UsageError(f"{base} is that net already: leave +{suffix} out")
        for field in fields:
            if field in changed:
                raise UsageError(f"+{changed[field]} and +{suffix} both change the net's {field}")
            changed[field] = suffix
        spec = after
    return spec


def paper(base: str, suffix: str) -> str:
    """The paper that tried a variation of ``base``.

    Raises:
        UsageError: ``base`` has no such variation.
    """
    return _read(base, suffix)[0].paper


def _read(base: str, suffix: str) -> tuple[Variation, re.Match[str]]:
    possible = [variation for variation in VARIATIONS if base.startswith(variation.of)]
    for variation in possible:
        if found := re.fullmatch(variation.regex, suffix, flags=re.ASCII):
            return variation, found
    shown = ", ".join(f"+{variation.shown}" for variation in possible)
    raise UsageError(f"{base} has no variation +{suffix}; there are: {shown or 'none'}")


def _carrying(spec: ResidualSpec, carry: Carry) -> ResidualSpec:
    if not isinstance(spec.shortcut.carry, Identity):
        kind = spec.shortcut.carry.kind
        raise UsageError(f"the net has no identity shortcut to vary: every unit's is {kind}")
    return replace(spec, shortcut=replace(spec.shortcut, carry=carry))


def _original(spec: ResidualSpec) -> ResidualSpec:
    if spec.joints != ORIGINAL:
        raise UsageError("a net has one order of BN and ReLU: one variation may change it")
    return spec


def _basic(spec: DenseSpec) -> None:
    if spec.bottleneck or spec.compression < 1:
        raise UsageError("with bottleneck and compression together a net is cifar/densenet-bc-L-K")


def _rate(found: re.Match[str]) -> float:
    rate = float(found["rate"])
    if not 0 < rate < 1:
        raise UsageError(f"a dropout rate is above 0 and below 1, not {rate:g}")
    return rate


RESNETS = ("cifar/resnet-", "imagenet/resnet-")
STOCHASTIC = ("cifar/sd-resnet-",)
WIDE = ("cifar/wrn-",)
DENSE = ("cifar/densenet-",)
PYRAMIDS = ("cifar/pyramidnet-", "imagenet/pyramidnet-")


VARIATIONS: tuple[Variation, ...] = (
    Variation(
        "scale-SHORTCUT-BRANCH",
        RESNETS,
        "he2016",
        rf"scale-(?P<carry>{NUMBER})-(?P<branch>{NUMBER})",
        scaled,
    ),
    Variation(
        "gate-(exclusive|shortcut)-N",
        RESNETS,
        "he2016",
        rf"gate-(?P<kind>exclusive|shortcut)-(?P<bias>{NUMBER})",
        gated,
    ),
    Variation("dropped-0.5", RESNETS, "he2016", r"dropped-0\.5", dropped),
    Variation("bn-after-addition", RESNETS, "he2016", "bn-after-addition", bn_after_addition),
    Variation(
        "relu-before-addition", RESNETS, "he2016", "relu-before-addition", relu_before_addition
    ),
    Variation("relu-only", RESNETS, "he2016", "relu-only", relu_only),
    Variation(
        "stride-3x3",
        (*RESNETS, "cifar/preresnet-", "imagenet/preresnet-"),
        "he2015",
        "stride-3x3",
        torch_stride,
    ),
    Variation("cifar-stem", ("imagenet/resnet-",), "he2015", "cifar-stem", cifar_stem),
    Variation("cifar-stem", ("imagenet/densenet-",), "huang2017", "cifar-stem", cifar_stem),
    Variation("one-layer", ("cifar/resnet-", "cifar/preresnet-"), "he2016", "one-layer", one_layer),
    Variation("shared-stages", ("cifar/preresnet-",), "he2016", "shared-stages", shared_stages),
    Variation("constant", STOCHASTIC, "huang2016", "constant", constant_depth),
    Variation(
        "(linear|uniform)-P",
        STOCHASTIC,
        "huang2016",
        rf"(?P<rule>linear|uniform)-(?P<final>{NUMBER})",
        survival,
    ),
    Variation("bKERNELS", WIDE, "zagoruyko2016", r"b(?P<kernels>[13]{2,3})", kernels),
    Variation("layers-L", WIDE, "zagoruyko2016", rf"layers-(?P<layers>{WHOLE})", deepening),
    Variation("dropout-RATE", WIDE, "zagoruyko2016", rf"dropout-(?P<rate>{NUMBER})", wide_dropout),
    Variation("dropout-RATE", DENSE, "huang2017", rf"dropout-(?P<rate>{NUMBER})", dense_dropout),
    Variation("bottleneck", DENSE, "huang2017", "bottleneck", dense_bottleneck),
    Variation("compressed", DENSE, "huang2017", "compressed", dense_compression),
    Variation("stem-2k", DENSE, "huang2017", "stem-2k", dense_stem),
    Variation("unit-(a|b|c|d)", PYRAMIDS, "han2017", "unit-(?P<unit>[abcd])", pyramid_unit),
    Variation(
        "project[-halving]",
        PYRAMIDS,
        "han2017",
        "project(?P<halving>-halving)?",
        pyramid_projection,
    ),
    Variation(
        "dropout-RATE",
        ("imagenet/pyramidnet-",),
        "han2017",
        rf"dropout-(?P<rate>{NUMBER})",
        feature_dropout,
    ),
)
