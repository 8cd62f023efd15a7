"""Image files of every mode and format as RGB pictures."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from residua.data.decoding import guarded, picture
from residua.data.files import ContentError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, kind: str = "png", **options: object) -> io.BytesIO:
    """Return an image as a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream


def corners() -> Image.Image:
    """Return an image 3 wide and 2 high: red at the top left, blue at the bottom left."""
    image = Image.new("RGB", (3, 2), WHITE)
    image.putpixel((0, 0), RED)
    image.putpixel((0, 1), BLUE)
    return image


@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "tiff", "ppm", "webp"])
def test_formats_give_the_pixels(kind: str):
    """What was saved without loss comes back."""
    options = {"lossless": True} if kind == "webp" else {}

    found = picture(saved(corners(), kind, **options))

    assert "RGB" == found.mode
    assert corners().tobytes() == found.tobytes()


def test_jpeg_gives_about_the_pixels():
    """A JPEG loses a little."""
    found = picture(saved(Image.new("RGB", (16, 16), (200, 100, 50)), "jpeg", quality=95))

    assert np.abs(np.asarray(found).astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, WHITE),
        ("L", 100, (100, 100, 100)),
        ("P", 5, GREEN),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), WHITE),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), WHITE),
        ("RGBA", (*RED, 51), (255, 204, 204)),
        ("I;16", 0xABCD, (0xAB, 0xAB, 0xAB)),
    ],
)
def test_modes_become_rgb(mode: str, colour: int | tuple[int, ...], expected: tuple[int, ...]):
    """Grey is grey in three channels, 16 bits lose the lower 8, and white shines through."""
    image = Image.new(mode, (2, 2), colour)
    if mode == "P":
        image.putpalette([0, 0, 0] * 5 + [*GREEN])

    assert expected == picture(saved(image)).getpixel((1, 1))


def test_a_transparent_palette_shows_white():
    """A palette's colour that is transparent counts as white, not as what hides under it."""
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)

    found = picture(saved(image, transparency=0))

    assert (WHITE, GREEN) == (found.getpixel((0, 0)), found.getpixel((1, 0)))


def test_cmyk_becomes_rgb():
    """Four inks become three lights."""
    found = picture(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "jpeg", quality=95))

    assert np.abs(np.asarray(found).astype(int) - RED).max() <= 6


def test_32_bit_integers_hold_16_bit_grey():
    """So pillow reads some PNG and TIFF files; what is beyond 16 bits is black or white."""
    values = np.array([[-5, 0x12FF, 0xFFFF, 0x10000]], dtype=np.int32)

    found = picture(saved(Image.fromarray(values), "tiff"))

    assert [0, 0x12, 0xFF, 0xFF] == [found.getpixel((x, 0))[0] for x in range(4)]


def test_floating_point_pixels_are_refused():
    """Nobody says what range they have."""
    image = saved(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "tiff")

    with pytest.raises(ContentError, match="floating-point numbers of unknown range"):
        picture(image)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_is_its_first_frame(kind: str):
    """Later frames are not seen."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "webp" else {}

    stream = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)

    assert RED == picture(stream).getpixel((2, 2))


@pytest.mark.parametrize(
    ("orientation", "size", "red", "blue"),
    [
        (1, (3, 2), (0, 0), (0, 1)),
        (2, (3, 2), (2, 0), (2, 1)),
        (3, (3, 2), (2, 1), (2, 0)),
        (4, (3, 2), (0, 1), (0, 0)),
        (5, (2, 3), (0, 0), (1, 0)),
        (6, (2, 3), (1, 0), (0, 0)),
        (7, (2, 3), (1, 2), (0, 2)),
        (8, (2, 3), (0, 2), (1, 2)),
    ],
)
def test_exif_orientation_is_obeyed(
    orientation: int, size: tuple[int, int], red: tuple[int, int], blue: tuple[int, int]
):
    """A camera held on its side gives an upright picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation

    found = picture(saved(corners(), "png", exif=exif))

    assert size == found.size
    assert (RED, BLUE) == (found.getpixel(red), found.getpixel(blue))


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp", "tiff"])
def test_a_truncated_image_is_damaged(kind: str):
    """A file without its second half is refused."""
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    content = saved(Image.fromarray(noise), kind).getvalue()

    with guarded(), pytest.raises(ContentError, match=r"it is (damaged|no BMP)"):
        picture(io.BytesIO(content[: len(content) // 2]))


@pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(999)])
def test_other_files_are_no_images(content: bytes):
    """Texts, and formats that pillow hands to other programs, are not opened."""
    with pytest.raises(ContentError, match="it is no BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP image"):
        picture(io.BytesIO(content))


def test_only_the_formats_asked_for_are_read():
    """A table of PNG files has no GIF in it."""
    with pytest.raises(ContentError, match="it is no PNG image"):
        picture(saved(corners(), "gif"), formats=("PNG",))


def test_what_cannot_be_opened_says_why(tmp_path: Path):
    """The system's reason is told, not one about images."""
    with pytest.raises(ContentError, match=r"it cannot be read \(Is a directory\)"):
        picture(tmp_path)


def bomb(width: int, height: int) -> io.BytesIO:
    """Return a PNG file of few bytes that claims to be of a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("side", [10_000, 60_000], ids=["pillow warns", "pillow refuses"])
def test_a_decompression_bomb_is_refused_before_it_goes_off(side: int):
    """More pixels than pillow's guard allows are an error, also where pillow only warns."""
    with guarded(), pytest.raises(ContentError, match=r"it may be a decompression bomb: .* pixels"):
        picture(bomb(side, side))


@pytest.mark.parametrize(
    ("error", "kind"), [(MemoryError(), MemoryError), (KeyError(), ContentError)]
)
def test_memory_that_is_short_is_no_damage(monkeypatch, error: Exception, kind: type[Exception]):
    """Whatever else a decoder raises is, by its name where it says nothing."""

    def fail(_image: Image.Image) -> Image.Image:
        raise error

    monkeypatch.setattr("residua.data.decoding.ImageOps.exif_transpose", fail)
    with pytest.raises(kind, match=r"damaged \(KeyError\)" if kind is ContentError else None):
        picture(saved(corners()))


def test_pillows_other_warnings_are_not_heard(monkeypatch):
    """A picture with odd metadata is read, and nothing is printed about it."""

    def loud(image: Image.Image) -> Image.Image:
        warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=2)
        return image

    monkeypatch.setattr("residua.data.decoding.ImageOps.exif_transpose", loud)

    with guarded():
        assert (3, 2) == picture(saved(corners())).size
    with pytest.raises(ContentError, match="Corrupt EXIF data"):
        picture(saved(corners()))
