"""Faults of data, as the command tells them: a line or two, status 1, and no run is begun."""

import hashlib
import io
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from residua.data import cifar, sets, svhn

from ..data.archives import (  # noqa: TID252 - tests are no package that has a name
    as_matlab,
    as_parquet,
    as_pickle,
    as_records,
    publish,
    random_images,
)

fault = pytest.mark.fault
SVHN = {"train_32x32.mat": 9, "test_32x32.mat": 6}
FILES = {
    "CIFAR, python": "cifar-10-batches-py/data_batch_2",
    "CIFAR, packed": "packed/cifar-10-python.tar.gz",
    "CIFAR, binary": "cifar-10-batches-bin/data_batch_2.bin",
    "CIFAR, parquet": "plain_text/test-00000-of-00001.parquet",
    "SVHN": "svhn/train_32x32.mat",
    "folder of images": "pets/dog/3.png",
}


@pytest.fixture
def fails(residua: Callable[..., Any], refused: Callable[..., None], tmp_path: Path):
    """A trainer on data that is refused with status 1, in words that hold these phrases."""

    def train(data: str, *phrases: str, place: str = ".") -> None:
        how = ("--data", data, "--data-dir", tmp_path / place, "--out", tmp_path / "run")
        refused(residua("train", "cifar/resnet-8", *how), *phrases)
        assert not (tmp_path / "run").exists()

    return train


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """A writer of a small data set in one of the formats; returns its name for the command.

    Contents replace those of its files, and are then the official ones.
    """

    def write(form: str, **contents: bytes | bytearray) -> str:
        if form == "folder of images":
            draw_pets(tmp_path / "pets")
            return f"folder:{tmp_path / 'pets'}"
        if form == "SVHN":
            files = tuple(svhn_file(tmp_path, name, contents) for name in SVHN)
            monkeypatch.setattr(svhn, "FILES", {"svhn-small": files})
            return "svhn-small"
        version = form.removeprefix("CIFAR, ").replace("packed", "python")
        row = publish(cifar.CIFAR10, tmp_path, form=version, **contents)
        monkeypatch.setattr(sets, "LOADERS", {"cifar10": partial(cifar.read, row)})
        return "cifar10"

    return write


def svhn_file(directory: Path, name: str, contents: dict[str, bytearray]) -> object:
    """Write a small file of SVHN; return how it is described."""
    (file,) = (file for file in svhn.FILES["svhn"] if file.name == name)
    content = contents.get(name, as_matlab(random_images(SVHN[name])))
    (directory / "svhn").mkdir(exist_ok=True)
    (directory / "svhn" / name).write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return replace(file, checksum=md5, num_images=SVHN[name])


def draw_pets(root: Path) -> None:
    """Draw twelve images of either of two classes."""
    noise = np.random.default_rng(0)
    for index in range(12):
        for name in ("cat", "dog"):
            path = root / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(256, size=(40, 30, 3), dtype=np.uint8)).save(path)


def corrupt(file: Path) -> None:
    """Flip a bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "corrupted": corrupt,
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "missing": Path.unlink,
}


@pytest.mark.parametrize(
    ("form", "damage"),
    [
        pytest.param(form, damage, marks=fault(f"{damage} file: {form}"))
        for form in FILES
        for damage in DAMAGES
        # The folder's images are found, not expected.
        if (form, damage) != ("folder of images", "missing")
    ],
)
def test_damaged_files_are_named(
    put: Callable[..., str],
    fails: Callable[..., None],
    tmp_path: Path,
    form: str,
    damage: str,
):
    """Whatever the format, the file stands in the message, and what to do."""
    data = put(form)
    file = tmp_path / FILES[form]
    DAMAGES[damage](file)
    place = "packed" if form == "CIFAR, packed" else "."
    what_to_do = {"missing": "Fetch it"}.get(damage, "Get the official file again")
    if form == "folder of images":
        what_to_do = "repair or remove it"
    fails(data, str(file), what_to_do, place=place)


@fault("missing folder of images")
def test_a_missing_folder_is_named(fails: Callable[..., None], tmp_path: Path):
    """With the system's reason."""
    fails(f"folder:{tmp_path / 'pets'}", f"{tmp_path / 'pets'} cannot be read: No such file")


def wrong_label(form: str) -> tuple[str, bytearray]:
    """A file with a label that is none of the ten, under its name."""
    images = random_images(9 if form == "SVHN" else 35 if form == "CIFAR, parquet" else 7)
    images.labels[2] = 11
    match form:
        case "CIFAR, python":
            return "data_batch_2", as_pickle(images, b"labels")
        case "CIFAR, binary":
            return "data_batch_2.bin", as_records(images, 1)
        case "CIFAR, parquet":
            return "train-00000-of-00001.parquet", as_parquet(images, "label")
        case _:
            return "train_32x32.mat", as_matlab(images)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=fault(f"wrong label: {form}"))
        for form in ("CIFAR, python", "CIFAR, binary", "CIFAR, parquet", "SVHN")
    ],
)
def test_a_wrong_label_is_told(put: Callable[..., str], fails: Callable[..., None], form: str):
    """Even where the checksum is right, the labels' range is looked at."""
    name, content = wrong_label(form)
    fails(put(form, **{name: content}), name, "a label is not one of 0 to 9")


@fault("mixed sizes and modes")
def test_mixed_images_are_all_brought_to_one_form(
    residua: Callable[..., Any], put: Callable[..., str], tmp_path: Path, record_property
):
    """Grey, transparent, palette, 16-bit and animated images of any size are trained on."""
    data = put("folder of images")
    odd = tmp_path / "pets" / "cat"
    for number, mode in enumerate(("L", "LA", "P", "RGBA", "1", "I;16")):
        Image.new("RGB", (3 + 50 * number, 20), "red").convert("L").convert(mode).save(
            odd / f"{mode[0]}{number}.png"
        )
    Image.new("CMYK", (64, 64)).save(odd / "inks.jpg")
    frames = [Image.new("P", (9, 200), colour) for colour in (1, 2)]
    frames[0].save(odd / "film.gif", save_all=True, append_images=frames[1:])

    how = ("--data", data, "--data-dir", tmp_path, "--out", tmp_path / "run", "--epochs", "1")
    outcome = residua("train", "cifar/resnet-8", *how, "--set", "recipe.batch_size=8", "--json")

    record_property("message", "")
    assert 0 == outcome.status, outcome.err
    assert "residua:" not in outcome.err
    assert (tmp_path / "run" / "record.json").is_file()


def bomb(side: int) -> bytes:
    """Return a PNG file of few bytes that claims to be large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1_000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


@fault("decompression bomb")
def test_a_bomb_is_named(put: Callable[..., str], fails: Callable[..., None], tmp_path: Path):
    """An image that would fill the memory is never decoded."""
    data, file = put("folder of images"), tmp_path / "pets" / "dog" / "3.png"
    file.write_bytes(bomb(60_000))
    fails(data, str(file), "decompression bomb")


@fault("decompression bomb in a table")
def test_a_bomb_in_a_table_is_told(put: Callable[..., str], fails: Callable[..., None]):
    """An image inside a parquet file is guarded as any other."""
    images = random_images(35)
    pngs = [{"bytes": bomb(60_000), "path": None}] * 35
    name = "train-00000-of-00001.parquet"
    data = put("CIFAR, parquet", **{name: as_parquet(images, "label", img=pngs)})
    fails(data, name, "decompression bomb")


@fault("empty class folder")
def test_an_empty_class_is_named(
    put: Callable[..., str], fails: Callable[..., None], tmp_path: Path
):
    """A class without images is a mistake, not a class."""
    data = put("folder of images")
    (tmp_path / "pets" / "eel").mkdir()
    fails(data, str(tmp_path / "pets" / "eel"), "holds no image", "fill or remove it")


class Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask for the directory."""
        return os.mkdir, (str(self.target),)


@fault("hostile pickle in an archive")
@pytest.mark.parametrize("official", [True, False], ids=["right checksum", "wrong checksum"])
def test_a_hostile_pickle_is_not_executed(
    put: Callable[..., str], fails: Callable[..., None], tmp_path: Path, *, official: bool
):
    """Neither where the checksum tells, nor where it would not."""
    content, name = pickle.dumps(Hostile(tmp_path / "made"), protocol=2), "data_batch_2"
    if official:
        fails(put("CIFAR, python", **{name: content}), name, "it names 'posix.mkdir'")
    else:
        data = put("CIFAR, python")
        (tmp_path / FILES["CIFAR, python"]).write_bytes(content)
        fails(data, name, "corrupt or truncated")
    pickle.load(io.BytesIO(content))  # noqa: S301 - what it would have done
    assert (tmp_path / "made").is_dir()
