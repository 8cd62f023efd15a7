"""Batches of normalised images.

Padding follows normalisation, so padded zeros stand for the mean.  Source: fb.resnet.torch.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from residua.data import augment
from residua.data.images import Images
from residua.data.listing import Files
from residua.data.normalise import Normalisation, Normaliser
from residua.errors import UsageError
from residua.kernels import crops

Batch = tuple[Float[Tensor, "n c h w"], Int64[Tensor, "n"]]


@runtime_checkable
class TrainingBatches(Protocol):
    """Batches for training, from memory or from files: each a pure function of its step."""

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        ...

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over the whole run."""
        ...


class Batches:
    """Augmented training batches, each a pure function of (seed, step).

    An epoch is one permutation of the images, cut into whole batches; the images left over are
    not seen in that epoch.  Source: zagoruyko2016's released code. The whole set lies on the
    device as uint8; batches are in channels_last memory format.

    Args:
        images: The training images.
        batch_size: Images in a batch.
        seed: The run's seed.
        normalisation: What is done to them first, whether or not they are augmented.
        pad: The largest shift of a random crop, in pixels; 0 for no crop.
        crop_mode: What stands outside of an image: "zeros" or its "reflect"ion.
        flip: Whether each image is mirrored with probability one half, or in every second epoch.
        device: Where the images lie and the batches are made.

    Raises:
        UsageError: If the images do not fill one batch.
    """

    def __init__(  # noqa: PLR0913 - each is a value of the recipe's, given by name
        self,
        images: Images,
        *,
        batch_size: int,
        seed: int,
        normalisation: Normalisation,
        pad: int,
        crop_mode: augment.CropMode,
        flip: augment.Flip,
        device: torch.device | str,
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
        self.pixels: Tensor = _channels_last(pixels)
        self.labels: Tensor = images.labels.to(device)
        self.normalise = Normaliser(normalisation, like=self.pixels)
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
        wanted = self._crops(chosen, step=step, epoch=epoch)
        if self.in_one_pass():
            shift, scale = self.normalise.shift, self.normalise.scale
            x = crops.cropped(self.pixels, wanted, shift=shift, scale=scale)
        else:
            x = self._cropped(wanted)
        return x, self.labels[chosen]

    def in_one_pass(self) -> bool:
        """Whether there is a kernel for all that is done to the images."""
        return self.normalise.whitening is None and crops.available(self.pixels)

    def _crops(self, chosen: Int64[Tensor, "n"], *, step: int, epoch: int) -> crops.Crops:
        """Draw what is done to a batch's images."""
        count, device = len(chosen), chosen.device
        generator = augment.generator_for(self.seed, step, "crop")
        starts = augment.places(count, pad=self.pad, generator=generator)
        if self.flip == "alternating":
            mirrored = self.first_flips[chosen] ^ bool(epoch % 2)
        elif self.flip:
            generator = augment.generator_for(self.seed, step, "flip")
            mirrored = augment.flips(count, generator=generator)
        else:
            mirrored = torch.zeros(count, dtype=torch.bool)
        return crops.Crops(
            which=chosen,
            starts=starts.to(device),
            mirrored=mirrored.to(device),
            pad=self.pad,
            reflect=self.crop_mode == "reflect",
        )

    def _cropped(self, wanted: crops.Crops) -> Float[Tensor, "n c h w"]:
        """The same in torch's operations."""
        # Where whole images lie together in memory they are copied as one piece each.
        whole = self.pixels.permute(0, 2, 3, 1).index_select(0, wanted.which)
        x = self.normalise(whole.permute(0, 3, 1, 2))
        if self.pad:
            x = augment.pad_and_crop(x, wanted.starts, pad=self.pad, mode=self.crop_mode)
        return augment.mirror(x, wanted.mirrored) if self.flip else x

    @cached_property
    def first_flips(self) -> Bool[Tensor, "n"]:
        """Which images an alternating flip mirrors in the first epoch: about half of them."""
        generator = augment.generator_for(self.seed, 0, "alternate")
        flips = torch.randint(2, (len(self.labels),), generator=generator).bool()
        return flips.to(self.labels.device)


def evaluation_batches(
    images: Images | Files,
    *,
    batch_size: int,
    normalisation: Normalisation,
    device: torch.device | str,
    turn: slice = slice(None),
) -> Iterator[Batch]:
    """Yield every image once, in order, normalised as in `Batches`; the last batch may be short.

    Args:
        images: The images.
        batch_size: Images in a batch.
        normalisation: What is done to them.
        device: Where the batches lie.
        turn: Which of the batches are made, for those who share them out.
    """
    normalise = None
    for pixels, labels in _pieces(images, batch_size, turn):
        x = _channels_last(pixels.to(device))
        normalise = normalise or Normaliser(normalisation, like=x)
        yield normalise(x), labels.to(device)


def _pieces(
    images: Images | Files, batch_size: int, turn: slice
) -> Iterator[tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, "n"]]]:
    if isinstance(images, Files):
        from residua.data import imagenet  # noqa: PLC0415 - imports an optional package

        yield from imagenet.middles(images, batch_size=batch_size, turn=turn)
    else:
        for start in range(0, len(images), batch_size)[turn]:
            end = start + batch_size
            yield images.pixels[start:end], images.labels[start:end]


def _channels_last(pixels: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    return pixels.contiguous(memory_format=torch.channels_last)
