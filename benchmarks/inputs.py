"""Augmented images/s, ours beside a DataLoader with per-image transforms and two workers.

    python -m benchmarks.inputs [--short] [--json FILE]

The loader is what tutorials write: images of PIL, padded, cropped at random and mirrored one by
one, made tensors and normalised. Each transform does what torchvision's of that name does, in the
same operations and with random numbers from torch. Two workers do it, and stay between epochs.
Ours is the training loop's, whole batches at once. Both go through the same number of images in
turns, the workers idle while ours are made. Then a batch of ours is held against a training step of
ResNet-20, which includes one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.contenders import our_state, our_step
from benchmarks.machine import CPU
from benchmarks.report import Aim, Benchmark, Options, Result, Row, Sheet, images_per_second
from benchmarks.timing import interleaved, speedup, timed
from residua.data.images import Images
from residua.data.loaders import Batches
from residua.data.normalise import Normalisation

NET = "cifar/resnet-20"
BATCH_SIZE = 128
PAD = 4
SET_SIZE = 50_000
RATE_AIM = 20  # times the loader's
SHARE_AIM = 3  # percent of a step
MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)
NORMALISATION = Normalisation(torch.tensor(MEAN), torch.tensor(STD))
LOADER, OURS, STEP, BATCH = "DataLoader", "ours", "step", "batch"


def random_crop(image: Image.Image) -> Image.Image:
    """Return a window of the old size somewhere in the padded image."""
    width, height = image.size
    top, left = (int(torch.randint(2 * PAD + 1, (1,)).item()) for _ in range(2))
    return ImageOps.expand(image, border=PAD).crop((left, top, left + width, top + height))


def random_flip(image: Image.Image) -> Image.Image:
    """Return the image or its mirror image."""
    return ImageOps.mirror(image) if torch.rand(1) < 0.5 else image


def to_tensor(image: Image.Image) -> Tensor:
    """Return [c, h, w] in 0…1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)


def normalise(x: Tensor) -> Tensor:
    """Return the image with its channels' means subtracted, divided by their deviations."""
    mean, std = (torch.as_tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    return x.clone().sub_(mean).div_(std)


TRANSFORMS: tuple[Callable[[Any], Any], ...] = (random_crop, random_flip, to_tensor, normalise)


class PerImage(Dataset[tuple[Tensor, int]]):
    """The first so many images of a set, each transformed when it is asked for."""

    def __init__(self, images: Images, *, length: int) -> None:
        self.pixels = images.pixels[:length].permute(0, 2, 3, 1).contiguous().numpy()
        self.labels: list[int] = images.labels[:length].tolist()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image as a normalised tensor, augmented, and its label."""
        x: Any = Image.fromarray(self.pixels[index])
        for transform in TRANSFORMS:
            x = transform(x)
        return x, self.labels[index]


def measure(options: Options) -> list[Row]:
    """One row."""
    return [row(options, length=6_400 if options.short else 25_600)]


def row(
    options: Options,
    *,
    length: int,
    set_size: int = SET_SIZE,
    batch_size: int = BATCH_SIZE,
    workers: int = 2,
) -> Row:
    """Seconds for so many images from either, for one batch of ours, and for a step with it."""
    images = noise(set_size)
    batches = our_batches(images, batch_size=batch_size)
    loader = DataLoader(
        PerImage(images, length=length),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    rates = interleaved(
        {
            LOADER: timed(lambda: sum(len(y) for _, y in loader)),
            OURS: timed(lambda: made(batches, length // batch_size)),
        },
        options.budget,
    )
    state = our_state(NET, batch_size=batch_size)
    state.batches = batches
    shares = interleaved(
        {STEP: timed(our_step(state)), BATCH: timed(following(batches))}, options.budget
    )
    return {
        "net": NET,
        "images": length // batch_size * batch_size,
        "batch_size": batch_size,
        "bytes": batch_size * images.pixels[0].numel() * (1 + 4),
        "times": rates | shares,
    }


def made(batches: Batches, count: int) -> None:
    """Make so many batches; like the loader's, none is kept."""
    for step in range(count):
        batches.batch(step)


def noise(num_images: int) -> Images:
    """As many images as CIFAR has, of noise: no transform here looks at what is on them."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (num_images, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.arange(num_images) % 10)


def our_batches(images: Images, *, batch_size: int) -> Batches:
    """Our batches as the papers augment them."""
    return Batches(
        images,
        batch_size=batch_size,
        seed=0,
        normalisation=NORMALISATION,
        pad=PAD,
        crop_mode="zeros",
        flip=True,
        device=CPU.device,
    )


def following(batches: Batches) -> Callable[[], object]:
    """Each call makes the next batch; so new epochs are drawn as often as in training."""
    step = -1

    def batch() -> object:
        nonlocal step
        step += 1
        return batches.batch(step)

    return batch


def sheets(result: Result) -> list[Sheet]:
    """Both rates, and the input's share of a step."""
    return [sheet(row, result["machine"]["rates"]) for row in result["rows"]]


def sheet(row: Row, rates: dict[str, float]) -> Sheet:
    """The one line, and how far from copying alone."""
    times = row["times"]
    batch_s = times[BATCH]["median_s"]
    least_s = row["bytes"] / rates["copy_gb_per_s"] / 1e9
    return Sheet(
        headings=("images/s", LOADER, OURS, "ours ÷ loader", f"of a step of {row['net']}"),
        rows=(
            (
                f"batches of {row['batch_size']}",
                *(images_per_second(row["images"], times[n]["median_s"]) for n in (LOADER, OURS)),
                Aim(value=speedup(times, OURS, over=LOADER), limit=RATE_AIM, sense="≥"),
                Aim(
                    value=100 * batch_s / times[STEP]["median_s"],
                    limit=SHARE_AIM,
                    sense="≤",
                    unit=" %",
                ),
            ),
        ),
        note=(
            "Padding, random crop, flip, normalisation; the DataLoader has two workers. "
            f"Roofline: a batch reads and writes at least {row['bytes'] / 1e6:.2f} MB, "
            f"{1e3 * least_s:.2f} ms at the rate of a copy; ours takes {1e3 * batch_s:.2f} ms, "
            f"{100 * least_s / batch_s:.0f} % of that rate."
        ),
    )


BENCHMARK = Benchmark(
    name="inputs", title="Augmented training images", measure=measure, sheets=sheets
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
