"""Images that somebody hands to a trained net: found, decoded to its size, and looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from residua.data.decoding import guarded, picture
from residua.data.files import ContentError
from residua.data.folders import square
from residua.data.listing import SUFFIXES
from residua.errors import RunError, UsageError

Source = Path | Image.Image | Tensor

# From where on an image is unlike the training images; a photograph is 3:2 at most.
MUCH_LARGER, MUCH_SMALLER, OBLONG = 4, 2, 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What images a net was trained on.

    Attributes:
        size: Width and height.
        channels: 1 or 3.
        colour: Whether they had colours; None if nobody knows.
        bleed: The share of an image's sides that is cut off in evaluation, at each end.
    """

    size: int
    channels: int
    colour: bool | None
    bleed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An image as a net sees it.

    Attributes:
        name: Its file, or what stands for it.
        pixels: [c, s, s].
        notes: How it is unlike the training images.
    """

    name: str
    pixels: UInt8[Tensor, "c s s"]
    notes: tuple[str, ...]


def sources(given: object) -> Iterator[tuple[str, Source]]:
    """Yield each image with its name: files as they are, a folder's in the order of their names.

    Args:
        given: A file, a folder, a pillow image, uint8 pixels [c, h, w] or [n, c, h, w], or a list
            of such.

    Raises:
        UsageError: If it is something else, or there is no image.
    """
    several = isinstance(given, list | tuple) or (isinstance(given, Tensor) and given.ndim == 4)
    for number, one in enumerate(given if several else [given], start=1):  # type: ignore[arg-type] - of these kinds, all are iterable
        if isinstance(one, str | Path):
            yield from ((str(path), path) for path in _files(Path(one)))
        elif isinstance(one, Image.Image | Tensor):
            yield str(getattr(one, "filename", "")) or f"image {number}", one
        else:
            raise UsageError(
                f"image {number} is a {type(one).__name__}: give a path, a pillow image or a "
                f"uint8 tensor [c, h, w]"
            )


def read(name: str, source: Source, kind: Kind) -> Given:
    """Return an image as a net sees it that was trained on another kind.

    Raises:
        UsageError: If it is a tensor that is no image.
        RunError: If it cannot be decoded, is too large to be decoded safely, or is animated.
    """
    image = _image(name, source) if isinstance(source, Tensor) else source
    notes: list[str] = []

    def look(original: Image.Image) -> None:
        frames = getattr(original, "n_frames", 1)
        if frames > 1 and original.format != "MPO":  # a photograph that carries its own preview
            raise ContentError(f"it has {frames} frames, and only still images can be told")
        transparent = original.has_transparency_data
        if transparent and original.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            notes.append("its transparent parts are laid on white")

    try:
        with guarded():
            upright = picture(image, look=look)
    except ContentError as error:
        raise RunError(f"{name} cannot be used: {error}") from error
    pixels = square(upright, kind.size, bleed=kind.bleed)
    notes += _unlike(upright, pixels, kind)
    if kind.channels == 1:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    tensor = torch.tensor(pixels).permute(2, 0, 1)
    return Given(name=name, pixels=tensor, notes=tuple(notes))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise UsageError(f"{path} does not exist: give image files, or folders of them")
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    if not found:
        raise UsageError(f"{path} holds no image (they end in {' '.join(sorted(SUFFIXES))})")
    return found


def _image(name: str, pixels: Tensor) -> Image.Image:
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or len(pixels) not in {1, 3}:
        raise UsageError(
            f"{name} is {pixels.dtype} {list(pixels.shape)}: pixels are torch.uint8, [1, h, w] or "
            f"[3, h, w]"
        )
    if not pixels.numel():
        raise UsageError(f"{name} is {list(pixels.shape)}: it has no pixel")
    array = pixels.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if len(pixels) == 1 else np.ascontiguousarray(array))


def _unlike(image: Image.Image, pixels: np.ndarray, kind: Kind) -> Iterator[str]:
    """Yield how an image differs from those of a kind; ``pixels`` are [s, s, 3] of it."""
    short, long = sorted(image.size)
    if short > MUCH_LARGER * kind.size or MUCH_SMALLER * short < kind.size:
        yield (
            f"it is {image.width}×{image.height}, the training images were {kind.size}×{kind.size}"
        )
    if long > OBLONG * short:
        yield f"it is {long / short:.1f} times as long as wide, and only its middle is seen"
    grey = bool((pixels == pixels[..., :1]).all())
    if kind.channels == 1 and not grey:
        yield "it has colours, of which the net sees the brightness alone"
    elif kind.channels == 3 and kind.colour is not None and grey is kind.colour:
        which = ("grey", "in colour") if grey else ("in colour", "grey")
        yield f"it is {which[0]}, the training images were {which[1]}"
