"""Training images from stored bytes in one pass: ``crops.cpp``."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from residua.kernels import library, plain_only
from residua.kernels.library import kernel

_POINTER = ctypes.c_void_p


class _Images(ctypes.Structure):
    _fields_ = (
        ("bytes", _POINTER),
        *((name, ctypes.c_int64) for name in ("height", "width", "channels")),
    )


class _Crops(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int64),
        ("pad", ctypes.c_int64),
        ("reflect", ctypes.c_bool),
        *((name, _POINTER) for name in ("which", "tops", "lefts", "mirrored")),
    )


@dataclass(frozen=True, slots=True)
class Crops:
    """What is taken of which images.

    Attributes:
        which: Indices of images, int64 [n].
        starts: First rows and first columns of the crops in the padded images, int64 [2, n].
        mirrored: Whether crops are mirrored left to right, bool [n].
        pad: Pixels on each side of an image.
        reflect: Whether these are its mirror image; zeros otherwise.
    """

    which: Tensor
    starts: Tensor
    mirrored: Tensor
    pad: int
    reflect: bool


def available(pixels: Tensor) -> bool:
    """Whether these images, uint8 [n, c, h, w], can be cropped here: on the CPU, channels last."""
    return (
        pixels.device.type == "cpu"
        and pixels.is_contiguous(memory_format=torch.channels_last)
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and not plain_only()
        and library.library() is not None
    )


def cropped(pixels: Tensor, crops: Crops, *, shift: Tensor, scale: Tensor | None) -> Tensor:
    """``(pixel / 255 - shift) / scale``, padded, cropped to the old size and mirrored.

    Args:
        pixels: All images, uint8 [m, c, h, w], as `available` says.
        crops: Which of them, and what of each.
        shift: Subtracted, float32 [1, c, h, w] in channels_last.
        scale: What is divided by, likewise, or None.

    Returns:
        Images, float32 [n, c, h, w] in channels_last.
    """
    _, c, h, w = pixels.shape
    n = len(crops.which)
    _check(pixels, crops)
    x = torch.empty((n, c, h, w), dtype=torch.float32, memory_format=torch.channels_last)
    tensors = [t.contiguous() for t in (crops.which, *crops.starts, crops.mirrored)]
    kernel("residua_crops", _Images, _Crops, _POINTER, _POINTER, _POINTER)(
        _Images(pixels.data_ptr(), h, w, c),
        _Crops(n, crops.pad, crops.reflect, *(t.data_ptr() for t in tensors)),
        shift.data_ptr(),
        None if scale is None else scale.data_ptr(),
        x.data_ptr(),
    )
    return x


def _check(pixels: Tensor, crops: Crops) -> None:
    """No memory is read where there are no images."""
    assert not crops.reflect or crops.pad < min(pixels.shape[2:])
    assert (pixels.dtype, crops.mirrored.dtype) == (torch.uint8, torch.bool)
    for indices, end in ((crops.which, len(pixels)), (crops.starts, 2 * crops.pad + 1)):
        assert indices.dtype == torch.int64
        least, most = (int(i) for i in indices.aminmax())
        assert 0 <= least <= most < end
