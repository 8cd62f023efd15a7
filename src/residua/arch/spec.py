"""What a net is: frozen tables that expand into a plan.

Every residual unit of the papers is
``y = after(carry(x) + last(conv_k(… between(conv_1(first(x))))))``.  Between the convolutions there
are four places (joints) where batch normalisation, ReLU or dropout may stand; the kernels say which
convolutions; the shortcut says how the carried signal travels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Literal

from residua.errors import UsageError

Op = Literal["bn", "relu", "drop"]
BN_RELU: tuple[Op, ...] = ("bn", "relu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints:
    """Where normalisation, ReLU and dropout stand in a unit.  Source: he2016 Fig. 4.

    Attributes:
        first: Before the first convolution (pre-activation).
        between: Between any two convolutions.
        last: After the last convolution, before the addition.
        after: After the addition.
    """

    first: tuple[Op, ...] = ()
    between: tuple[Op, ...] = BN_RELU
    last: tuple[Op, ...] = ()
    after: tuple[Op, ...] = ()


ORIGINAL = Joints(last=("bn",), after=("relu",))  # he2015 Fig. 2; he2016 Fig. 4(a)
BN_AFTER_ADDITION = Joints(after=BN_RELU)  # he2016 Fig. 4(b)
RELU_BEFORE_ADDITION = Joints(last=BN_RELU)  # he2016 Fig. 4(c)
RELU_ONLY_PREACTIVATION = Joints(first=("relu",), last=("bn",))  # he2016 Fig. 4(d)
PREACTIVATION = Joints(first=BN_RELU)  # he2016 Fig. 4(e); han2017's unit (a)
WIDE_DROPOUT = Joints(first=BN_RELU, between=("bn", "relu", "drop"))  # zagoruyko2016 Fig. 1(d)
NO_FIRST_RELU = Joints(first=("bn",))  # han2017's unit (b)
LAST_BN = Joints(first=BN_RELU, last=("bn",))  # han2017's unit (c)
PYRAMID = Joints(first=("bn",), last=("bn",))  # han2017's unit (d), the one adopted


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """Width ``base · 2^stage``: constant within a stage.  Source: he2015 §4.2."""

    base: int = 16
    kind: Literal["doubling"] = "doubling"

    def width(self, index: int, *, stage: int, num_units: int, start: int) -> int:  # noqa: ARG002 - one signature for all rules
        """Width of unit ``index`` (from 0) in ``stage`` (from 0)."""
        return self.base * 2**stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """Width ``start + α·(index + 1)/N``, rounded half up: every unit widens by α/N.

    The real value is accumulated and rounded only for use, as the authors' code does; the printed
    recursion with a floor inside, taken on integers, never widens at all.  Source: han2017.

    Attributes:
        alpha: Total widening over ``steps`` units.
        steps: N, when it is not the number of units of the net.
    """

    alpha: float
    steps: int | None = None
    kind: Literal["additive"] = "additive"

    def width(self, index: int, *, stage: int, num_units: int, start: int) -> int:  # noqa: ARG002 - one signature for all rules
        """Width of unit ``index`` (from 0) of ``num_units`` after a stem ``start`` wide."""
        step = Fraction(str(self.alpha)) / (self.steps or num_units)
        halves = 2 * step.numerator * (index + 1) + step.denominator
        return start + halves // (2 * step.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplicative:
    """Width ``start · α^((index + 1)/N)``, rounded half up.  Source: han2017."""

    alpha: float
    kind: Literal["multiplicative"] = "multiplicative"

    def width(self, index: int, *, stage: int, num_units: int, start: int) -> int:  # noqa: ARG002 - one signature for all rules
        """Width of unit ``index`` (from 0) of ``num_units`` after a stem ``start`` wide."""
        return math.floor(start * self.alpha ** ((index + 1) / num_units) + 0.5)


Widths = Doubling | Additive | Multiplicative


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Carry x unchanged wherever the dimensions allow it.  Source: he2015 eq. 1."""

    kind: Literal["identity"] = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Carry a 1×1 convolution of x in every unit: option C.  Source: he2015 §4.1."""

    kind: Literal["project"] = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Carry nothing: a plain net.  Source: he2015 §3.3."""

    kind: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Carry ``carry · x`` beside ``branch · F(x)``, both constant.  Source: he2016 §3.1."""

    carry: float
    branch: float
    kind: Literal["scale"] = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Carry ``(1 - g)·x`` with ``g = σ(W x + bias)``, W a 1×1 convolution.  Source: he2016 §3.1.

    Where the shape changes, x is the carried signal, already padded or projected: the gate must
    have its shape, and the paper does not say what it reads there.

    Attributes:
        exclusive: The branch is scaled by g as well (highway style); otherwise by 1.
        bias: Initial value of the gate's bias; the lower, the more is carried.
    """

    exclusive: bool
    bias: float
    kind: Literal["gate"] = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Carry dropout(x), in the output of the shortcut, at a rate of 0.5.  Source: he2016 §3.1.

    As torch's: in training what is kept is doubled, so that its mean is that of x.
    """

    rate: ClassVar[float] = 0.5
    kind: Literal["dropped"] = "dropped"


Carry = Identity | Project | Absent | Scale | Gate | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """How the carried path travels.

    Attributes:
        carry: What it does in every unit.
        match: What it does where the shape changes: append zero channels (option A), project (B),
            or project where the size halves and append where only the channels grow.
        subsample: How zero-padding halves the size: every second pixel, or 2×2 average pooling.
        norm: Whether a projection is followed by batch normalisation.
    """

    carry: Carry = field(default_factory=Identity)
    match: Literal["pad", "project", "project_halving"] = "pad"
    subsample: Literal["stride", "average"] = "stride"
    norm: bool = False


OPTION_A = Shortcut()
OPTION_B = Shortcut(match="project", norm=True)
OPTION_C = Shortcut(carry=Project(), match="project", norm=True)
NO_SHORTCUT = Shortcut(carry=Absent())
AVERAGE_PAD = Shortcut(subsample="average")
BARE_PROJECTION = Shortcut(match="project")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """How likely a unit's branch is to be used in a training step.  Source: huang2016 §3.

    ``linear``: ``1 - l/L · (1 - final)`` for unit l = 1…L; ``uniform``: ``final`` for every unit.
    """

    final: float = 0.5
    rule: Literal["linear", "uniform"] = "linear"

    def of(self, index: int, *, num_units: int) -> float:
        """Survival probability of unit ``index`` (from 0) of ``num_units``."""
        if self.rule == "uniform":
            return self.final
        return 1 - (index + 1) / num_units * (1 - self.final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """What stands before the units.

    ``cifar``: one 3×3 convolution; ``imagenet``: a 7×7 convolution of stride 2 and, after ``ops``,
    3×3 max pooling of stride 2.

    Attributes:
        kind: Which of the two.
        width: Channels of the convolution.
        ops: Operations after the convolution.
        preactivates: ``ops`` are the first unit's pre-activation, "right after conv1 and before
            splitting into two paths" (he2016 appendix): that unit has none of its own.
    """

    kind: Literal["cifar", "imagenet"] = "cifar"
    width: int = 16
    ops: tuple[Op, ...] = BN_RELU
    preactivates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualSpec:
    """A net of residual (or plain) units: ``out = classifier(mean(head(units(stem(x)))))``.

    Attributes:
        depths: Units per stage; each stage after the first halves the size.
        widths: Width of each unit.
        kernels: Kernel sizes of the unit's convolutions.
        expansion: Output channels per unit of width; inner convolutions have the width itself.
        joints: Where BN, ReLU and dropout stand.
        shortcut: How the carried path travels.
        share: Where both paths read the pre-activated input: in no unit, in the first one, where
            the channels change, or at every stage's start.
        stride_at: Which convolution of the branch takes the stride.
        survival: Stochastic depth.
        dropout: Rate of the ``drop`` operations.
        stem: What stands before the units.
        head: Operations after the last unit, before pooling.
        feature_dropout: Rate on the pooled features, before the classifier.
        init: The fan of He's normal initialisation of the convolutions.
        image_size: Side of the input images, in pixels, that the papers train with.
        num_classes: Outputs of the classifier.
        in_channels: Channels of the input.
    """

    depths: tuple[int, ...]
    widths: Widths = field(default_factory=Doubling)
    kernels: tuple[int, ...] = (3, 3)
    expansion: int = 1
    joints: Joints = ORIGINAL
    shortcut: Shortcut = OPTION_A
    share: Literal["never", "first", "change", "stage"] = "never"
    stride_at: int = 0
    survival: Survival | None = None
    dropout: float = 0.0
    stem: Stem = field(default_factory=Stem)
    head: tuple[Op, ...] = ()
    feature_dropout: float = 0.0
    init: Literal["fan_in", "fan_out"] = "fan_in"
    image_size: int = 32
    num_classes: int = 10
    in_channels: int = 3
    kind: Literal["residual"] = "residual"

    def __post_init__(self) -> None:
        """Refuse what no unit could compute.

        Raises:
            UsageError: Two fields contradict each other.
        """
        if not self.depths or min(self.depths) < 1:
            raise UsageError(f"depths must hold at least one unit a stage, not {self.depths}")
        if not all(size % 2 for size in self.kernels):
            raise UsageError(f"kernels must be odd, to keep the size of maps, not {self.kernels}")
        if not 0 <= self.stride_at < len(self.kernels):
            raise UsageError(
                f"stride_at {self.stride_at} names none of {len(self.kernels)} convolutions"
            )
        if self.share != "never" and not self.joints.first:
            raise UsageError("share needs joints that stand first: there is nothing to share")
        drops = "drop" in self.joints.between
        if drops != (self.dropout > 0):
            raise UsageError("dropout needs both a rate and a joint where it stands")
        if drops and len(self.kernels) < 2:
            raise UsageError("dropout stands between convolutions: a unit needs two of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSpec:
    """A net of dense layers: each appends ``growth`` channels to all that came before.

    Attributes:
        depths: Layers per dense block; a transition follows each block but the last.
        growth: Channels that each layer adds (the paper's k).
        bottleneck: Each layer first reduces its input to ``4 · growth`` channels (DenseNet-B).
        compression: Share of channels that a transition keeps (the paper's θ; below 1: DenseNet-C).
        dropout: Rate after every convolution but the stem's.
        stem: What stands before the blocks.
        init: The fan of He's normal initialisation of the convolutions.
        image_size: Side of the input images, in pixels, that the paper trains with.
        num_classes: Outputs of the classifier.
        in_channels: Channels of the input.
    """

    depths: tuple[int, ...]
    growth: int
    bottleneck: bool = False
    compression: float = 1.0
    dropout: float = 0.0
    stem: Stem = field(default_factory=lambda: Stem(ops=()))
    init: Literal["fan_in", "fan_out"] = "fan_out"
    image_size: int = 32
    num_classes: int = 10
    in_channels: int = 3
    kind: Literal["dense"] = "dense"


Spec = ResidualSpec | DenseSpec
