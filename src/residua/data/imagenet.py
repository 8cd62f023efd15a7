"""Batches from folders too large for memory, decoded by worker processes while a net trains.

A batch is a function of (seed, step), whatever the number of workers: a worker makes a batch as a
whole, from random numbers of that step.
"""

import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from residua.data import augment
from residua.data.decoding import guarded
from residua.data.folders import Listing, opened, pair, square
from residua.data.loaders import Batch
from residua.errors import RunError, UsageError

# Of the ILSVRC 2012 training images.  Source: fb.resnet.torch.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
NUM_TRIES = 10

Decoded = tuple[UInt8[Tensor, "n s s 3"], Int64[Tensor, "n"]]


def read(root: Path) -> tuple[Listing, Listing]:
    """Return the training and validation images of a folder with ``train`` and ``val`` in it.

    Raises:
        RunError: If the folder is not as it should be.
    """
    return pair(root, "train", "val")


class FolderBatches:
    """Augmented training batches from files, each a function of (seed, step).

    An epoch is one permutation of the images, cut into whole batches. Of each image a random part,
    8 to 100 percent of its area and 3:4 to 4:3 in shape, is scaled to a square, and mirrored with
    probability one half.  Source: szegedy2015 §6, as in fb.resnet.torch.

    Args:
        files: The training images.
        batch_size: Images in a batch.
        seed: The run's seed.
        num_workers: Processes that decode; with 0, whoever asks for a batch does.
        device: Where the batches are normalised.
        image_size: Width and height of the images.

    Raises:
        UsageError: If the images do not fill one batch.
    """

    def __init__(  # noqa: PLR0913 - each is a value of the recipe's or the runtime's, given by name
        self,
        files: Listing,
        *,
        batch_size: int,
        seed: int,
        num_workers: int,
        device: torch.device | str,
        image_size: int = 224,
    ) -> None:
        if len(files.names) < batch_size:
            raise UsageError(
                f"{len(files.names)} training images do not fill one batch of {batch_size}: lower "
                f"recipe.batch_size"
            )
        self.seed = seed
        self.num_workers = num_workers
        self.device = torch.device(device)
        self.steps_per_epoch = len(files.names) // batch_size
        self._parts = _RandomParts(files, batch_size, seed, image_size)
        self._coming: Iterator[Batch] = iter(())
        self._next = -1

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over the whole run: normalised, augmented.

        Workers prepare the steps that follow, so steps are quickest in order.

        Raises:
            RunError: If a file is no image, or a worker dies.
        """
        if step != self._next:
            steps = range(step, sys.maxsize)
            self._coming = _batches(self._parts, steps, self.num_workers, self.device)
        x, y = next(self._coming)
        self._next = step + 1
        return augment.flip(x, generator=augment.generator_for(self.seed, step, "flip")), y


def evaluation_batches(
    files: Listing,
    *,
    batch_size: int,
    num_workers: int,
    device: torch.device | str,
    image_size: int = 224,
) -> Iterator[Batch]:
    """Yield every image once, in order: a square in its middle, 7/8 as long as its shorter side.

    At 224 pixels that is the usual crop out of an image whose shorter side is scaled to 256.

    Raises:
        RunError: If a file is no image, or a worker dies.
    """
    steps = range(math.ceil(len(files.names) / batch_size))
    parts = _MiddleParts(files, batch_size, image_size)
    return _batches(parts, steps, num_workers, torch.device(device))


class _RandomParts(Dataset[Decoded | RunError]):
    """The decoded training images of each step, or why there are none."""

    def __init__(self, files: Listing, batch_size: int, seed: int, image_size: int) -> None:
        self.files, self.batch_size, self.seed = files, batch_size, seed
        self.image_size = image_size
        self.epoch, self.order = -1, torch.empty(0, dtype=torch.int64)

    def __getitem__(self, step: int) -> Decoded | RunError:
        num_images = len(self.files.names)
        epoch, position = divmod(step, num_images // self.batch_size)
        if epoch != self.epoch:
            generator = augment.generator_for(self.seed, epoch, "order")
            self.epoch, self.order = epoch, torch.randperm(num_images, generator=generator)
        chosen = self.order[position * self.batch_size :][: self.batch_size]
        generator = augment.generator_for(self.seed, step, "crop")
        draws = torch.rand(self.batch_size, NUM_TRIES, 4, generator=generator).tolist()

        def part(image: Image.Image) -> np.ndarray:
            box = random_box(image.width, image.height, draws.pop())
            if box is None:
                return square(image, self.image_size)
            size = (self.image_size, self.image_size)
            return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box))

        return _decoded(self.files, chosen.tolist(), part)


class _MiddleParts(Dataset[Decoded | RunError]):
    """The decoded images of each step of an evaluation, or why there are none."""

    def __init__(self, files: Listing, batch_size: int, image_size: int) -> None:
        self.files, self.batch_size, self.image_size = files, batch_size, image_size

    def __getitem__(self, step: int) -> Decoded | RunError:
        chosen = range(len(self.files.names))[step * self.batch_size :][: self.batch_size]
        return _decoded(
            self.files, list(chosen), lambda image: square(image, self.image_size, bleed=1 / 16)
        )


def random_box(
    width: int, height: int, draws: list[list[float]]
) -> tuple[int, int, int, int] | None:
    """Return the corners of a random part of an image, or None if no try fits into it.

    Args:
        width: The image's width.
        height: Its height.
        draws: For each try four numbers in 0..1: for the area, the shape, and the place.
    """
    for for_area, for_shape, for_x, for_y in draws:
        area = width * height * (0.08 + 0.92 * for_area)
        shape = (4 / 3) ** (2 * for_shape - 1)
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 1 <= w <= width and 1 <= h <= height:
            left, top = int(for_x * (width - w + 1)), int(for_y * (height - h + 1))
            return left, top, left + w, top + h
    return None


def _decoded(
    files: Listing, chosen: list[int], part: Callable[[Image.Image], np.ndarray]
) -> Decoded | RunError:
    """Return part of each chosen image; errors too, as they lose their shape between processes."""
    try:
        with guarded():
            arrays = [part(opened(files.root / files.names[index])) for index in chosen]
    except RunError as error:
        return error
    labels = torch.tensor([files.labels[index] for index in chosen])
    return torch.from_numpy(np.stack(arrays)), labels


def _process_context() -> BaseContext:
    """Return how workers start: never as copies of this process, whose threads may hold locks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, not by every worker
    return context


def _batches(
    parts: Dataset[Decoded | RunError], steps: range, num_workers: int, device: torch.device
) -> Iterator[Batch]:
    loader = DataLoader(
        parts,
        batch_size=None,
        sampler=steps,
        num_workers=num_workers,
        multiprocessing_context=_process_context() if num_workers else None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # or it would draw from the net's
    )
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, STD))
    try:
        for decoded in loader:
            if isinstance(decoded, RunError):
                raise decoded
            pixels, labels = decoded
            x = pixels.to(device).permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
            yield x, labels.to(device)
    except RunError:
        raise
    except (RuntimeError, OSError, EOFError) as error:  # the last two, if it died while sending
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(
            f"a process that decodes images died ({reason}): use fewer of them or a smaller batch, "
            f"if memory was short"
        ) from error
