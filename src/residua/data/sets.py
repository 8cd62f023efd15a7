"""Data sets by name, and the fixed split of their training images."""

import difflib
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional

from residua.data import cifar, svhn
from residua.data.files import Say
from residua.data.images import DataSet, Images
from residua.data.listing import Files
from residua.errors import UsageError

__all__ = ["DataSet", "Files", "Images", "Splits", "default_directory", "load", "names", "split"]

SHUFFLE_SEED = 0
IMAGE_SIZE = 32
FOLDER, IMAGENET = "folder:", "imagenet:"


@dataclass(frozen=True, slots=True)
class Splits:
    """What a run trains on, selects by, and reports once at its end."""

    train: Images | Files
    val: Images | Files
    test: Images | Files


def names() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(LOADERS)


def load(
    name: str,
    directory: Path | None = None,
    *,
    image_size: int | None = None,
    say: Say = lambda _line: None,
) -> DataSet:
    """Return a data set by name, its training images in one fixed shuffled order.

    The order depends on their number alone, so any run of them is a fair sample of all.

    Args:
        name: One of `names`, ``folder:PATH`` for a folder with one sub-folder a class, or
            ``imagenet:PATH`` for one with such folders ``train`` and ``val``, which is not decoded
            at once.
        directory: Where downloaded data lies and decoded images are kept; `default_directory` if
            None. The sets that need no file ignore it.
        image_size: Width and height to which a folder's images are brought; `default_size` if
            None, which is that of all other sets.
        say: Is told what takes long.

    Raises:
        UsageError: If the name is unknown, or an optional package that it needs is missing.
        RunError: If the data is missing or corrupt.
    """
    check_name(name)
    directory = directory or default_directory()
    size = default_size(name) if image_size is None else image_size
    if name.startswith(FOLDER):
        cache = directory / "folders"
        data = import_room("folders").read(
            name, folder_path(name), image_size=size, cache=cache, say=say
        )
    elif name.startswith(IMAGENET):
        data = import_room("imagenet").read(name, folder_path(name), image_size=size)
    elif size == IMAGE_SIZE:
        data = LOADERS[name](directory)
    else:
        raise UsageError(
            f"the images of {name} are {IMAGE_SIZE}x{IMAGE_SIZE}: another image size is for "
            f"{FOLDER}PATH"
        )
    return replace(data, train=data.train.take(_shuffle(len(data.train))))


def default_size(name: str) -> int:
    """Return the width and height of a set's images where no other is asked for."""
    return 224 if name.startswith(IMAGENET) else IMAGE_SIZE


def check_name(name: str) -> None:
    """Refuse a name that `load` does not know.

    Raises:
        UsageError: With the nearest name.
    """
    if name.startswith((FOLDER, IMAGENET)) and name not in {FOLDER, IMAGENET}:
        return
    if name not in LOADERS:
        known = [*LOADERS, f"{FOLDER}PATH", f"{IMAGENET}PATH"]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise UsageError(
            f"unknown data set {name!r}: did you mean {nearest}? There are {', '.join(known)}."
        )


def folder_path(name: str) -> Path:
    """Return the PATH of ``folder:PATH`` or ``imagenet:PATH``.

    Raises:
        UsageError: If it begins with the home of a user that there is not.
    """
    try:
        return Path(name.partition(":")[2]).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{name}: {error}; write the path out") from error


def import_room(name: str) -> ModuleType:
    """Return a module of this room that decodes images, which needs an optional package.

    Raises:
        UsageError: If the package is missing.
    """
    try:
        return importlib.import_module(f"residua.data.{name}")
    except ImportError as error:
        raise UsageError("image files need pillow: pip install 'residua[images]'") from error


def default_directory() -> Path:
    """Return ``$RESIDUA_DATA``, or ``~/.cache/residua`` where that is not set."""
    return Path(os.environ.get("RESIDUA_DATA") or Path.home() / ".cache" / "residua")


def split(data: DataSet, *, val_size: int, train_limit: int | None = None) -> Splits:
    """Split the training images: the last ``val_size`` of them validate.

    The others train, or the first ``train_limit`` of them; so a smaller limit is a prefix of a
    larger one. Nothing is copied: the parts are views of a data set that `load` has shuffled.

    Raises:
        UsageError: If no training image would be left, or there are fewer than the limit.
    """
    num_images = len(data.train)
    num_train = num_images - val_size
    if not 0 <= val_size < num_images:
        raise UsageError(
            f"data.val_size {val_size} is impossible: {data.name} has {num_images} training "
            f"images, so it is 0 to {num_images - 1}"
        )
    if train_limit is not None and not 1 <= train_limit <= num_train:
        raise UsageError(
            f"data.train_limit {train_limit} is impossible: of {data.name}'s {num_images} training "
            f"images {val_size} validate, so it is 1 to {num_train}"
        )
    limit = num_train if train_limit is None else train_limit
    train, _, val = data.train.parts([limit, num_train - limit, val_size])
    return Splits(train=train, val=val, test=data.test)


def _shuffle(num_images: int) -> Int64[Tensor, "n"]:
    return torch.randperm(num_images, generator=torch.Generator().manual_seed(SHUFFLE_SEED))


def _digits() -> DataSet:
    """Return scikit-learn's handwritten digits, 8x8 in 17 greys, as 32x32 RGB."""
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise UsageError(
            "the data set digits comes with scikit-learn: pip install 'residua[digits]'"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    grey = torch.from_numpy(pixels).float().view(-1, 1, 8, 8)
    # Every value is a multiple of 255/1024, exact in float32: the same bytes on any machine.
    scaled = functional.interpolate(grey, size=IMAGE_SIZE, mode="bilinear") * (255 / 16)
    images = Images(
        scaled.round().to(torch.uint8).expand(-1, 3, -1, -1),
        torch.from_numpy(labels).long(),
    )
    order = _shuffle(len(images))
    return DataSet(
        name="digits",
        classes=tuple("0123456789"),
        train=images.take(order[:1_437]),
        test=images.take(order[1_437:]),
        val_size=144,
    )


def _synthetic() -> DataSet:
    """Return noisy copies of ten patterns of 4x4 coloured squares, made from a fixed seed."""
    num_train, num_test, num_classes = 640, 160, 10
    generator = torch.Generator().manual_seed(SHUFFLE_SEED)
    patterns = torch.randint(64, 192, (num_classes, 3, 4, 4), generator=generator)
    patterns = patterns.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    labels = torch.arange(num_train + num_test) % num_classes
    noise = torch.randint(-64, 64, (len(labels), 3, IMAGE_SIZE, IMAGE_SIZE), generator=generator)
    images = Images((patterns[labels] + noise).to(torch.uint8), labels)
    return DataSet(
        name="synthetic",
        classes=tuple(f"pattern {index}" for index in range(num_classes)),
        train=Images(images.pixels[:num_train], labels[:num_train]),
        test=Images(images.pixels[num_train:], labels[num_train:]),
        val_size=64,
    )


LOADERS: Mapping[str, Callable[[Path], DataSet]] = MappingProxyType(
    {
        **{name: partial(cifar.read, row) for name, row in cifar.BY_NAME.items()},
        **{name: partial(svhn.read, name) for name in svhn.FILES},
        "digits": lambda _directory: _digits(),
        "synthetic": lambda _directory: _synthetic(),
    }
)
