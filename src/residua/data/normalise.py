"""What is subtracted from pixels in 0..1, and what divides the rest, as the papers have it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from residua.data.images import Images
from residua.data.loaders import mean_std

Way = Literal["per_pixel_mean", "per_pixel_mean_global_std", "mean_std", "divide"]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """``(pixel / 255 - mean) / std``.

    Attributes:
        mean: Per channel [c], or per pixel [c, h, w].
        std: Per channel [c], or None for no division.
    """

    mean: Tensor
    std: Tensor | None


def normalisation(images: Images, way: Way) -> Normalisation:
    """Return what a way of normalising comes to for these training images.

    Sources: he2015 §4.2 (per_pixel_mean), the code of huang2016 (per_pixel_mean_global_std),
    fb.resnet.torch (mean_std).
    """
    if way == "mean_std":
        return Normalisation(*mean_std(images, per_pixel=False))
    if way == "divide":
        return Normalisation(torch.zeros(images.pixels.shape[1]), None)
    mean, _ = mean_std(images, per_pixel=True)
    if way == "per_pixel_mean":
        return Normalisation(mean, None)
    chunks = images.pixels.split(1_000)
    squares = torch.stack([(chunk.double() / 255 - mean).square_().sum() for chunk in chunks])
    deviation = (squares.sum() / images.pixels.numel()).sqrt().float()
    if deviation < 1e-7:  # what rounding the mean leaves of equal images
        deviation = torch.ones(())
    return Normalisation(mean, deviation.expand(len(mean)).clone())
