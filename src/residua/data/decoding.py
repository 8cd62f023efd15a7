"""Image files as upright RGB pictures, by pillow (an optional package)."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from residua.data.files import ContentError

# Only formats of plain pixels: pillow also knows some that start other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


@contextmanager
def guarded() -> Iterator[None]:
    """Make pillow's warning of a decompression bomb an error, and silence its others.

    Filters of warnings are the process's, so this stands around threads, not in them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def picture(
    source: Path | io.BytesIO | Image.Image,
    *,
    formats: tuple[str, ...] = FORMATS,
    look: Callable[[Image.Image], object] = lambda _image: None,
) -> Image.Image:
    """Return the first frame of an image in RGB, turned as its EXIF orientation says.

    Transparent parts are laid on white; 16-bit grey keeps its upper eight bits.

    Args:
        source: An image file, or one that pillow has opened.
        formats: Which a file may have.
        look: Is shown the image as it is, before its pixels are decoded; it may refuse it.

    Raises:
        ContentError: If it is no whole image of one of the formats, or has more pixels than
            pillow's guard against decompression bombs allows.
    """
    try:
        opened = isinstance(source, Image.Image)
        with nullcontext(source) if opened else Image.open(source, formats=formats) as image:
            look(image)
            return _rgb(ImageOps.exif_transpose(image))
    except (ContentError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ContentError(f"it may be a decompression bomb: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ContentError(f"it is no {', '.join(formats)} image") from error
    except Exception as error:  # on damaged files pillow's decoders raise what they like
        if isinstance(error, OSError) and error.strerror:
            raise ContentError(f"it cannot be read ({error.strerror})") from error
        raise ContentError(f"it is damaged ({str(error) or type(error).__name__})") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits in pillow's modes for integers
        grey = np.asarray(image).clip(0, 65_535) >> 8
        image = Image.fromarray(grey.astype(np.uint8))
    if image.mode == "F":
        raise ContentError("its pixels are floating-point numbers of unknown range")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return image.convert("RGB")
