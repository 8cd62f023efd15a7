"""Folders of image files, one sub-folder a class, as lists of their names."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from residua.errors import RunError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's classes by name, and its image files, each with the index of its class."""

    root: Path
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[int, ...]

    def take(self, indices: list[int]) -> "Listing":
        """Return a listing of some of the files."""
        names = tuple(self.names[index] for index in indices)
        labels = tuple(self.labels[index] for index in indices)
        return Listing(self.root, self.classes, names, labels)


@dataclass(frozen=True, slots=True)
class Files:
    """Images that are decoded whenever they are asked for: too many for memory.

    Attributes:
        listing: Which they are.
        image_size: Width and height to which they are brought.
        num_workers: Processes that decode; with 0, whoever asks does.
    """

    listing: Listing
    image_size: int
    num_workers: int

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.listing.labels)

    @property
    def labels(self) -> Int64[Tensor, "n"]:
        """The class of each image."""
        return torch.tensor(self.listing.labels, dtype=torch.int64)

    def take(self, indices: Int64[Tensor, "m"]) -> "Files":
        """Return the images at these indices, in their order."""
        return replace(self, listing=self.listing.take(indices.tolist()))

    def parts(self, sizes: list[int]) -> list["Files"]:
        """Return these images cut into parts of these sizes."""
        return [self.take(part) for part in torch.arange(len(self)).split(sizes)]


def train_and_test(root: Path) -> tuple[Listing, Listing]:
    """Return a folder's training and test images.

    They are those in its sub-folders ``train`` and ``test``, if it has these. Otherwise every fifth
    image of a class tests: those whose names have the lowest SHA-256, so that an image added
    later moves one other at most.

    Raises:
        RunError: If the folder is not as it should be.
    """
    parts = [part for part in ("train", "test") if (root / part).is_dir()]
    if len(parts) == 1:
        other = "test" if parts == ["train"] else "train"
        raise RunError(
            f"{root} has a sub-folder {parts[0]} and none named {other}: both are needed, or "
            f"neither, and a class needs another name"
        )
    return pair(root, "train", "test") if parts else _split(listing(root))


def fingerprint(*parts: Listing) -> str:
    """Return a hash of the files' names, on which it depends what trains and what validates."""
    names = ("\0".join(part.names) for part in parts)
    return hashlib.sha256(os.fsencode("\0\0".join(names))).hexdigest()[:16]


def pair(root: Path, first: str, second: str) -> tuple[Listing, Listing]:
    """Return the listings of two sub-folders, which have the same classes.

    Raises:
        RunError: If they do not, or one is not as it should be.
    """
    one, other = listing(root / first), listing(root / second)
    if odd := set(one.classes) ^ set(other.classes):
        raise RunError(
            f"{root / first} and {root / second} do not have the same classes: only one of them "
            f"has {min(odd)}"
        )
    return one, other


def listing(root: Path) -> Listing:
    """Return the image files below a folder's sub-folders, in the order of their names.

    Raises:
        RunError: If the folder cannot be read, has fewer than two sub-folders, or one of them
            holds no image.
    """
    try:
        with os.scandir(root) as entries:
            classes = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        names = [sorted(_image_names(root, name)) for name in classes]
    except OSError as error:
        raise RunError(f"{error.filename} cannot be read: {error.strerror}") from error
    if len(classes) < 2:
        raise RunError(
            f"{root} has {len(classes)} sub-folders: it needs one for each class, and two or more"
        )
    for name, found in zip(classes, names, strict=True):
        if not found:
            raise RunError(
                f"{root / name} holds no image, and each sub-folder is a class: fill or remove it "
                f"(images end in {' '.join(sorted(SUFFIXES))})"
            )
    labels = [label for label, found in enumerate(names) for _ in found]
    return Listing(root, tuple(classes), tuple(chain.from_iterable(names)), tuple(labels))


def _image_names(root: Path, folder: str) -> Iterator[str]:
    def stop(error: OSError) -> None:
        raise error

    for where, _, names in os.walk(root / folder, onerror=stop):
        inner = Path(where).relative_to(root).as_posix()
        for name in names:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield f"{inner}/{name}"


def _split(whole: Listing) -> tuple[Listing, Listing]:
    def rank(index: int) -> bytes:
        return hashlib.sha256(os.fsencode(whole.names[index])).digest()

    train: list[int] = []
    test: list[int] = []
    for label, group in groupby(range(len(whole.names)), key=whole.labels.__getitem__):
        indices = sorted(group, key=rank)
        if len(indices) < 2:
            raise RunError(
                f"{whole.root / whole.classes[label]} holds one image: a class needs two, to train "
                f"and to test"
            )
        num_test = max(1, len(indices) // 5)
        test += sorted(indices[:num_test])
        train += sorted(indices[num_test:])
    return whole.take(train), whole.take(test)
