"""Folders of image files, decoded once to squares of one size.

A picture's shorter side is scaled to the size and its middle is kept. Decoded images go into a
cache, which is good for as long as the files' names, sizes and times are the same.
"""

import contextlib
import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from residua.data.decoding import guarded, picture
from residua.data.files import ContentError, Say, put_in_place
from residua.data.images import DataSet, Images, room
from residua.data.listing import Listing, fingerprint, train_and_test
from residua.errors import RunError, UsageError

DECODING = 1  # to be raised when the same files come to be decoded to other pixels

Squares = UInt8[Tensor, "_ s s 3"]


def read(name: str, root: Path, *, image_size: int, cache: Path, say: Say) -> DataSet:
    """Return the images of a folder at one size, decoded now or taken from the cache.

    Args:
        name: The data set's name.
        root: The folder, one sub-folder a class; see `train_and_test`.
        image_size: Width and height of the images.
        cache: The directory for decoded images; if it cannot be written to, they are not kept.
        say: Is told what takes long, and what is not kept.

    Raises:
        RunError: If the folder is not as it should be, or a file is no image.
        UsageError: If the size is impossible.
    """
    if image_size < 1:
        raise UsageError(f"an image size of {image_size} is impossible: it is at least 1")
    train, test = train_and_test(root)
    key = _fingerprint(train, test, image_size=image_size)
    place = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    file = cache / f"{root.resolve().name}-{place}-{image_size}.safetensors"
    shapes = [(len(part.names), image_size, image_size, 3) for part in (train, test)]
    squares = _kept(file, key, shapes)
    if squares is None:
        num_images = len(train.names) + len(test.names)
        say(f"decoding {num_images:,} images of {root} to {image_size}x{image_size}, once")
        squares = _decoded(train, image_size), _decoded(test, image_size)
        _keep(file, key, squares, say)
    return DataSet(
        name=name,
        classes=train.classes,
        train=_images(train, squares[0]),
        test=_images(test, squares[1]),
        val_size=len(train.names) // 10,
        files=fingerprint(train, test),
    )


def _fingerprint(*parts: Listing, image_size: int) -> str:
    """Return a hash of all that decoded images depend on."""
    digest = hashlib.sha256(f"{DECODING} {image_size}".encode())
    for part in parts:
        for name in part.names:
            try:
                stat = (part.root / name).stat()
            except OSError as error:
                raise RunError(f"{error.filename} cannot be read: {error.strerror}") from error
            digest.update(os.fsencode(f"\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}"))
        digest.update(b"\0\0")
    return digest.hexdigest()


def _decoded(part: Listing, image_size: int) -> Squares:
    squares = room(len(part.names), 3, image_size, image_size).permute(0, 2, 3, 1)
    array = squares.numpy()

    def decode(index: int) -> None:
        array[index] = square(opened(part.root / part.names[index]), image_size)

    with guarded(), ThreadPoolExecutor(os.cpu_count()) as pool:
        deque(pool.map(decode, range(len(array))), maxlen=0)
    return squares


def readable(part: Listing) -> Iterator[tuple[Path, bool]]:
    """Yield each file, and whether it holds a picture."""
    for name in part.names:
        path = part.root / name
        try:
            with guarded():
                picture(path)
        except ContentError:
            yield path, False
        else:
            yield path, True


def opened(path: Path) -> Image.Image:
    """Return a file's picture.

    Raises:
        RunError: If it has none; the message names the file.
    """
    try:
        return picture(path)
    except ContentError as error:
        raise RunError(f"{path} cannot be used: {error}; repair or remove it") from error


def square(image: Image.Image, size: int, *, bleed: float = 0) -> np.ndarray:
    """Return the middle of a picture, its shorter side scaled to ``size``, as [size, size, 3].

    Args:
        image: The picture.
        size: Width and height of the result.
        bleed: The share of the picture's sides that is cut off beforehand, at each end.
    """
    scaled = ImageOps.fit(image, (size, size), method=Image.Resampling.BICUBIC, bleed=bleed)
    return np.asarray(scaled)


def _images(part: Listing, squares: Squares) -> Images:
    return Images(squares.permute(0, 3, 1, 2), torch.tensor(part.labels))


def _kept(file: Path, key: str, shapes: list[tuple[int, ...]]) -> tuple[Squares, Squares] | None:
    """Return what the cache holds under a fingerprint, if it is whole."""
    try:
        with safe_open(file, framework="pt") as cache:
            metadata = cache.metadata() or {}
            train, test = cache.get_tensor("train"), cache.get_tensor("test")
    except (OSError, SafetensorError):
        return None
    found = [(tensor.dtype, tuple(tensor.shape)) for tensor in (train, test)]
    if metadata.get("files") != key or found != [(torch.uint8, shape) for shape in shapes]:
        return None
    return (train, test) if metadata.get("crc32") == _crc32(train, test) else None


def _keep(file: Path, key: str, squares: tuple[Squares, Squares], say: Say) -> None:
    train, test = squares
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    metadata = {"files": key, "crc32": _crc32(train, test)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"train": train, "test": test}, part, metadata)
        put_in_place(part, file)
    except (OSError, SafetensorError) as error:
        say(f"the decoded images are not kept for the next time: {error}")
        with contextlib.suppress(OSError):
            part.unlink()


def _crc32(train: Squares, test: Squares) -> str:
    crc = zlib.crc32(test.numpy().data, zlib.crc32(train.numpy().data))
    return f"{crc:08x}"
