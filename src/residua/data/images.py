"""Images with their labels, and the two sets of them that a data set is."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from residua.data.files import ContentError
from residua.data.listing import Files
from residua.errors import RunError


@dataclass(frozen=True, slots=True)
class Images:
    """Pixels of shape [n, c, h, w] in 0..255, and one class index for each image."""

    pixels: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def image_size(self) -> int:
        """Width and height."""
        return self.pixels.shape[-1]

    def parts(self, sizes: list[int]) -> list["Images"]:
        """Return these images cut into parts of these sizes: views, not copies."""
        pairs = zip(self.pixels.split(sizes), self.labels.split(sizes), strict=True)
        return [Images(pixels, labels) for pixels, labels in pairs]

    def take(self, indices: Int64[Tensor, "m"]) -> "Images":
        """Return a copy of the images at these indices, in their order.

        Raises:
            RunError: If memory does not suffice.
        """
        pixels = room(len(indices), *self.pixels.shape[1:])
        torch.index_select(self.pixels, 0, indices, out=pixels)
        return Images(pixels, self.labels[indices])

    def fill(self, pieces: Iterable["Images"], *, num_classes: int) -> None:
        """Overwrite these images with ``pieces``, one after the other.

        Raises:
            ContentError: If the pieces are more or fewer images, or a label is out of range.
        """
        filled = 0
        for piece in pieces:
            start, filled = filled, filled + len(piece)
            if filled > len(self):
                break
            if not all(0 <= label < num_classes for label in piece.labels.aminmax()):
                raise ContentError(f"a label is not one of 0 to {num_classes - 1}")
            self.pixels[start:filled] = piece.pixels
            self.labels[start:filled] = piece.labels
        if filled != len(self):
            more = " or more" if filled > len(self) else ""
            raise ContentError(f"it holds {filled}{more} images, not {len(self)}")


@dataclass(frozen=True, slots=True)
class DataSet:
    """Named training and test images; ``val_size`` of the training images validate by default.

    Where they are files that somebody may add to, ``files`` stands for the names of these.
    """

    name: str
    classes: tuple[str, ...]
    train: Images | Files
    test: Images | Files
    val_size: int
    files: str | None = None


def room(n: int, c: int, h: int, w: int) -> UInt8[Tensor, "n c h w"]:
    """Return uninitialised pixels, in channels_last memory format.

    Batches are in that format too, so a loader need not copy the training images once more.

    Raises:
        RunError: If memory does not suffice.
    """
    try:
        return torch.empty((n, c, h, w), dtype=torch.uint8, memory_format=torch.channels_last)
    except RuntimeError as error:
        raise RunError(
            f"{n:,} images of {w}x{h} do not fit into memory ({n * c * h * w / 1e9:,.1f} GB): free "
            f"some, or take fewer or smaller images"
        ) from error


def unfilled(num_images: int) -> Images:
    """Return room for so many RGB images of 32x32 pixels, for `Images.fill`.

    Raises:
        RunError: If memory does not suffice.
    """
    return Images(room(num_images, 3, 32, 32), torch.empty(num_images, dtype=torch.int64))
