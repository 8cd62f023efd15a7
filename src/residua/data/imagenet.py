"""Batches from folders too large for memory, decoded by worker processes while a net trains.

A batch is a function of (seed, step), whatever the number of workers: a worker makes a batch as a
whole, from random numbers of that step.
"""

import math
import multiprocessing
import os
import signal
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
from residua.data.folders import opened, square
from residua.data.images import DataSet, room
from residua.data.listing import Files, fingerprint, pair
from residua.data.loaders import Batch
from residua.data.normalise import Normalisation, Normaliser
from residua.errors import RunError, UsageError

NUM_TRIES = 10
MOST_WORKERS = 16  # each keeps two batches ready
BLEED = 1 / 16  # of a side, at each end: evaluation's crop of 224 out of 256
HELD_BACK = 100  # one training image in so many validates, as is common for ImageNet

Decoded = tuple[UInt8[Tensor, "m 3 s s"], Int64[Tensor, "n"]]


def read(name: str, root: Path, *, image_size: int) -> DataSet:
    """Return the images of a folder with ``train`` and ``val`` in it; the latter test.

    Args:
        name: The data set's name.
        root: The folder; ``train`` and ``val`` have one sub-folder a class.
        image_size: Width and height to which the images are brought.

    Raises:
        RunError: If the folder is not as it should be.
        UsageError: If the size is impossible.
    """
    if image_size < 1:
        raise UsageError(f"an image size of {image_size} is impossible: it is at least 1")
    train, test = (Files(part, image_size, _num_workers()) for part in pair(root, "train", "val"))
    return DataSet(
        name=name,
        classes=train.listing.classes,
        train=train,
        test=test,
        val_size=len(train) // HELD_BACK,
        files=fingerprint(train.listing, test.listing),
    )


class FolderBatches:
    """Augmented training batches from files, each a function of (seed, step).

    An epoch is one permutation of the images, cut into whole batches. Of each image a random part,
    8 to 100 percent of its area and 3:4 to 4:3 in shape, is scaled to a square, and mirrored with
    probability one half.  Source: szegedy2015 §6, as in fb.resnet.torch.

    Args:
        files: The training images.
        batch_size: Images in a batch.
        seed: The run's seed.
        normalisation: What is done to them first.
        flip: Whether they are mirrored.
        device: Where the batches are normalised.
        part: Which images of each batch are decoded; the others are left blank. By default all.

    Raises:
        UsageError: If the images do not fill one batch.
    """

    def __init__(  # noqa: PLR0913 - each is a value of the recipe's or the runtime's, given by name
        self,
        files: Files,
        *,
        batch_size: int,
        seed: int,
        normalisation: Normalisation,
        flip: bool,
        device: torch.device | str,
        part: slice = slice(None),
    ) -> None:
        if len(files) < batch_size:
            raise UsageError(
                f"{len(files)} training images do not fill one batch of {batch_size}: lower "
                f"recipe.batch_size"
            )
        self.seed = seed
        self.flip = flip
        self.part = part
        self.steps_per_epoch: int = len(files) // batch_size
        self._num_workers = files.num_workers
        self._pixels = room(batch_size, 3, files.image_size, files.image_size).zero_().to(device)
        self._normalise = Normaliser(normalisation, like=self._pixels)
        self._parts = _RandomParts(files, batch_size, seed, part)
        self._coming: Iterator[Decoded] = iter(())
        self._next = -1

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over the whole run: normalised, augmented.

        Workers prepare the steps that follow, so steps are quickest in order.

        Raises:
            RunError: If a file is no image, or a worker dies.
        """
        if step != self._next:
            self._coming = _decoded(self._parts, range(step, sys.maxsize), self._num_workers)
        pixels, labels = next(self._coming)
        self._next = step + 1
        self._pixels[self.part] = pixels.to(self._pixels.device)
        x = self._normalise(self._pixels)
        if self.flip:
            generator = augment.generator_for(self.seed, step, "flip")
            x = augment.mirror(x, augment.flips(len(x), generator=generator).to(x.device))
        return x, labels.to(x.device)


def middles(files: Files, *, batch_size: int, turn: slice) -> Iterator[Decoded]:
    """Yield every image once, in order: a square in its middle, 7/8 as long as its shorter side.

    At 224 pixels that is the usual crop out of an image whose shorter side is scaled to 256.

    Args:
        files: The images.
        batch_size: Images in a batch; the last may have fewer.
        turn: Which of the batches are decoded at all.

    Raises:
        RunError: If a file is no image, or a worker dies.
    """
    steps = range(math.ceil(len(files) / batch_size))[turn]
    return _decoded(_MiddleParts(files, batch_size), steps, files.num_workers)


class _RandomParts(Dataset[Decoded | RunError]):
    """The decoded training images of each step's part, or why there are none."""

    def __init__(self, files: Files, batch_size: int, seed: int, part: slice) -> None:
        self.files, self.batch_size, self.seed, self.part = files, batch_size, seed, part
        self.epoch, self.order = -1, torch.empty(0, dtype=torch.int64)

    def __getitem__(self, step: int) -> Decoded | RunError:
        epoch, position = divmod(step, len(self.files) // self.batch_size)
        if epoch != self.epoch:
            generator = augment.generator_for(self.seed, epoch, "order")
            self.epoch, self.order = epoch, torch.randperm(len(self.files), generator=generator)
        chosen = self.order[position * self.batch_size :][: self.batch_size]
        generator = augment.generator_for(self.seed, step, "crop")
        draws = torch.rand(self.batch_size, NUM_TRIES, 4, generator=generator)[self.part]
        size = self.files.image_size

        def part(image: Image.Image, draw: list[list[float]]) -> np.ndarray:
            box = random_box(image.width, image.height, draw)
            if box is None:
                return square(image, size)
            return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box))

        parts = iter(draws.tolist())
        decoded = _opened(
            self.files.take(chosen[self.part]), lambda image: part(image, next(parts))
        )
        return (
            decoded if isinstance(decoded, RunError) else (decoded, self.files.take(chosen).labels)
        )


class _MiddleParts(Dataset[Decoded | RunError]):
    """The decoded images of each step of an evaluation, or why there are none."""

    def __init__(self, files: Files, batch_size: int) -> None:
        self.files, self.batch_size = files, batch_size

    def __getitem__(self, step: int) -> Decoded | RunError:
        chosen = torch.arange(len(self.files))[step * self.batch_size :][: self.batch_size]
        files = self.files.take(chosen)
        size = files.image_size
        decoded = _opened(files, lambda image: square(image, size, bleed=BLEED))
        return decoded if isinstance(decoded, RunError) else (decoded, files.labels)


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


def _opened(
    files: Files, part: Callable[[Image.Image], np.ndarray]
) -> UInt8[Tensor, "n 3 s s"] | RunError:
    """Return part of each image; errors too, as they lose their shape between processes."""
    root, names = files.listing.root, files.listing.names
    try:
        with guarded():
            arrays = [part(opened(root / name)) for name in names]
    except RunError as error:
        return error
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def _num_workers() -> int:
    """Return as many as there are cores for each of the ranks on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST_WORKERS, (cores or 1) // ranks))


def _process_context() -> BaseContext:
    """Return how workers start: never as copies of this process, whose threads may hold locks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, not by every worker
    return context


def _begin(_worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that saves and stops."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _decoded(
    parts: Dataset[Decoded | RunError], steps: range, num_workers: int
) -> Iterator[Decoded]:
    loader = DataLoader(
        parts,
        batch_size=None,
        sampler=steps,
        num_workers=num_workers,
        multiprocessing_context=_process_context() if num_workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # or it would draw from the net's
        worker_init_fn=_begin,
    )
    try:
        for decoded in loader:
            if isinstance(decoded, RunError):
                raise decoded
            yield decoded
    except RunError:
        raise
    except (RuntimeError, OSError, EOFError) as error:  # the last two, if it died while sending
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(
            f"a process that decodes images died ({reason}): use fewer of them or a smaller batch, "
            f"if memory was short"
        ) from error
