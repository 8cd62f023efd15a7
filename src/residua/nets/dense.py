"""A dense block trained in place: one tensor for the maps of all its layers.

Layer by layer, as huang2017 eq. 2 reads, each layer copies all maps before it, normalises the copy,
and keeps both for the backward pass: memory grows with the square of the depth.  Here each layer
writes its few channels beside those before it; every norm finds the statistics of a channel where
the first one left them; and what a norm makes is made anew in the backward pass, where the
gradients of all layers add up in one tensor likewise.  Source: Pleiss et al. 2017, for the idea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from residua.kernels import norms, products
from residua.kernels.maps import Norm, empty, per_channel
from residua.nets import ops

Maps = Float[Tensor, "n c h w"]
_Values = tuple[Tensor, Tensor, Tensor]  # a step's parameters: norm's weight and bias, kernel


@dataclass(frozen=True, slots=True)
class _Step:
    """Norm, ReLU and convolution: one half of a bottleneck layer, or all of a basic one."""

    norm: nn.BatchNorm2d
    conv: nn.Conv2d

    @property
    def parameters(self) -> _Values:
        return self.norm.weight, self.norm.bias, self.conv.weight


def fused(branches: Sequence[nn.Sequential], x: Maps) -> bool:
    """Whether the branches of consecutive layers are trained in place."""
    if not torch.is_grad_enabled() or not all(branch.training for branch in branches):
        return False
    steps = [_steps(branch) for branch in branches]
    channels = x.shape[1]
    for of_layer in steps:
        # Layers in another order than the plan's do not fit: that is for torch to say.
        if not of_layer or of_layer[0].norm.num_features != channels:
            return False
        channels += of_layer[-1].conv.out_channels
    modules = [module for branch in branches for module in (branch, *branch)]
    return not ops.watched(*modules) and all(
        ops.fused_over(x, step.norm) for of_layer in steps for step in of_layer
    )


def block(branches: Sequence[nn.Sequential], x: Maps) -> Float[Tensor, "n d h w"]:
    """``[x, branch₁(x), branch₂([x, branch₁(x)]), …]``, where :func:`fused` allows it."""
    steps = [_steps(branch) for branch in branches]
    dtype = x.dtype
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
    parameters = [p for of_layer in steps for step in of_layer for p in step.parameters]
    return _Block.apply(x.to(dtype), steps, *parameters)  # type: ignore[return-value] - torch leaves it untyped


def _steps(branch: nn.Sequential) -> tuple[_Step, ...]:
    """A branch's steps; none if there is something else in it, such as dropout."""
    parts = tuple(branch)
    steps: list[_Step] = []
    for norm, relu, conv in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if not (isinstance(norm, nn.BatchNorm2d) and type(relu) is nn.ReLU and _plain(conv)):
            return ()
        steps.append(_Step(norm, conv))
    return tuple(steps) if len(parts) == 3 * len(steps) else ()


def _plain(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a convolution is one of ours, not somebody's with a bias or a way of its own."""
    return (
        type(conv) is nn.Conv2d
        and conv.bias is None
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
    )


@dataclass(slots=True)
class _Statistics:
    """Mean and biased variance of channels, and how many values of each there were."""

    mean: Tensor
    var: Tensor
    num_values: int

    @classmethod
    def found(cls, x: Tensor) -> _Statistics:
        return cls(*norms.moments(x), x.numel() // x.shape[1])

    def of(self, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor) -> Norm:
        """For a norm over the first of the channels, which has not changed since."""
        count = norm.num_features
        return Norm(self.mean[:count], self.var[:count], weight, bias, norm.eps)

    def remember(self, norm: nn.BatchNorm2d) -> None:
        count = norm.num_features
        ops.remember(norm, self.mean[:count], ops.unbiased(self.var[:count], self.num_values))


@dataclass(slots=True)
class _Gradients:
    """The gradient of a block's maps, layer by layer added to.

    What comes through the means and variances of later layers is a line for each channel, the same
    for all pixels: its two numbers are summed over the layers, and it is drawn once.
    """

    maps: Tensor
    along: Tensor
    shift: Tensor

    @classmethod
    def of(cls, grad: Tensor) -> _Gradients:
        along, shift = torch.zeros(2, grad.shape[1], dtype=torch.float32)
        return cls(grad.clone(memory_format=torch.channels_last), along, shift)

    def settled(self, x: Tensor, channels: slice) -> Tensor:
        """The gradient of some channels, when all layers that read them have added theirs."""
        along, shift = self.along[channels], self.shift[channels]
        y = empty(x[:, channels].shape, like=x)
        line = Norm(torch.zeros_like(along), torch.ones_like(along), along, shift, eps=0.0)
        addend = self.maps[:, channels]
        norms.forward(x[:, channels], line, addend=addend, relu=False, y=y)
        return y


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: list[tuple[_Step, ...]], *parameters: Tensor) -> Tensor:  # noqa: ANN401 - torch's own type lacks what is put into it
        n, channels, h, w = x.shape
        total = channels + sum(of_layer[-1].conv.out_channels for of_layer in steps)
        maps = empty(torch.Size((n, total, h, w)), like=x)
        mean, var = per_channel(x, rows=2, channels=total)
        statistics = _Statistics(mean, var, n * h * w)
        middles: list[Tensor] = []
        values = iter(_by_step(parameters))

        def append(new: Tensor, of_new: _Statistics, at: int) -> None:
            to = slice(at, at + new.shape[1])
            maps[:, to] = new
            statistics.mean[to], statistics.var[to] = of_new.mean, of_new.var

        append(x, _Statistics.found(ops.dense(x)), 0)
        inner: list[_Statistics] = []
        for of_layer in steps:
            first = of_layer[0].norm.num_features
            y, of_y = maps[:, :first], statistics
            for step in of_layer:
                if step is not of_layer[0]:
                    middles.append(y)
                    inner.append(of_y)
                of_y.remember(step.norm)
                y, of_y = _convolved(y, of_y, step, next(values))
            append(y, of_y, first)
        ctx.steps, ctx.statistics, ctx.inner, ctx.channels = steps, statistics, inner, channels
        ctx.save_for_backward(maps, *middles, *parameters)
        return maps

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # noqa: ANN401 - as above
        maps, *saved = ctx.saved_tensors
        # Stacks of this pass alone: there may be another one.
        values = _by_step(saved[len(ctx.inner) :])
        inner = list(zip(saved, ctx.inner, strict=False))
        grads = _Gradients.of(grad)
        found: list[tuple[Tensor, ...]] = []
        for of_layer in reversed(ctx.steps):
            first = of_layer[0].norm.num_features
            grad_y = grads.settled(maps, slice(first, first + of_layer[-1].conv.out_channels))
            for step in reversed(of_layer[1:]):
                x, statistics = inner.pop()
                grad_y, *of_values = _differentiated(grad_y, x, statistics, step, values.pop())
                found.append(tuple(of_values))
            arguments = (grad_y, maps[:, :first], ctx.statistics, of_layer[0], values.pop())
            found.append(_added(*arguments, grads=grads))
        in_order = [g for of_step in reversed(found) for g in of_step]
        return grads.settled(maps, slice(ctx.channels)), None, *in_order


def _by_step(parameters: Sequence[Tensor]) -> list[_Values]:
    return list(zip(parameters[::3], parameters[1::3], parameters[2::3], strict=True))


def _convolved(
    x: Tensor, statistics: _Statistics, step: _Step, values: _Values
) -> tuple[Tensor, _Statistics]:
    """What a step makes of its input, and that output's own statistics."""
    *of_norm, weight = values
    norm, weight = statistics.of(step.norm, *of_norm), weight.to(x.dtype)
    if _is_product(step, x):
        y, mean, var = products.forward(x, norm, weight)
        return y, _Statistics(mean, var, statistics.num_values)
    with torch.autocast(x.device.type, enabled=False):
        y = functional.conv2d(_activated(x, norm), weight, padding=step.conv.padding)
    y = ops.dense(y)
    return y, _Statistics.found(y)


def _added(  # noqa: PLR0913 - what it reads and writes
    grad: Tensor,
    x: Tensor,
    statistics: _Statistics,
    step: _Step,
    values: _Values,
    *,
    grads: _Gradients,
) -> tuple[Tensor, ...]:
    """Add the gradient of a layer's input to the block's; return those of a step's parameters."""
    count = x.shape[1]
    to = grads.maps[:, :count]
    *of_norm, weight = values
    if not _is_product(step, x):
        _, *found = _differentiated(grad, x, statistics, step, values, grad_x=to)
        return tuple(found)
    *of_values, grad_weight = products.backward(
        grad,
        x,
        statistics.of(step.norm, *of_norm),
        weight.to(x.dtype),
        grad_x=to,
        along=grads.along[:count],
        shift=grads.shift[:count],
    )
    return *of_values, grad_weight.to(weight.dtype)


def _differentiated(  # noqa: PLR0913, PLR0917 - what it reads and writes
    grad: Tensor,
    x: Tensor,
    statistics: _Statistics,
    step: _Step,
    values: _Values,
    grad_x: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """The gradients of a step's input, added to what is there if that is given, and parameters."""
    *of_norm, weight = values
    norm, conv = statistics.of(step.norm, *of_norm), step.conv
    constants = (conv.stride, conv.padding, conv.dilation, False, (0, 0), conv.groups)
    grad_y, grad_weight, _ = torch.ops.aten.convolution_backward(
        grad, _activated(x, norm), weight.to(x.dtype), None, *constants, [True, True, False]
    )
    to = empty(x.shape, like=x) if grad_x is None else grad_x
    grad_norm = norms.backward(
        ops.dense(grad_y),
        x,
        norm,
        sign="input",
        y=None,
        grad_x=to,
        accumulate=grad_x is not None,
        grad_addend=None,
    )
    return to, *grad_norm, grad_weight.to(weight.dtype)


def _is_product(step: _Step, x: Tensor) -> bool:
    """Whether a step is a product of matrices that one kernel computes."""
    return step.conv.kernel_size == (1, 1) and products.available(x.dtype)


def _activated(x: Tensor, norm: Norm) -> Tensor:
    """``relu(norm(x))``, which is not kept."""
    y = empty(x.shape, like=x)
    norms.forward(x, norm, addend=None, relu=True, y=y)
    return y
