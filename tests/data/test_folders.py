"""Folders of image files: classes, splits, sizes, the cache, and what can be wrong."""

import hashlib
import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from residua.data import decoding, folders, sets
from residua.errors import RunError, UsageError


def draw(path: Path, value: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> None:
    """Write an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).convert(mode).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with ten cats and eight dogs, each image of its own grey."""
    root = tmp_path / "pets"
    for index in range(10):
        draw(root / "cat" / f"{index}.png", 10 * index)
    for index in range(8):
        draw(root / "dog" / f"{index}.jpg", 150 + 10 * index)
    return root


class Load:
    """Loads a folder with a cache, and keeps what is said meanwhile."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.said: list[str] = []

    def __call__(self, image_size: int = 16) -> sets.DataSet:
        """Return the data set."""
        self.said.clear()
        return folders.read(
            "pets", self.root, image_size=image_size, cache=self.cache, say=self.said.append
        )

    @property
    def file(self) -> Path:
        """The one file in the cache."""
        (file,) = self.cache.iterdir()
        return file


@pytest.fixture
def load(root: Path, tmp_path: Path) -> Load:
    """A loader of the folder."""
    return Load(root, tmp_path / "cache")


def greys(images: sets.Images) -> list[int]:
    """Return the colour of each image; each is of one colour."""
    assert all(len(image.unique()) == 1 for image in images.pixels)
    return images.pixels[:, 0, 0, 0].tolist()


def test_each_sub_folder_is_a_class_of_which_a_fifth_tests(load):
    """Classes are in the order of their names; every image is in one part, at the size asked."""
    data = load()

    assert ("pets", ("cat", "dog"), 1) == (data.name, data.classes, data.val_size)
    assert (15, 3, 16, 16) == tuple(data.train.pixels.shape)
    assert [0] * 8 + [1] * 7 == data.train.labels.tolist()
    assert [0, 0, 1] == data.test.labels.tolist()
    both = sorted(greys(data.train) + greys(data.test))
    assert np.abs(np.array(both) - [*range(0, 100, 10), *range(150, 230, 10)]).max() <= 2


def test_the_split_goes_by_the_names_hashes(load):
    """The images whose names have the lowest SHA-256 test, today and for ever."""

    def rank(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()

    lowest = sorted((f"cat/{index}.png" for index in range(10)), key=rank)[:2]

    assert {10 * int(name[4]) for name in lowest} == set(greys(load().test)[:2])


def test_train_and_test_folders_are_the_split(tmp_path: Path):
    """Where the folder is split already, that split holds."""
    for part, number in (("train", 3), ("test", 2)):
        for name, value in (("a", 50), ("b", 100)):
            for index in range(number):
                draw(tmp_path / "set" / part / name / f"{index}.png", value + index)

    data = Load(tmp_path / "set", tmp_path / "cache")()

    assert [50, 51, 52, 100, 101, 102] == greys(data.train)
    assert [0, 0, 0, 1, 1, 1] == data.train.labels.tolist()
    assert [50, 51, 100, 101] == greys(data.test)


def test_images_are_found_at_any_depth_and_other_files_are_not_seen(root: Path, load):
    """Folders in folders belong to their class; notes and hidden files are no images."""
    draw(root / "cat" / "more" / "DEEP.PNG", 120)
    draw(root / "cat" / ".hidden.png", 1)
    draw(root / ".git" / "x.png", 1)
    (root / "cat" / "notes.txt").write_text("none")
    (root / "README").write_text("none")

    data = load()

    assert 19 == len(data.train) + len(data.test)
    assert ("cat", "dog") == data.classes
    assert 120 in greys(data.train) + greys(data.test)


@pytest.mark.parametrize("high", [False, True])
def test_the_middle_is_kept_at_the_shorter_sides_scale(high, tmp_path: Path):
    """The longer side's ends are cut off; at its own scale a picture's middle is untouched."""
    wide = np.random.default_rng(0).integers(256, size=(10, 40, 3), dtype=np.uint8)
    wide[:, 30:] = wide[:, :10] = 0
    array = wide.swapaxes(0, 1) if high else wide
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    load = Load(tmp_path / "set", tmp_path / "cache")

    same, larger = load(image_size=10).test.pixels[0], load(image_size=30).test.pixels[0]

    middle = wide[:, 15:25]
    assert np.array_equal(middle.swapaxes(0, 1) if high else middle, same.permute(1, 2, 0))
    assert (larger == 0).float().mean() < 0.1


def test_sizes_and_modes_may_be_mixed(root: Path, load):
    """Grey, palette, transparent, tiny, thin and animated images stand beside each other."""
    draw(root / "cat" / "grey.png", 130, mode="L")
    draw(root / "cat" / "palette.gif", 131, size=(5, 300), mode="P")
    draw(root / "cat" / "clear.png", 132, size=(1, 1), mode="RGBA")
    draw(root / "dog" / "inks.jpg", 133, mode="CMYK")
    frames = [Image.new("L", (9, 9), value) for value in (134, 0)]
    frames[0].save(root / "dog" / "film.gif", save_all=True, append_images=frames[1:])

    data = load()

    found = np.array(greys(data.train) + greys(data.test))
    assert all(np.abs(found - value).min() <= 2 for value in range(130, 135))


def test_decoded_images_are_kept_and_the_same_afterwards(load):
    """The second time nothing is decoded, and the images are equal."""
    first = load()
    assert [f"decoding 18 images of {load.root} to 16x16, once"] == load.said

    second = load()

    assert [] == load.said
    assert torch.equal(first.train.pixels, second.train.pixels)
    assert torch.equal(first.test.pixels, second.test.pixels)


def replace(old: Path, new: Path, *, size: tuple[int, int]) -> None:
    """Put an image in the place of another, of its time."""
    before = old.stat()
    old.unlink()
    draw(new, 90, size)
    os.utime(new, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert (size == (40, 30)) == (before.st_size == new.stat().st_size)


def change(root: Path, how: str) -> None:
    """Change the folder."""
    match how:
        case "added":
            draw(root / "cat" / "new.png", 123)
        case "removed":
            (root / "cat" / "3.png").unlink()
        case "renamed":
            (root / "cat" / "3.png").rename(root / "cat" / "x.png")
        case "moved":
            (root / "cat" / "3.png").rename(root / "dog" / "3.png")
        case "replaced":
            draw(root / "cat" / "3.png", 123)
        case "touched":
            os.utime(root / "cat" / "3.png", ns=(1, 1))
        case "another name, all else equal":
            replace(root / "cat" / "3.png", root / "cat" / "33.png", size=(40, 30))
        case "another size, all else equal":
            replace(root / "cat" / "3.png", root / "cat" / "3.png", size=(400, 300))
        case _:
            (root / "cat").rename(root / "zebra")


@pytest.mark.parametrize(
    "how",
    [
        *("added", "removed", "renamed", "moved", "replaced", "touched", "class renamed"),
        *("another name, all else equal", "another size, all else equal"),
    ],
)
def test_a_stale_cache_is_not_used(how: str, root: Path, load):
    """Any change to names, sizes or times means decoding again, and the cache is then replaced."""
    load()
    change(root, how)

    changed = load()
    assert "decoding" in load.said[0]
    again = load()

    assert [] == load.said
    assert torch.equal(changed.train.pixels, again.train.pixels)
    assert load.file.is_file()


def test_each_size_and_each_folder_has_its_own_cache(root: Path, load):
    """Two sizes, and two folders of one name, are kept beside each other."""
    shutil.copytree(root, root.parent / "other" / "pets")

    load(16)
    load(8)
    Load(root.parent / "other" / "pets", load.cache)()

    assert 3 == len(list(load.cache.iterdir()))
    assert (15, 3, 8, 8) == tuple(load(8).train.pixels.shape)
    assert [] == load.said


def damage(file: Path, how: str) -> None:
    """Damage a cached file."""
    content = bytearray(file.read_bytes())
    with safe_open(file, "pt") as cache:
        metadata = cache.metadata()
    tensors = load_file(file)
    match how:
        case "truncated":
            file.write_bytes(content[:-1])
        case "header":
            content[3] ^= 1
            file.write_bytes(content)
        case "pixels":
            content[-5] ^= 1
            file.write_bytes(content)
        case "no checksum":
            save_file(tensors, file, {"files": metadata["files"]})
        case "no metadata":
            save_file(tensors, file)
        case "a tensor less":
            save_file({"train": tensors["train"]}, file, metadata)
        case "another shape":
            save_file({name: tensor.flatten(1) for name, tensor in tensors.items()}, file, metadata)
        case _:
            tensors["test"] = tensors["test"].view(torch.int8)
            save_file(tensors, file, metadata)


@pytest.mark.parametrize(
    "how",
    [
        *("truncated", "header", "pixels", "no checksum", "no metadata", "a tensor less"),
        *("another shape", "other numbers"),
    ],
)
def test_a_damaged_cache_is_replaced(how: str, load):
    """A cache that is not whole is decoded anew, to the same images."""
    first = load()
    damage(load.file, how)

    second = load()

    assert "decoding" in load.said[0]
    assert torch.equal(first.train.pixels, second.train.pixels)
    load()
    assert [] == load.said


def test_a_cache_that_cannot_be_written_stops_nothing(load):
    """Without room or right to write, images are decoded each time, and it is said."""
    load.cache.parent.mkdir(exist_ok=True)
    load.cache.write_text("a file where the directory should be")

    data = load()

    assert 15 == len(data.train)
    assert 2 == len(load.said)
    assert "the decoded images are not kept for the next time: [Errno" in load.said[1]


def test_a_cache_that_breaks_off_leaves_nothing(monkeypatch, load):
    """If the disk is full half-way, no part of a file stays behind."""

    def fill(_tensors: object, file: Path, _metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "save_file", fill)

    load()

    assert "No space left on device" in load.said[1]
    assert [] == list(load.cache.iterdir())


def test_an_unreadable_file_is_named(root: Path, load):
    """One damaged image among many is named, with what to do."""
    (root / "dog" / "3.jpg").write_bytes((root / "dog" / "3.jpg").read_bytes()[:200])

    with pytest.raises(
        RunError, match=rf"{root}/dog/3\.jpg cannot be used: it is damaged .*repair or remove it"
    ):
        load()
    assert not load.cache.exists()


def test_a_decompression_bomb_is_named(root: Path, load, monkeypatch):
    """An image of too many pixels is not decoded, in whatever thread."""
    draw(root / "dog" / "bomb.png", 0, size=(200, 200))
    monkeypatch.setattr(decoding.Image, "MAX_IMAGE_PIXELS", 30_000)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as pillow only warns of such a bomb
        with pytest.raises(RunError, match=r"bomb\.png cannot be used: it may be a decompression"):
            load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, "pets cannot be read: No such file"),
        (lambda root: (shutil.rmtree(root), root.touch()), "pets cannot be read: Not a directory"),
        (lambda root: shutil.rmtree(root / "dog"), "has 1 sub-folders: it needs one for each"),
        (lambda root: (root / "bird").mkdir(), "pets/bird holds no image, and each sub-folder"),
        (
            lambda root: [path.unlink() for path in sorted((root / "dog").iterdir())[1:]],
            "pets/dog holds one image: a class needs two",
        ),
        (lambda root: (root / "cat").rename(root / "train"), "has a sub-folder train and none"),
        (lambda root: (root / "cat").rename(root / "test"), "none named train: both are needed"),
    ],
)
def test_a_folder_that_is_no_data_set_is_told(change, message: str, root: Path, load):
    """The message names the folder and the rule."""
    change(root)

    with pytest.raises(RunError, match=message):
        load()


def test_train_and_test_must_have_the_same_classes(tmp_path: Path):
    """A class that is only trained or only tested is named."""
    for part, names in (("train", "abc"), ("test", "abx")):
        for name in names:
            draw(tmp_path / "set" / part / name / "1.png", 1)

    with pytest.raises(RunError, match="do not have the same classes: only one of them has c"):
        Load(tmp_path / "set", tmp_path / "cache")()


def test_an_impossible_size_is_told(load):
    """A size is at least one pixel."""
    with pytest.raises(UsageError, match="an image size of 0 is impossible"):
        load(0)


def test_images_that_do_not_fit_into_memory_are_told(load):
    """Terabytes are refused with the number and what to lower."""
    with pytest.raises(
        RunError, match=r"15 images of 900000x900000 do not fit .* \(36,450\.0 GB\): .* or smaller"
    ):
        load(900_000)


def test_load_reads_a_folder_by_its_path(root: Path, tmp_path: Path, monkeypatch):
    """`folder:PATH` is 32x32 or of the size asked for, keeps its classes, and knows the home."""
    monkeypatch.setenv("HOME", str(tmp_path))

    data = sets.load("folder:~/pets", tmp_path / "data")
    small = sets.load(f"folder:{root}", tmp_path / "data", image_size=8)

    assert ("folder:~/pets", ("cat", "dog")) == (data.name, data.classes)
    assert (15, 3, 32, 32) == tuple(data.train.pixels.shape)
    assert (15, 3, 8, 8) == tuple(small.train.pixels.shape)
    assert 2 == len(list((tmp_path / "data" / "folders").iterdir()))


def test_folders_without_pillow_say_how_to_get_it(monkeypatch, root: Path):
    """The optional package is named with the command that installs it."""
    for name in ("folders", "decoding"):
        monkeypatch.delitem(sys.modules, f"residua.data.{name}")
        monkeypatch.delattr(f"residua.data.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(UsageError, match=r"pip install 'residua\[images\]'"):
        sets.load(f"folder:{root}")
