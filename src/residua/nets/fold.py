"""A net for predictions alone: BN folded into convolutions, and what follows those fused."""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from functools import partial
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from residua.errors import UsageError
from residua.kernels import plain_only
from residua.nets import ops
from residua.nets.build import Net
from residua.nets.parts import replace
from residua.nets.units import Add, Chain, ResidualUnit, run

Maps = Float[Tensor, "n c h w"]
Result = Float[Tensor, "n d i j"]
Kind = TypeVar("Kind", bound=nn.Module)


def fold(net: Net, *, dtype: torch.dtype | None = None) -> Net:
    """A copy of a net in evaluation mode, which computes the same but for rounding.

    A norm right behind a convolution becomes part of its weights. A unit of the copy may overwrite
    the maps that it is given. A net that hooks watch is copied as it is, in its own type.

    Args:
        net: Any net; it is left alone.
        dtype: What convolutions compute in, if not their own type; norms and the classifier keep
            theirs.

    Returns:
        A net on the same device, its weights in channels_last, which learns nothing any more.

    Raises:
        UsageError: Another type is asked for, of a net that hooks watch.
    """
    folded = copy.deepcopy(net).eval().requires_grad_(requires_grad=False)
    own = next(net.parameters()).dtype
    if ops.watched(*net.modules()):
        if dtype not in {None, own}:
            raise UsageError(
                f"hooks watch this net, so it computes in its own {own}, not in {dtype}: remove "
                f"the hooks first"
            )
        return folded
    replace(folded, Chain, partial(_folded, dtype=dtype))
    for index, unit in enumerate(folded.units):
        folded.units[index] = _summed(unit)
    if dtype:
        folded.head.append(_Cast(own))
    return folded


class FoldedConv(nn.Module):
    """``relu(norm(conv(x)) + addend)`` in one operation, where torch has one.

    Args:
        conv: The convolution.
        norm: BN, whose running statistics are used; none if it is None.
        relu: Whether negative values become 0 where there is no addend.
        dtype: What it computes in, if not the convolution's type.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None,
        *,
        relu: bool,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        weight, bias = conv.weight, conv.bias
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
            weight, bias = fuse_conv_bn_weights(weight, bias, *statistics)
        dtype = dtype or weight.dtype
        weight = weight.detach().to(dtype, memory_format=torch.channels_last)
        self.weight: nn.Parameter = nn.Parameter(weight, requires_grad=False)
        self.bias: nn.Parameter | None = None
        if bias is not None:
            self.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
        self.relu = relu
        self.geometry: tuple[Any, ...] = (conv.padding, conv.stride, conv.dilation, conv.groups)

    def forward(self, x: Maps) -> Result:
        """Map [n, c_in, h, w] to [n, c_out, ⌈h/stride⌉, ⌈w/stride⌉]."""
        x = x.to(self.weight.dtype)
        if self._fits(x):
            arguments = (self.weight, self.bias, *self.geometry, "relu" if self.relu else "none")
            return torch.ops.mkldnn._convolution_pointwise(x, *arguments, [], "")  # noqa: SLF001 - see _fits
        y = self._convolved(x)
        return y.relu_() if self.relu else y

    def plus(self, x: Maps, addend: Result, *, relu: bool) -> Result:
        """The sum with an addend, of which nothing else is expected any more."""
        x = x.to(self.weight.dtype)
        if self._fits(x) and self._fits(addend) and addend is not x:
            arguments = (self.weight, self.bias, *self.geometry, "add", 1, "relu" if relu else None)
            return torch.ops.mkldnn._convolution_pointwise_.binary(addend, x, *arguments, [], "")
        y = self._convolved(x) + addend
        return y.relu_() if relu else y

    def _convolved(self, x: Tensor) -> Tensor:
        padding, stride, dilation, groups = self.geometry
        return functional.conv2d(x, self.weight, self.bias, stride, padding, dilation, groups)

    def _fits(self, x: Tensor) -> bool:
        """Whether oneDNN's fused operations may read some maps.

        They are what torch's own compiler uses, and know neither gradients nor autocast.
        """
        return (
            not plain_only()
            and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
            and (torch.backends.cpu.get_cpu_capability(), x.dtype) in ops.MEASURED
            and x.device.type == "cpu"
            and x.dtype == self.weight.dtype
            and x.is_contiguous(memory_format=torch.channels_last)
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not ops.watched(self)
        )


class FoldedUnit(nn.Module):
    """A residual unit whose sum is part of its last convolution."""

    def __init__(self, unit: ResidualUnit) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Maps, gate: float | Tensor = 1.0) -> Result:
        """What the unit makes of maps [n, c_in, h, w], which may be overwritten."""
        unit = self.unit
        if not isinstance(gate, float) or gate != 1:
            return unit(x, gate)
        shared = unit.shared(x)
        *layers, conv = unit.branch
        assert isinstance(conv, FoldedConv)
        assert unit.carry is not None
        y = run(tuple(layers), shared)
        after = tuple(unit.after)
        relu = isinstance(after[0], nn.ReLU) if after else False
        return run(after[relu:], conv.plus(y, unit.carry(shared), relu=relu))


class _Cast(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Maps) -> Maps:
        return x.to(self.dtype)


def _folded(chain: Chain, *, dtype: torch.dtype | None) -> Chain:
    # Dropout does nothing in evaluation, and would stand between convolution and norm.
    parts = deque(p for p in chain.named_children() if not isinstance(p[1], nn.Dropout))
    kept: OrderedDict[str, nn.Module] = OrderedDict()

    def following(kind: type[Kind]) -> Kind | None:
        module = parts[0][1] if parts else None
        if not isinstance(module, kind):
            return None
        parts.popleft()
        return module

    while parts:
        name, module = parts.popleft()
        if isinstance(module, nn.Conv2d):
            norm, relu = following(nn.BatchNorm2d), following(nn.ReLU)
            module = FoldedConv(module, norm, relu=relu is not None, dtype=dtype)
        kept[name] = module
    return Chain(kept)


def _summed(unit: nn.Module) -> nn.Module:
    if not isinstance(unit, ResidualUnit) or unit.carry is None or not isinstance(unit.join, Add):
        return unit
    last = unit.branch[-1]
    return FoldedUnit(unit) if isinstance(last, FoldedConv) and not last.relu else unit
