"""Operations on a batch beyond crop and flip: cutout, and images blended or pasted into others."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mixed:
    """A batch in which each image holds ``share`` of itself and the rest of ``order``'s image.

    Attributes:
        x: The images.
        order: For each image, the index of the other that is in it.
        share: What the image's own label counts for, in 0..1; the other's counts for the rest.
    """

    x: Float[Tensor, "n c h w"]
    order: Int64[Tensor, "n"]
    share: float


def cutout(
    x: Float[Tensor, "n c h w"], *, size: int, generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Return the images with a square of ``size`` pixels set to zero around a random pixel.

    The square may reach over the border, so less of the image may be hidden.
    Source: DeVries & Taylor 2017, §3.
    """
    num, _, height, width = x.shape
    hidden = []
    for length in (height, width):
        centre = torch.randint(length, (num, 1), generator=generator)
        offset = torch.arange(length) - centre + size // 2
        hidden.append((offset >= 0) & (offset < size))
    mask = hidden[0][:, None, :, None] & hidden[1][:, None, None, :]
    return x.masked_fill(mask.to(x.device), 0)


def mixup(x: Float[Tensor, "n c h w"], *, alpha: float, generator: torch.Generator) -> Mixed:
    """Blend each image with another of the batch, all by one share drawn from Beta(α, α).

    Source: Zhang et al. 2018, eq. 2 and the authors' code.
    """
    share = _beta(alpha, generator)
    order = torch.randperm(len(x), generator=generator).to(x.device)
    return Mixed(share * x + (1 - share) * x[order], order, share)


def cutmix(x: Float[Tensor, "n c h w"], *, alpha: float, generator: torch.Generator) -> Mixed:
    """Paste one rectangle of another image into each; its area is a share drawn from Beta(α, α).

    The rectangle is clipped at the border, and ``share`` counts the pixels that are left.
    Source: Yun et al. 2019, §3 and the authors' code.
    """
    side = (1 - _beta(alpha, generator)) ** 0.5
    order = torch.randperm(len(x), generator=generator).to(x.device)
    rows, columns = (_span(length, side, generator) for length in x.shape[-2:])
    mixed = x.clone(memory_format=torch.preserve_format)
    mixed[:, :, rows, columns] = x[order][:, :, rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Mixed(mixed, order, 1 - pasted / (x.shape[-2] * x.shape[-1]))


def _span(length: int, side: float, generator: torch.Generator) -> slice:
    """Return a stretch of ``side · length`` pixels around a random one, clipped at both ends."""
    centre = int(torch.randint(length, (), generator=generator))
    half = int(side * length) // 2
    return slice(max(0, centre - half), min(length, centre + half))


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Return a draw from Beta(α, α); torch's own distribution takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))
