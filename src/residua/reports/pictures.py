"""Pixels as PNG, by the standard library alone."""

from __future__ import annotations

import struct
import zlib

import torch
from jaxtyping import UInt8
from torch import Tensor

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: 0, 3: 2}  # PNG's number of grey and of RGB
DEPTH = 8  # bits


def png(pixels: UInt8[Tensor, "c h w"]) -> bytes:
    """Grey or RGB pixels as a PNG file.

    Source: the PNG specification, §5 and §11.2.
    """
    c, h, w = pixels.shape
    rows = pixels.permute(1, 2, 0).reshape(h, w * c)
    unfiltered = torch.cat([torch.zeros(h, 1, dtype=torch.uint8), rows], dim=1)
    header = struct.pack(">2I5B", w, h, DEPTH, COLOURS[c], 0, 0, 0)
    body = zlib.compress(unfiltered.contiguous().numpy().tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
