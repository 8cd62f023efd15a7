"""The files of data sets. Checksums, which would refuse all of these, are passed by."""

import functools
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from changes import Format, mutated
from PIL import Image

from residua.data import cifar, folders, svhn
from residua.data.files import blaming
from residua.data.images import Images, unfilled

sys.path.append(str(Path(__file__).parents[1] / "data"))
from archives import as_matlab, as_parquet, as_pickle, as_png, as_records, random_images

NAMES = ("pickle", "records", "matlab", "parquet", "image", "cache")
NUM_IMAGES = 7


class Hostile:
    """Would make a directory when unpickled."""

    def __reduce__(self):
        return exec, ("import os; os.mkdir('hostile')",)


def filled(pieces: Iterator[Images]) -> Images:
    """Return the images as `cifar.read` and `svhn.read` would."""
    room = unfilled(NUM_IMAGES)
    with blaming("the input"):
        room.fill(pieces, num_classes=10)
    return room


def formats(directory: Path) -> list[Format]:
    """Return all formats; what needs files puts them into a directory."""
    images = random_images(NUM_IMAGES)
    hostile = [pickle.dumps({b"labels": Hostile(), b"data": Hostile()}, n) for n in (0, 2, 4)]
    sound = {
        "pickle": [bytes(as_pickle(images, b"labels")), *hostile],
        "records": [bytes(as_records(images, 1))],
        "matlab": [
            bytes(as_matlab(images)),
            bytes(as_matlab(images, compressed=False)),
            bytes(as_matlab(images, compressed=False, a=np.array([[1, "x"]], dtype=object))),
        ],
        "parquet": [bytes(as_parquet(images, "label"))],
    }
    readers: dict[str, Callable[[bytes], object]] = {
        "pickle": lambda raw: filled(cifar.from_pickle(bytearray(raw), label_key=b"labels")),
        "records": lambda raw: filled(cifar.from_records(bytearray(raw), num_labels=1)),
        "matlab": lambda raw: filled(svhn.from_matlab(io.BytesIO(raw))),
        "parquet": lambda raw: filled(cifar.from_parquet(bytearray(raw), label_column="label")),
    }
    return [
        *(Format(name, seeds, readers[name], mutated) for name, seeds in sound.items()),
        Format(
            "image", pictures(), functools.partial(read_picture, directory / "image.png"), mutated
        ),
        cache(directory),
    ]


def pictures() -> list[bytes]:
    """Return a picture in every format and mode."""
    noise = np.random.default_rng(0).integers(256, size=(24, 17, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        for mode in ("RGB", "L", "P", "RGBA", "CMYK", "I;16"):
            stream = io.BytesIO()
            try:
                picture.convert("L" if mode == "I;16" else mode).convert(mode).save(
                    stream, kind, **({"exif": exif} if kind in {"PNG", "JPEG", "WEBP"} else {})
                )
            except (OSError, ValueError):
                continue  # no such mode in this format
            found.append(stream.getvalue())
    for kind in ("GIF", "PNG", "WEBP"):
        stream = io.BytesIO()
        picture.save(stream, kind, save_all=True, append_images=[picture.rotate(90)])
        found.append(stream.getvalue())
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        stream = io.BytesIO()
        picture.save(stream, "TIFF", compression=compression)
        found.append(stream.getvalue())
    return found


def read_picture(path: Path, raw: bytes) -> object:
    """Return the square of an image file, as a folder's images are decoded."""
    path.write_bytes(raw)
    with folders.guarded():
        return folders.square(folders.opened(path), 32)


def cache(directory: Path) -> Format:
    """Return the format of decoded images; whatever is wrong with it, the images are the same."""
    root = directory / "pets"
    for number, image in enumerate(random_images(6).pixels):
        path = root / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_png(image))

    def load() -> torch.Tensor:
        data = folders.read(
            "pets", root, image_size=8, cache=directory / "cache", say=lambda _line: None
        )
        return torch.cat([data.train.pixels, data.test.pixels])

    expected = load()
    (file,) = (directory / "cache").iterdir()

    def read(raw: bytes) -> object:
        file.write_bytes(raw)
        assert torch.equal(expected, load()), "the cache gave other images"
        return expected

    return Format("cache", [file.read_bytes()], read, mutated)
