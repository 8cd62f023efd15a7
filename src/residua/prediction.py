"""A trained net asked about any images: one function behind the command and Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.errors import UsageError
from residua.nets.build import Net
from residua.training import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from residua.data.given import Given, Kind

    Source = str | Path | Image | Tensor
else:  # pillow is optional
    Source = Any

TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A class and how likely it is, in 0…1."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a net makes of an image.

    Attributes:
        image: The image's file, or what stands for it.
        classes: The five likeliest, or as many as were asked for, the likeliest first.
        notes: How the image is unlike those that the net was trained on.
    """

    image: str
    classes: tuple[Guess, ...]
    notes: tuple[str, ...]


def predict(net: Net, images: Source | list[Source], *, top: int = TOP) -> list[Prediction]:
    """The likeliest classes of each image, with their probabilities.

    An image is turned as its EXIF orientation says, laid on white where it is transparent, and
    scaled and cut to a square as in evaluation; then normalised with what travels with the weights.

    Args:
        net: A net with ``net.meta``, such as ``residua.load`` returns.
        images: An image file, a folder of them, a pillow image, uint8 pixels [c, h, w] or
            [n, c, h, w], or a list of such.
        top: How many classes are told, if there are as many.

    Returns:
        A prediction for each image, in order; a folder's images in the order of their names.

    Raises:
        UsageError: The net or an argument cannot be used so, or pillow is missing.
        RunError: A file is no image, or is animated, or has too many pixels.
    """
    if top < 1:
        raise UsageError(f"top is how many classes to tell: at least 1, not {top}")
    seen = look(net, images)
    found: list[Prediction] = []
    while batch := list(islice(seen, evaluate.BATCH_SIZE)):
        found += tell(net, batch, top=top)
    return found


def look(net: Net, images: Source | list[Source]) -> Iterator[Given]:
    """Each image as a net sees it; arguments and errors are those of :func:`predict`."""
    given = sets.import_room("given")
    kind = _kind(net, given.Kind)
    return (given.read(name, source, kind) for name, source in given.sources(images))


def tell(net: Net, batch: list[Given], *, top: int = TOP) -> Iterator[Prediction]:
    """Predictions of some images that :func:`look` has yielded for this net."""
    meta = net.meta
    assert meta is not None
    pixels = torch.stack([one.pixels for one in batch])
    images = Images(pixels, torch.zeros(len(batch), dtype=torch.int64))
    probabilities = evaluate.predict(net, images, weights.normalisation(meta))
    best = probabilities.topk(min(top, len(meta.classes)))
    rows = zip(batch, best.values.tolist(), best.indices.tolist(), strict=True)
    for one, values, indices in rows:
        guesses = tuple(
            Guess(name=meta.classes[index], probability=value)
            for index, value in zip(indices, values, strict=True)
        )
        yield Prediction(image=one.name, classes=guesses, notes=one.notes)


def _kind(net: Net, kind: type[Kind]) -> Kind:
    """What images a net takes."""
    meta, spec = net.meta, net.spec
    if meta is None:
        raise UsageError("the net has no trained weights: residua.load(PATH) returns one that has")
    if not 0 < len(meta.classes) == spec.num_classes:
        raise UsageError(
            f"the weights name {len(meta.classes)} classes and tell {spec.num_classes} apart: "
            f"the classes in their .json are wrong or missing"
        )
    if spec.in_channels not in {1, 3}:
        raise UsageError(f"the net takes {spec.in_channels} channels: images have 1 or 3")
    means = meta.mean.view(spec.in_channels, -1)
    # Grey images have the same mean in all channels; zeros are of a recipe that subtracts none.
    colour = bool((means != means[:1]).any()) if means.any() else None
    bleed = sets.import_room("imagenet").BLEED if meta.data.startswith("imagenet") else 0.0
    return kind(size=meta.image_size, channels=spec.in_channels, colour=colour, bleed=bleed)
