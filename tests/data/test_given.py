"""Images handed to a net: found, decoded to its size whatever they are, and looked at."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from residua.data import given
from residua.data.given import Kind
from residua.errors import RunError, UsageError

COLOUR = Kind(size=8, channels=3, colour=True, bleed=0.0)


def picture(width: int = 8, height: int = 8) -> Image.Image:
    """Return an image of random colours."""
    pixels = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def seen(image: Any, kind: Kind = COLOUR) -> given.Given:
    """Return the one image that there is, as a net sees it."""
    ((name, source),) = given.sources(image)
    return given.read(name, source, kind)


def test_an_image_of_the_right_size_is_seen_as_it_is(tmp_path: Path):
    """File, pillow image, and pixels of three or four dimensions are the same to the bit."""
    picture().save(tmp_path / "a.png")
    pixels = torch.tensor(np.asarray(picture())).permute(2, 0, 1)
    for image in (tmp_path / "a.png", str(tmp_path), picture(), pixels, pixels[None], [pixels]):
        found = seen(image)
        assert pixels.equal(found.pixels)
        assert () == found.notes


def test_a_folder_is_its_images_by_name(tmp_path: Path):
    """Files that are no images by their names are left out; sub-folders count."""
    (tmp_path / "b").mkdir()
    for name in ("c.png", "b/a.JPG", "a.txt", ".hidden.png"):
        (tmp_path / name).touch()
    names = [name for name, _ in given.sources([tmp_path, tmp_path / "a.txt"])]
    assert [str(tmp_path / name) for name in ("b/a.JPG", "c.png", "a.txt")] == names


def test_images_without_files_have_numbers():
    """They are told apart by their place in the list; a pillow image may know its file."""
    opened = picture()
    opened.filename = "x.png"  # type: ignore[attr-defined] - as `Image.open` does
    assert ["image 1", "x.png"] == [name for name, _ in given.sources([picture(), opened])]


def test_exif_orientation_is_followed(tmp_path: Path):
    """A photograph taken on its side is seen upright."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    picture().save(tmp_path / "a.png", exif=exif)
    expected = np.asarray(picture().rotate(-90))
    assert (expected == seen(tmp_path / "a.png").pixels.permute(1, 2, 0).numpy()).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str):
    """White stays white in every mode that a file may have."""
    white = {"I;16": 65_535, "CMYK": (0, 0, 0, 0), "YCbCr": (255, 128, 128)}
    image = Image.new("RGB", (40, 30), "white").convert(mode) if mode not in white else None
    image = image or Image.new(mode, (40, 30), white[mode])
    # Before version 13, pillow could not read its own TIFF in YCbCr.
    file = tmp_path / ("a.jpg" if mode == "YCbCr" else "a.tif")
    image.save(file)
    found = seen(file).pixels
    assert (3, 8, 8) == found.shape
    assert (found == 255).all()


def test_what_is_transparent_is_white_and_told():
    """Black that nobody sees is not seen."""
    found = seen(Image.new("RGBA", (8, 8), (0, 0, 0, 0)))
    assert (found.pixels == 255).all()
    assert "its transparent parts are laid on white" == found.notes[0]
    assert () == seen(picture().convert("RGBA")).notes  # nothing of it is transparent


def test_a_net_for_grey_sees_the_brightness():
    """One channel comes out, and lost colours are told."""
    found = seen(Image.new("RGB", (8, 8), "red"), Kind(size=8, channels=1, colour=None, bleed=0))
    assert (1, 8, 8) == found.pixels.shape
    assert (found.pixels == 76).all()  # 0.299 · 255
    assert ("it has colours, of which the net sees the brightness alone",) == found.notes


@pytest.mark.parametrize(
    ("image", "colour", "notes"),
    [
        (picture(32, 32), True, ()),
        (picture(48, 32), True, ()),
        (picture(33, 34), True, ("it is 33×34, the training images were 8×8",)),
        (picture(3, 4), True, ("it is 3×4, the training images were 8×8",)),
        (picture(30, 10), True, ("it is 3.0 times as long as wide, and only its middle is seen",)),
        (Image.new("L", (8, 8)), True, ("it is grey, the training images were in colour",)),
        (Image.new("L", (8, 8)), False, ()),
        (Image.new("L", (8, 8)), None, ()),
        (picture(), False, ("it is in colour, the training images were grey",)),
        (picture(), None, ()),
    ],
)
def test_what_is_unlike_the_training_images_is_told(
    image: Image.Image, *, colour: bool | None, notes: tuple[str, ...]
):
    """Far larger or smaller, oblong, or of other colours; a photograph's 3:2 is nothing special."""
    assert notes == seen(image, Kind(size=8, channels=3, colour=colour, bleed=0)).notes


def test_an_animated_image_is_refused_and_a_photograph_with_a_preview_is_not(tmp_path: Path):
    """Which frame is meant, nobody can know; a telephone's second one is the first in small."""
    frames = {"save_all": True, "append_images": [Image.new("RGB", (8, 8), "red")]}
    picture().save(tmp_path / "a.gif", **frames)
    with pytest.raises(RunError, match=r"a\.gif cannot be used: it has 2 frames"):
        seen(tmp_path / "a.gif")
    picture().save(tmp_path / "a.jpg", format="MPO", **frames)
    assert (3, 8, 8) == seen(tmp_path / "a.jpg").pixels.shape


def test_an_image_of_100_megapixels_is_refused(tmp_path: Path):
    """It is not decoded: a small file can fill the memory."""
    Image.new("1", (10_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(RunError, match=r"a\.png cannot be used: .*decompression bomb.*100000000"):
        seen(tmp_path / "a.png")


def test_a_file_that_is_no_image_is_refused(tmp_path: Path):
    """So is one that ends too early."""
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(RunError, match=r"a\.png cannot be used: it is no .*PNG"):
        seen(tmp_path / "a.png")
    picture(64, 64).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:3_000])
    with pytest.raises(RunError, match=r"b\.png cannot be used: it is damaged"):
        seen(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nowhere.png", "nowhere.png does not exist"),
        ([picture(), 3], "image 2 is a int: give a path"),
        (torch.zeros(3, 8, 8), r"image 1 is torch.float32 \[3, 8, 8\]: pixels are torch.uint8"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"\[8, 8, 3\]"),
        (torch.zeros(3, 0, 8, dtype=torch.uint8), "it has no pixel"),
    ],
)
def test_what_cannot_be_an_image_is_wrong_use(image: object, message: str):
    """The message says which, and what could be given instead."""
    with pytest.raises(UsageError, match=message):
        seen(image)


def test_a_folder_without_images_is_wrong_use(tmp_path: Path):
    """It says by which names they are known."""
    with pytest.raises(UsageError, match=r"holds no image .*\.png"):
        seen(tmp_path)
