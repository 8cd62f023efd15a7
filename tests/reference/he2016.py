"""He et al. 2016, Identity mappings: the unit orders of Fig. 4 and the shortcuts of Fig. 2."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm

UnitFunction = Callable[[Tensor, Weights, str, int], Tensor]


def stages(x: Tensor, w: Weights, n: int, unit: UnitFunction) -> Tensor:
    """3n units at 16, 32 and 64 filters; the first of stages 2 and 3 halves the size."""
    for index in range(3 * n):
        x = unit(x, w, f"units.{index}", 2 if index in {n, 2 * n} else 1)
    return x


def option_a(x: Tensor, stride: int) -> Tensor:
    """Every second pixel, and twice the channels, of which the new ones are zero."""
    return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, x.shape[1])) if stride == 2 else x


# Fig. 4: where BN and ReLU stand.


def original(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(a) conv-BN-ReLU-conv-BN, add, ReLU."""
    return F.relu(option_a(x, stride) + weight_path(x, w, unit, stride))


def weight_path(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """The residual function of the original unit."""
    y = F.relu(norm(conv(x, w, f"{unit}.branch.conv1", stride), w, f"{unit}.branch.norm1"))
    return norm(conv(y, w, f"{unit}.branch.conv2"), w, f"{unit}.branch.norm2")


def bn_after_addition(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(b) conv-BN-ReLU-conv, add, BN, ReLU."""
    y = F.relu(norm(conv(x, w, f"{unit}.branch.conv1", stride), w, f"{unit}.branch.norm1"))
    y = conv(y, w, f"{unit}.branch.conv2")
    return F.relu(norm(option_a(x, stride) + y, w, f"{unit}.after.norm1"))


def relu_before_addition(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(c) conv-BN-ReLU-conv-BN-ReLU, add."""
    return option_a(x, stride) + F.relu(weight_path(x, w, unit, stride))


def relu_only_preactivation(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(d) ReLU-conv-BN-ReLU-conv-BN, add; the net's first unit activates before the split."""
    active = F.relu(x)
    carried = active if unit == "units.0" else x
    return option_a(carried, stride) + weight_path(active, w, unit, stride)


def full_preactivation(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(e) BN-ReLU-conv-BN-ReLU-conv, add; the net's first unit activates before the split."""
    return preactivated(x, w, unit, stride, shared=unit == "units.0")


def stage_shared_preactivation(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(e) as fb.resnet.torch has it: every stage's first unit activates before the split."""
    return preactivated(x, w, unit, stride, shared=unit == "units.0" or stride == 2)


def preactivated(x: Tensor, w: Weights, unit: str, stride: int, *, shared: bool) -> Tensor:
    """Unit (e); a shared pre-activation is what both paths read."""
    active = F.relu(norm(x, w, f"{unit}.{'shared' if shared else 'branch'}.norm1"))
    y = conv(active, w, f"{unit}.branch.conv1", stride)
    y = conv(F.relu(norm(y, w, f"{unit}.branch.norm2")), w, f"{unit}.branch.conv2")
    return option_a(active if shared else x, stride) + y


# Table 3: shortcuts that skip one layer.


def one_layer(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """conv-BN, add, ReLU."""
    y = norm(conv(x, w, f"{unit}.branch.conv1", stride), w, f"{unit}.branch.norm1")
    return F.relu(option_a(x, stride) + y)


def one_layer_preactivation(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """BN-ReLU-conv, add; the net's first unit activates before the split."""
    first = unit == "units.0"
    active = F.relu(norm(x, w, f"{unit}.{'shared' if first else 'branch'}.norm1"))
    return option_a(active if first else x, stride) + conv(
        active, w, f"{unit}.branch.conv1", stride
    )


# Fig. 2: what the shortcut does to what it carries; ReLU after the addition.


def constant_scaling(carried: float, function: float) -> UnitFunction:
    """(b) both paths scaled by constants."""

    def unit(x: Tensor, w: Weights, key: str, stride: int) -> Tensor:
        return F.relu(carried * option_a(x, stride) + function * weight_path(x, w, key, stride))

    return unit


def exclusive_gating(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(c) 1 - g on the shortcut, g on the function."""
    carried = option_a(x, stride)
    g = gate(carried, w, unit)
    return F.relu((1 - g) * carried + g * weight_path(x, w, unit, stride))


def shortcut_only_gating(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(d) 1 - g on the shortcut alone."""
    carried = option_a(x, stride)
    return F.relu((1 - gate(carried, w, unit)) * carried + weight_path(x, w, unit, stride))


def gate(carried: Tensor, w: Weights, unit: str) -> Tensor:
    """g(x) = σ(W_g x + b_g), a 1×1 convolution."""
    key = f"{unit}.join.gate.conv1"
    return torch.sigmoid(F.conv2d(carried, w[f"{key}.weight"], w[f"{key}.bias"]))


def conv_shortcut(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(e) a 1×1 convolution, with BN as after every weight layer, on each shortcut."""
    carried = norm(conv(x, w, f"{unit}.carry.conv1", stride), w, f"{unit}.carry.norm1")
    return F.relu(carried + weight_path(x, w, unit, stride))


def dropout_shortcut(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """(f) dropout of one half on the carried signal."""
    carried = F.dropout(option_a(x, stride), 0.5, training=w.training)
    return F.relu(carried + weight_path(x, w, unit, stride))


def resnet(x: Tensor, w: Weights, *, n: int, unit: UnitFunction) -> Tensor:
    """conv-BN-ReLU, 3n units, classifier."""
    x = F.relu(norm(conv(x, w, "stem.conv1"), w, "stem.norm1"))
    return classifier(stages(x, w, n, unit), w)


def relu_only_resnet(x: Tensor, w: Weights, *, n: int) -> Tensor:
    """conv-BN, 3n units (d), the extra ReLU after the last addition (appendix), classifier."""
    x = norm(conv(x, w, "stem.conv1"), w, "stem.norm1")
    return classifier(F.relu(stages(x, w, n, relu_only_preactivation)), w)


def preresnet(x: Tensor, w: Weights, *, n: int, unit: UnitFunction) -> Tensor:
    """A bare convolution, 3n units (e), the extra BN-ReLU after the last addition, classifier."""
    x = stages(conv(x, w, "stem.conv1"), w, n, unit)
    return classifier(F.relu(norm(x, w, "head.norm1")), w)


def bottleneck(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """1×1 (which strides), 3×3, 1×1, each after BN-ReLU: the authors' code of 164 and 1001.

    Where the channels change, a bare 1×1 convolution carries what the first BN-ReLU gives.
    """
    widens = f"{unit}.carry.conv1.weight" in w.tensors
    active = F.relu(norm(x, w, f"{unit}.{'shared' if widens else 'branch'}.norm1"))
    carried = conv(active, w, f"{unit}.carry.conv1", stride) if widens else x
    return carried + bottleneck_path(active, w, unit, stride)


def bottleneck_path(active: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """The convolutions of a bottleneck, from its activated input."""
    y = conv(active, w, f"{unit}.branch.conv1", stride)
    second, third = (f"{unit}.branch.norm{n}" for n in norms_between(w, unit))
    y = conv(F.relu(norm(y, w, second)), w, f"{unit}.branch.conv2")
    return conv(F.relu(norm(y, w, third)), w, f"{unit}.branch.conv3")


def norms_between(w: Weights, unit: str) -> tuple[int, int]:
    """Norms are counted from the unit's first: that of the pre-activation, where it has one."""
    return (2, 3) if f"{unit}.branch.norm3.weight" in w.tensors else (1, 2)


def imagenet_preresnet(x: Tensor, w: Weights, *, depths: tuple[int, ...]) -> Tensor:
    """7×7 convolution, BN-ReLU "right after conv1 and before splitting", max pooling, bottlenecks.

    The first unit has no activation of its own: both its paths read what the pooling gives.
    """
    x = F.relu(norm(conv(x, w, "stem.conv1", 2), w, "stem.norm1"))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    x = conv(x, w, "units.0.carry.conv1") + bottleneck_path(x, w, "units.0", 1)
    unit = 1
    for stage, depth in enumerate(depths):
        for place in range(1 if stage == 0 else 0, depth):
            x = bottleneck(x, w, f"units.{unit}", 2 if place == 0 else 1)
            unit += 1
    return classifier(F.relu(norm(x, w, "head.norm1")), w)
