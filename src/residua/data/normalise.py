"""What is done to all pixels before a net sees them, as the papers have it."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from residua.data.images import Images
from residua.data.listing import Files
from residua.errors import UsageError

Way = Literal["per_pixel_mean", "per_pixel_mean_global_std", "mean_std", "divide", "zca"]

# Of pylearn2's script, with which the authors of zagoruyko2016 whitened their images.
LENGTH = 55.0
VARIANCE = 0.1
# Of the ILSVRC 2012 training images.  Source: fb.resnet.torch.
ILSVRC_MEAN = (0.485, 0.456, 0.406)
ILSVRC_STD = (0.229, 0.224, 0.225)
LARGEST = 48  # pixels a side: of larger images the matrix would be more work than the training

Pixels = UInt8[Tensor, "n c h w"]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """``(pixel / 255 - mean) / std``, or ``(contrast(pixel) - mean) @ whitening``.

    Attributes:
        mean: Per channel [c], or per pixel [c, h, w].
        std: Per channel [c], or None for no division.
        whitening: Symmetric [c·h·w, c·h·w], or None for no whitening.
    """

    mean: Tensor
    std: Tensor | None
    whitening: Tensor | None = None


def normalisation(images: Images | Files, way: Way) -> Normalisation:
    """Return what a way of normalising comes to for these training images.

    Too many for memory, they are taken to be like ILSVRC's.

    Sources: he2015 §4.2 (per_pixel_mean), the code of huang2016 (per_pixel_mean_global_std),
    fb.resnet.torch (mean_std), zagoruyko2016 §3 (zca).

    Raises:
        UsageError: If the images are too large to be whitened, or a mean image is asked for of more
            than memory holds.
    """
    if isinstance(images, Files):
        if way != "mean_std":
            raise UsageError(
                f"recipe.normalise {way} is for images in memory: those of imagenet:PATH take "
                f"mean_std"
            )
        return Normalisation(torch.tensor(ILSVRC_MEAN), torch.tensor(ILSVRC_STD))
    if way == "zca":
        return _zca(images)
    if way == "mean_std":
        return Normalisation(*mean_std(images, per_pixel=False))
    if way == "divide":
        return Normalisation(torch.zeros(images.pixels.shape[1]), None)
    mean, _ = mean_std(images, per_pixel=True)
    if way == "per_pixel_mean":
        return Normalisation(mean, None)
    squares = torch.stack([(x.double() / 255 - mean).square_().sum() for x in _chunks(images)])
    deviation = (squares.sum() / images.pixels.numel()).sqrt().float()
    if deviation < 1e-7:  # what rounding the mean leaves of equal images
        deviation = torch.ones(())
    return Normalisation(mean, deviation.expand(len(mean)).clone())


def mean_std(images: Images, *, per_pixel: bool) -> tuple[Tensor, Tensor | None]:
    """Return what normalises these images, in units of 0..1.

    Args:
        images: The training images.
        per_pixel: Whether each pixel has its own mean.

    Returns:
        (mean [c, h, w], None) per pixel, he2015's way; else (mean [c], std [c]), where std is the
        population deviation of all pixels of a channel, or 1 for a channel of one value, which
        thus becomes zeros. All are exact until rounded to float32.
    """
    if per_pixel:
        # Summed in the order in which `Images.take` lays pixels out, or it takes ten times as long.
        total = torch.zeros(images.pixels.shape[1:], dtype=torch.int64)
        for chunk in _chunks(images):
            total += chunk.permute(0, 2, 3, 1).sum(0, dtype=torch.int32).permute(2, 0, 1)
        return (total.double() / len(images) / 255).float(), None
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([_counts(chunk) for chunk in _chunks(images)]).sum(0)
    shares = counts.double() / counts[0].sum()
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(1)
    return mean.float(), torch.where(variance > 0, variance, 1).sqrt().float()


def contrast(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Bring each image by itself to mean 0 and length 55; one of a single value becomes zeros.

    Source: global contrast normalisation in pylearn2's CIFAR-10, as zagoruyko2016's README has it.
    """
    centred = x - x.mean((1, 2, 3), keepdim=True)
    length = centred.square().sum((1, 2, 3), keepdim=True).sqrt()
    return centred * torch.where(length > 0, LENGTH / length, 0)


class Normaliser:
    """A normalisation as a function of pixels that lie in memory as others do.

    Args:
        constants: What is subtracted, divided by, multiplied with.
        like: Images of the same size and order in memory, on the same device.

    Attributes:
        shift: What is subtracted from each pixel, float32 [1, c, h, w], in that order.
        scale: What it is divided by, likewise, or None.
        whitening: What it is multiplied with, [c·h·w, c·h·w], or None.
    """

    def __init__(self, constants: Normalisation, *, like: Pixels) -> None:
        def per_pixel(values: Tensor) -> Tensor:
            # Broadcasting three numbers over a channels_last batch takes eight times as long.
            channelwise = values.view(-1, 1, 1) if values.ndim == 1 else values
            return torch.empty_like(like[:1], dtype=torch.float32).copy_(channelwise)

        whitening = constants.whitening
        self.shift = per_pixel(constants.mean)
        self.scale = None if constants.std is None else per_pixel(constants.std)
        self.whitening = None if whitening is None else whitening.to(like.device)

    def __call__(self, pixels: Pixels) -> Float32[Tensor, "n c h w"]:
        """Return the pixels normalised."""
        if self.whitening is not None:
            x = contrast(pixels.float()).sub_(self.shift)
            return torch.empty_like(x).copy_((x.flatten(1) @ self.whitening).view(x.shape))
        x = pixels.float().div_(255).sub_(self.shift)
        return x if self.scale is None else x.div_(self.scale)


def _zca(images: Images) -> Normalisation:
    """Return the mean of the images' contrasts and ``(covariance + 0.1)^(-1/2)``.

    Source: ZCA in pylearn2 with its default filter_bias, as zagoruyko2016's README has it.
    """
    shape = images.pixels.shape[1:]
    if max(shape[1:]) > LARGEST:
        raise UsageError(
            f"recipe.normalise zca is for images of up to {LARGEST}x{LARGEST} pixels, not of "
            f"{shape[2]}x{shape[1]}: take another, or a smaller data.image_size"
        )
    size = math.prod(shape)
    total = torch.zeros(size, dtype=torch.float64)
    products = torch.zeros(size, size, dtype=torch.float64)
    for chunk in _chunks(images):
        x = contrast(chunk.double()).flatten(1)
        total += x.sum(0)
        products.addmm_(x.T, x)
    mean = total / len(images)
    covariance = products.div_(len(images)).addr_(mean, mean, alpha=-1)
    covariance.diagonal().add_(VARIANCE)
    values, vectors = torch.linalg.eigh(covariance)
    whitening = (vectors / values.sqrt()) @ vectors.T
    return Normalisation(mean.view(shape).float(), None, whitening.float())


def _chunks(images: Images) -> tuple[Pixels, ...]:
    """Return the images in parts: casts of the whole set would take several times its room."""
    return images.pixels.split(1_000)


def _counts(pixels: Pixels) -> Int64[Tensor, "c 256"]:
    """Return how often each of the 256 values occurs in each channel."""
    return torch.stack(
        [torch.bincount(channel.flatten(), minlength=256) for channel in pixels.unbind(1)]
    )
