"""The Street View House Numbers: small made files, and broken ones."""

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from residua.data import svhn
from residua.data.files import File
from residua.data.images import Images
from residua.errors import RunError

from .archives import as_matlab, random_images

SIZES = {"train_32x32.mat": 9, "extra_32x32.mat": 14, "test_32x32.mat": 6}


@pytest.fixture
def publish(monkeypatch, tmp_path: Path):
    """A writer of small files, by default into ``svhn``; contents replace those of files."""

    def write(folder: str = "svhn", **contents: bytearray) -> dict[str, Images]:
        made = {name: random_images(size, seed=size) for name, size in SIZES.items()}
        (tmp_path / folder).mkdir(exist_ok=True)

        @cache  # the time is in the file, and thus in its MD5
        def small(file: File) -> File:
            content = contents.get(file.name[:5].rstrip("_"), as_matlab(made[file.name]))
            (tmp_path / folder / file.name).write_bytes(content)
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            return replace(file, checksum=md5, num_images=SIZES[file.name])

        files = {name: tuple(map(small, files)) for name, files in svhn.FILES.items()}
        monkeypatch.setattr(svhn, "FILES", files)
        return made

    return write


@pytest.mark.parametrize("folder", ["svhn", "."])
def test_both_sets_are_read_in_order(folder: str, publish, tmp_path: Path):
    """`svhn` trains on the training and the extra images, `svhn-small` on the former alone."""
    made = publish(folder)

    both, small = svhn.read("svhn", tmp_path), svhn.read("svhn-small", tmp_path)

    train, extra, test = made.values()
    assert torch.equal(torch.cat([train.pixels, extra.pixels]), both.train.pixels)
    assert torch.equal(torch.cat([train.labels, extra.labels]), both.train.labels)
    assert torch.equal(train.pixels, small.train.pixels)
    assert torch.equal(train.labels, small.train.labels)
    for data in (both, small):
        assert torch.equal(test.pixels, data.test.pixels)
        assert torch.equal(test.labels, data.test.labels)
        assert tuple("0123456789") == data.classes
        assert 6_000 == data.val_size
    assert ("svhn", "svhn-small") == (both.name, small.name)


def test_uncompressed_files_are_read_too(publish, tmp_path: Path):
    """Whether MATLAB compressed a file does not matter."""
    images = random_images(6, seed=3)
    publish(test=as_matlab(images, compressed=False))

    assert torch.equal(images.pixels, svhn.read("svhn-small", tmp_path).test.pixels)


def test_official_counts():
    """The numbers of images are those that huang2017 §4.1 gives."""
    assert (73_257, 531_131, 26_032) == tuple(file.num_images for file in svhn.FILES["svhn"])


def test_the_small_set_needs_no_extra_file(publish, tmp_path: Path):
    """Without the extra file, `svhn-small` is read and `svhn` says what it lacks."""
    publish()
    (tmp_path / "svhn" / "extra_32x32.mat").unlink()

    assert 9 == len(svhn.read("svhn-small", tmp_path).train)
    with pytest.raises(RunError, match=r"extra_32x32\.mat'\nFetch it with `residua data get svhn`"):
        svhn.read("svhn", tmp_path)


def test_a_damaged_file_is_refused_before_it_is_parsed(publish, tmp_path: Path):
    """A bit makes another MD5."""
    publish()
    path = tmp_path / "svhn" / "train_32x32.mat"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)

    with pytest.raises(RunError, match=f"{path} is corrupt or truncated: expected MD5"):
        svhn.read("svhn", tmp_path)


IMAGES = random_images(6)
LABELS = np.arange(1, 7, dtype=np.uint8)[:, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_matlab(IMAGES, y=LABELS + 5), "a label is not one of 0 to 9"),
        (as_matlab(IMAGES, y=LABELS - 1), "a label is not one of 1 to 10"),
        (as_matlab(IMAGES, y=LABELS[:5]), r"5 labels and images of \(32, 32, 3, 6\)"),
        (as_matlab(IMAGES, y=LABELS.astype(object)), "its y is no array of bytes"),
        (as_matlab(IMAGES, X=np.zeros((6, 32, 32, 3), np.uint8)), r"6 labels and images of \(6,"),
        (as_matlab(IMAGES, X=np.zeros((32, 32, 3, 6), np.float32)), "its X is no array of bytes"),
        (as_matlab(random_images(7)), "it holds 7 or more images, not 6"),
        (as_matlab(random_images(5)), "it holds 5 images, not 6"),
        (bytearray(b"no file of MATLAB's"), "it is no MATLAB file of version 5"),
    ],
    ids=["label 11", "label 0", "labels", "objects", "order", "floats", "many", "few", "text"],
)
def test_wrong_content_under_the_right_md5_is_told(
    content: bytearray, message: str, publish, tmp_path: Path
):
    """Shapes, numbers and labels are checked even when the MD5 is right."""
    publish(test=content)

    with pytest.raises(
        RunError, match=f"test_32x32.mat has the right checksum but cannot be used: {message}"
    ):
        svhn.read("svhn", tmp_path)
