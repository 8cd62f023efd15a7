"""Batches of normalised images, and the mean and deviation that normalise them.

Padding follows normalisation, so padded zeros stand for the mean.  Source: fb.resnet.torch.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor

from residua.data import augment
from residua.data.images import Images
from residua.errors import UsageError

Batch = tuple[Float[Tensor, "n c h w"], Int64[Tensor, "n"]]


class Batches:
    """Augmented training batches, each a pure function of (seed, step).

    An epoch is one permutation of the images, cut into whole batches; the images left over are
    not seen in that epoch.  Source: zagoruyko2016's released code. The whole set lies on the
    device as uint8.

    Args:
        images: The training images.
        batch_size: Images in a batch.
        seed: The run's seed.
        mean: Subtracted from the pixels in 0..1: [c], or [c, h, w] for a mean per pixel.
        std: Divides what the mean leaves: [c], or None.
        pad: The largest shift of a random crop, in pixels; 0 for no crop.
        crop_mode: What stands outside of an image: "zeros" or its "reflect"ion.
        flip: Whether each image is mirrored with probability one half, or in every second epoch.
        device: Where the images lie and the batches are made.
        channels_last: Whether batches are in channels_last memory format.

    Raises:
        UsageError: If the images do not fill one batch.
    """

    def __init__(  # noqa: PLR0913 - each is a value of the recipe's, given by name
        self,
        images: Images,
        *,
        batch_size: int,
        seed: int,
        mean: Tensor,
        std: Tensor | None,
        pad: int,
        crop_mode: augment.CropMode,
        flip: augment.Flip,
        device: torch.device | str,
        channels_last: bool = True,
    ) -> None:
        if len(images) < batch_size:
            raise UsageError(
                f"{len(images)} training images do not fill one batch of {batch_size}: "
                f"lower recipe.batch_size or raise data.train_limit"
            )
        pixels = images.pixels.to(device)
        self.batch_size = batch_size
        self.seed = seed
        self.pad = pad
        self.crop_mode: augment.CropMode = crop_mode
        self.flip: augment.Flip = flip
        self.pixels = _channels_last(pixels) if channels_last else pixels.contiguous()
        self.labels = images.labels.to(device)
        self.normalise = _normaliser(mean, std, like=self.pixels)
        self._epoch = -1
        self._order = self.labels[:0]

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return len(self.labels) // self.batch_size

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over the whole run: normalised, augmented."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = augment.generator_for(self.seed, epoch, "order")
            order = torch.randperm(len(self.labels), generator=generator)
            self._epoch, self._order = epoch, order.to(self.labels.device)
        chosen = self._order[position * self.batch_size :][: self.batch_size]
        x = self.normalise(self.pixels[chosen])
        if self.pad:
            generator = augment.generator_for(self.seed, step, "crop")
            x = augment.pad_and_crop(x, pad=self.pad, mode=self.crop_mode, generator=generator)
        if self.flip == "alternating":
            x = augment.mirror(x, self.first_flips[chosen] ^ bool(epoch % 2))
        elif self.flip:
            x = augment.flip(x, generator=augment.generator_for(self.seed, step, "flip"))
        return x, self.labels[chosen]

    @cached_property
    def first_flips(self) -> Bool[Tensor, "n"]:
        """Which images an alternating flip mirrors in the first epoch: about half of them."""
        generator = augment.generator_for(self.seed, 0, "alternate")
        flips = torch.randint(2, (len(self.labels),), generator=generator).bool()
        return flips.to(self.labels.device)


def evaluation_batches(
    images: Images,
    *,
    batch_size: int,
    mean: Tensor,
    std: Tensor | None,
    device: torch.device | str,
) -> Iterator[Batch]:
    """Yield every image once, in order, normalised as in `Batches`; the last batch may be short."""
    normalise = _normaliser(mean, std, like=_channels_last(images.pixels[:1].to(device)))
    for start in range(0, len(images), batch_size):
        pixels = images.pixels[start : start + batch_size].to(device)
        labels = images.labels[start : start + batch_size].to(device)
        yield normalise(_channels_last(pixels)), labels


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
    chunks = images.pixels.split(1_000)  # a cast of the whole set would take several times its room
    if per_pixel:
        # Summed in the order in which `Images.take` lays pixels out, or it takes ten times as long.
        total = torch.zeros(images.pixels.shape[1:], dtype=torch.int64)
        for chunk in chunks:
            total += chunk.permute(0, 2, 3, 1).sum(0, dtype=torch.int32).permute(2, 0, 1)
        return (total.double() / len(images) / 255).float(), None
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([_counts(chunk) for chunk in chunks]).sum(0)
    shares = counts.double() / counts[0].sum()
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(1)
    return mean.float(), torch.where(variance > 0, variance, 1).sqrt().float()


def _counts(pixels: UInt8[Tensor, "n c h w"]) -> Int64[Tensor, "c 256"]:
    """Return how often each of the 256 values occurs in each channel."""
    return torch.stack(
        [torch.bincount(channel.flatten(), minlength=256) for channel in pixels.unbind(1)]
    )


def _channels_last(pixels: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    return pixels.contiguous(memory_format=torch.channels_last)


def _normaliser(
    mean: Tensor, std: Tensor | None, *, like: UInt8[Tensor, "m c h w"]
) -> Callable[[UInt8[Tensor, "n c h w"]], Float32[Tensor, "n c h w"]]:
    """Return (pixels / 255 - mean) / std as a function of pixels laid out in memory as `like`."""

    def per_pixel(values: Tensor) -> Tensor:
        # Broadcasting three numbers over a channels_last batch takes eight times as long.
        channelwise = values.view(-1, 1, 1) if values.ndim == 1 else values
        return torch.empty_like(like[:1], dtype=torch.float32).copy_(channelwise)

    shift = per_pixel(mean)
    scale = None if std is None else per_pixel(std)

    def normalise(pixels: UInt8[Tensor, "n c h w"]) -> Float32[Tensor, "n c h w"]:
        x = pixels.float().div_(255).sub_(shift)
        return x if scale is None else x.div_(scale)

    return normalise
