"""Maps and norms as the kernels are told of them, ``maps.h``."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16)


class MAPS(ctypes.Structure):
    """Where maps lie."""

    _fields_ = (
        ("first", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("channels", ctypes.c_int64),
    )


class NORM(ctypes.Structure):
    """Where a :class:`Norm` lies."""

    _fields_ = (
        ("pixels", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("mean", "var", "weight", "bias")),
        ("eps", ctypes.c_double),
    )


@dataclass(frozen=True, slots=True)
class Norm:
    """BN with a batch's statistics: float32 tensors of one value per channel."""

    mean: Tensor
    var: Tensor
    weight: Tensor
    bias: Tensor
    eps: float


def empty(shape: torch.Size, *, like: Tensor) -> Tensor:
    """Maps to write to, of the type of others."""
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )


def per_channel(x: Tensor, *, rows: int, channels: int | None = None) -> Tensor:
    """Numbers to write to, [rows, channels], float32; by default as many as maps have channels."""
    return torch.empty(rows, channels or x.shape[1], dtype=torch.float32, device=x.device)


def fits(x: Tensor) -> bool:
    """Whether maps lie in memory as the kernels read them: pixel after pixel, channels together."""
    n, c, h, w = x.shape
    pixel = x.stride(3)
    return (
        x.dtype in DTYPES
        and x.device.type == "cpu"
        and (x.stride(1) == 1 or c == 1)
        and pixel >= c
        and x.stride(2) == w * pixel
        and (x.stride(0) == h * w * pixel or n == 1)
    )


def pixels(x: Tensor) -> int:
    """The pixels of all images of a batch."""
    return x.shape[0] * x.shape[2] * x.shape[3]


def maps(x: Tensor | None) -> MAPS:
    """Where some maps lie; nowhere if there are none."""
    if x is None:
        return MAPS(None, 0, 0)
    assert x.stride(3) >= x.shape[1], "pixels overlap"
    return MAPS(x.data_ptr(), x.stride(3), x.shape[1])


def norm_of(x: Tensor, norm: Norm) -> NORM:
    """Where the norm of some maps lies."""
    values = (norm.mean, norm.var, norm.weight, norm.bias)
    assert all(v.dtype == torch.float32 and v.is_contiguous() for v in values)
    return NORM(pixels(x), x.shape[1], *(v.data_ptr() for v in values), norm.eps)
