"""BN with ReLU and the addition of a shortcut: ``norms.cpp``."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from torch import Tensor

from residua.kernels.library import kernel
from residua.kernels.maps import MAPS, NORM, Norm, maps, norm_of, per_channel, pixels

Sign = Literal["none", "input", "output"]  # what tells where a ReLU let values pass
_SIGNS: dict[Sign, int] = {"none": 0, "input": 1, "output": 2}
_POINTER = ctypes.c_void_p


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each channel of maps, float32."""
    mean, var = per_channel(x, rows=2)
    arguments = (ctypes.c_bool, MAPS, ctypes.c_int64, _POINTER, _POINTER)
    kernel("residua_moments", *arguments)(
        _half(x), maps(x), pixels(x), mean.data_ptr(), var.data_ptr()
    )
    return mean, var


def forward(x: Tensor, norm: Norm, *, addend: Tensor | None, relu: bool, y: Tensor) -> None:
    """Write BN of x, plus the addend in its channels, and ReLU of that if asked, to y."""
    arguments = (ctypes.c_bool, MAPS, NORM, MAPS, ctypes.c_bool, MAPS)
    kernel("residua_forward", *arguments)(
        _half(x), maps(x), norm_of(x, norm), maps(addend), relu, maps(y)
    )


_BACKWARD = (ctypes.c_bool, ctypes.c_int, MAPS, MAPS, MAPS, NORM, MAPS)
_BACKWARD += (ctypes.c_bool, MAPS, _POINTER, _POINTER)


def backward(  # noqa: PLR0913 - what the kernel reads and writes
    grad: Tensor,
    x: Tensor,
    norm: Norm,
    *,
    sign: Sign,
    y: Tensor | None,
    grad_x: Tensor,
    accumulate: bool,
    grad_addend: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Write, or add, the gradient of x to ``grad_x``, and write the addend's.

    Returns:
        The gradients of weight and bias.
    """
    grad_weight, grad_bias = per_channel(x, rows=2)
    kernel("residua_backward", *_BACKWARD)(
        _half(x),
        _SIGNS[sign],
        maps(grad),
        maps(x),
        maps(y),
        norm_of(x, norm),
        maps(grad_x),
        accumulate,
        maps(grad_addend),
        grad_weight.data_ptr(),
        grad_bias.data_ptr(),
    )
    return grad_weight, grad_bias


def _half(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16
