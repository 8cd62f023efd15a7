"""Fused operations of training, and the plain ones that they equal.

A fused operation computes what its plain twin does, in outputs, gradients and running statistics,
but for rounding; it reads and writes memory less often.  See :mod:`residua.kernels`.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from residua.kernels import library, norms, plain_only
from residua.kernels.maps import Norm, empty, fits

Maps = Float[Tensor, "n c h w"]
Result = Float[Tensor, "n d i j"]

# Where kernels of ours were faster than torch's operations: benchmarks/operations.py.
# Processors are those of torch.backends.cpu.get_cpu_capability().
MEASURED = {("AVX512", torch.float32), ("AVX512", torch.bfloat16)}


def norm_add_relu(
    x: Maps, norm: nn.BatchNorm2d, *, addend: Tensor | None = None, relu: bool
) -> Maps:
    """``relu(norm(x) + addend)``; with neither of the two if it is None and False.

    Args:
        x: Maps, [n, c, h, w].
        norm: BN.  In training it uses the batch's statistics and updates its running ones, in
            evaluation it uses those.
        addend: Maps [n, d, h, w] with d ≤ c, to which zero channels are thought appended.
        relu: Whether negative values become 0.
    """
    if fused(x, norm) and (addend is None or _lies_within(addend, x)):
        addend = dense(addend) if addend is not None else None
        if not norm.training:
            return _evaluated(x, norm, addend, relu=relu)
        return _NormAddReLU.apply(x, norm.weight, norm.bias, addend, norm, relu)  # type: ignore[return-value] - torch leaves it untyped
    y = norm(x)
    if addend is not None:
        y = y + widened(addend, x.shape[1])
    return functional.relu(y) if relu else y


def widened(x: Maps, channels: int) -> Result:
    """Maps with zero channels appended, [n, channels, h, w].  Source: he2015 §3.3, option A."""
    added = channels - x.shape[1]
    return functional.pad(x, (0, 0, 0, 0, 0, added)) if added else x


def _lies_within(addend: Tensor, x: Tensor) -> bool:
    """Whether maps are of the type and size of others, and have no more channels."""
    (n, c, *size), (m, d, *other) = x.shape, addend.shape
    return addend.dtype == x.dtype and (m, other) == (n, size) and d <= c


def fused(x: Maps, norm: nn.BatchNorm2d) -> bool:
    """Whether BN of some maps is fused with what follows: it is faster, and nobody watches it."""
    return fused_over(x, norm) and x.shape[1] == norm.num_features


def fused_over(x: Maps, norm: nn.BatchNorm2d) -> bool:
    """Whether BN of maps such as these, of another number of channels perhaps, would be fused."""
    return (
        type(norm) is nn.BatchNorm2d  # not its relatives over parts of a batch
        and norm.track_running_stats
        and norm.affine
        and norm.momentum is not None
        and norm.weight.dtype == torch.float32
        and (x.numel() > x.shape[1] if norm.training else not torch.is_grad_enabled())
        and (torch.backends.cpu.get_cpu_capability(), x.dtype) in MEASURED
        and fits(x)
        and not plain_only()
        and not watched(norm)
        and library.library() is not None
    )


def watched(*modules: nn.Module | None) -> bool:
    """Whether hooks, a tracer or a transform of torch's must see what the modules do."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage] - torch documents it
        or torch._C._are_functorch_transforms_active()  # noqa: SLF001 - as torch's own Function asks
        or torch._C._len_torch_dispatch_stack() > 0  # noqa: SLF001 - fake tensors and make_fx are such
        or bool(torch.nn.modules.module._has_any_global_hook())  # noqa: SLF001 - as Module.__call__ asks
        or any(
            m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks  # noqa: SLF001 - torch has no other way to ask
            for m in modules
            if m is not None
        )
    )


@torch.no_grad()
def remember(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Let running statistics take in a batch's mean and unbiased variance, as BN does."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.running_mean.lerp_(mean, norm.momentum)  # type: ignore[arg-type] - ours all have one
    norm.running_var.lerp_(var, norm.momentum)  # type: ignore[arg-type] - ours all have one
    norm.num_batches_tracked.add_(1)


def unbiased(var: Tensor, num_values: float) -> Tensor:
    """A variance of ``num_values`` values as BN remembers it, from that by which it normalises."""
    return var * (num_values / (num_values - 1))


def _evaluated(x: Tensor, norm: nn.BatchNorm2d, addend: Tensor | None, *, relu: bool) -> Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    y = empty(x.shape, like=x)
    statistics = Norm(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)
    norms.forward(x, statistics, addend=addend, relu=relu, y=y)
    return y


class _NormAddReLU(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd knows no other way to hand things in
        ctx: Any,  # noqa: ANN401 - torch's own type lacks what is put into it
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        addend: Tensor | None,
        norm: nn.BatchNorm2d,
        relu: bool,  # noqa: FBT001 - as above
    ) -> Tensor:
        mean, var = norms.moments(x)
        remember(norm, mean, unbiased(var, x.numel() // x.shape[1]))
        y = empty(x.shape, like=x)
        norms.forward(x, Norm(mean, var, weight, bias, norm.eps), addend=addend, relu=relu, y=y)
        by_output = relu and addend is not None
        ctx.save_for_backward(x, mean, var, weight, bias, y if by_output else None)
        ctx.eps = norm.eps
        ctx.sign = "output" if by_output else "input" if relu else "none"
        ctx.addend_shape = addend.shape if addend is not None else None
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # noqa: ANN401 - as above
        x, mean, var, weight, bias, y = ctx.saved_tensors
        grad = dense(grad)
        grad_x, grad_addend = empty(x.shape, like=x), None
        if ctx.needs_input_grad[3]:
            same = ctx.sign == "none" and ctx.addend_shape == x.shape
            grad_addend = grad if same else empty(ctx.addend_shape, like=x)
        grad_weight, grad_bias = norms.backward(
            grad,
            x,
            Norm(mean, var, weight, bias, ctx.eps),
            sign=ctx.sign,
            y=y,
            grad_x=grad_x,
            accumulate=False,
            grad_addend=None if grad_addend is grad else grad_addend,
        )
        return grad_x, grad_weight, grad_bias, grad_addend, None, None


def dense(x: Maps) -> Maps:
    """The same maps in an order of memory that the kernels read."""
    # Not contiguous(): maps of one pixel are so by any strides, and the kernels go by strides.
    return x if fits(x) else x.clone(memory_format=torch.channels_last)
