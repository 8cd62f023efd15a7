"""A convolution of 1×1 behind BN and ReLU in bfloat16: ``products.cpp``."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from residua.kernels import library
from residua.kernels.library import kernel
from residua.kernels.maps import MAPS, NORM, Norm, empty, maps, norm_of, per_channel

_POINTER = ctypes.c_void_p


def available(dtype: torch.dtype) -> bool:
    """Whether there are such kernels: for bfloat16, on processors that multiply it."""
    return dtype == torch.bfloat16 and hasattr(library.library(), "residua_product")


def forward(x: Tensor, norm: Norm, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``conv(relu(norm(x)))`` and its channels' moments.

    Args:
        x: Maps, [n, c, h, w].
        norm: BN of them.
        weight: The convolution's, [d, c, 1, 1], of the maps' type.

    Returns:
        Maps [n, d, h, w], and mean and biased variance of their channels, [d] each, float32.
    """
    y = empty(torch.Size((x.shape[0], weight.shape[0], *x.shape[2:])), like=x)
    mean, var = per_channel(y, rows=2)
    weight = weight.contiguous()
    arguments = (MAPS, NORM, _POINTER, MAPS, _POINTER, _POINTER)
    kernel("residua_product", *arguments)(
        maps(x), norm_of(x, norm), weight.data_ptr(), maps(y), mean.data_ptr(), var.data_ptr()
    )
    return y, mean, var


_BACKWARD = (MAPS, MAPS, NORM, _POINTER, MAPS, *(_POINTER,) * 5)


def backward(  # noqa: PLR0913 - what the kernel reads and writes
    grad: Tensor,
    x: Tensor,
    norm: Norm,
    weight: Tensor,
    *,
    grad_x: Tensor,
    along: Tensor,
    shift: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Add to the gradient of x what does not come through the batch's mean and variance.

    What does is the same line for every pixel: ``along · x + shift``.  It is known only when all
    pixels are summed, and added to the line's two numbers for each channel, [c], instead.

    Returns:
        The gradients of norm's weight and bias and, [d, c, 1, 1], of the convolution's weight.
    """
    weight = weight.contiguous()
    grad_weight = torch.empty(weight.shape, dtype=torch.float32)
    of_norm = per_channel(x, rows=2)
    written = (grad_weight, *of_norm, along, shift)
    assert all(t.dtype == torch.float32 and t.is_contiguous() for t in written)
    kernel("residua_product_backward", *_BACKWARD)(
        maps(grad),
        maps(x),
        norm_of(x, norm),
        weight.data_ptr(),
        maps(grad_x),
        *(t.data_ptr() for t in written),
    )
    return of_norm[0], of_norm[1], grad_weight
