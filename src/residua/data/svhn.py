"""The Street View House Numbers, cropped to 32x32, from their official MATLAB files.

The papers train on the training and the extra images together; without the extra ones it is
another data set, with another name.  Sources: http://ufldl.stanford.edu/housenumbers;
zagoruyko2016 §3, huang2017 §4.1.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import torch

from residua.data import matlab
from residua.data.files import ContentError, File, Place, blaming
from residua.data.images import DataSet, Images, unfilled
from residua.errors import RunError

IMAGES_AT_ONCE = 1_000
TRAIN = File(
    "train_32x32.mat",
    "e26dedcc434d2e4c54c9b2d4a06d8373",
    73_257,
    182_040_794,
    (
        "https://ufldl.stanford.edu/housenumbers/train_32x32.mat",
        "https://cseweb.ucsd.edu/~weijian/static/datasets/svhn/train_32x32.mat",
    ),
)
EXTRA = File(
    "extra_32x32.mat",
    "a93ce644f1a588dc4d68dda5feec44a7",
    531_131,
    1_329_278_602,
    ("https://ufldl.stanford.edu/housenumbers/extra_32x32.mat",),
)
TEST = File(
    "test_32x32.mat",
    "eb5a983be6a315427106f1b164d9cef3",
    26_032,
    64_275_384,
    (
        "https://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        "https://cseweb.ucsd.edu/~weijian/static/datasets/svhn/test_32x32.mat",
    ),
)
FILES: dict[str, tuple[File, ...]] = {"svhn": (TRAIN, EXTRA, TEST), "svhn-small": (TRAIN, TEST)}


def read(name: str, directory: Path) -> DataSet:
    """Return ``svhn``, with 604,388 training images, or ``svhn-small``, with 73,257 of them.

    Raises:
        RunError: If the data is missing, unreadable, corrupt or not what was published.
    """
    *train_sizes, test_size = [file.num_images for file in FILES[name]]
    train, test = unfilled(sum(train_sizes)), unfilled(test_size)
    try:
        for place, room in zip(
            places(name, directory), [*train.parts(train_sizes), test], strict=True
        ):
            place.check()
            with place.path.open("rb") as stream, blaming(str(place.path)):
                room.fill(from_matlab(stream), num_classes=10)
    except OSError as error:
        raise RunError(
            f"SVHN cannot be read: {error}\nFetch it with `residua data get {name}`, put its files "
            f"into {directory / 'svhn'}, or say where they lie with --data-dir or RESIDUA_DATA."
        ) from error
    # huang2017 §4.1 validates on 6,000 images.
    return DataSet(name, tuple("0123456789"), train, test, val_size=6_000)


def places(name: str, directory: Path) -> list[Place]:
    """Return where the files of a set lie or are to be put: in ``svhn``, unless found above it."""
    return [
        Place(directory / file.name, file)
        if (directory / file.name).is_file() and not (directory / "svhn" / file.name).is_file()
        else Place(directory / "svhn" / file.name, file)
        for file in FILES[name]
    ]


def from_matlab(stream: io.BufferedIOBase) -> Iterator[Images]:
    """Yield the images of an open file, some at a time.

    The file's label of the digit 0 is 10.

    Raises:
        ContentError: If the file is no MATLAB file of images and labels.
    """
    (num_labels, *_), content = matlab.find(stream, "y")
    labels = torch.frombuffer(content.read(num_labels), dtype=torch.uint8)
    shape, content = matlab.find(stream, "X")
    if shape != (32, 32, 3, num_labels):
        raise ContentError(f"{num_labels} labels and images of {shape}")
    if labels.min() == 0:
        raise ContentError("a label is not one of 1 to 10")
    for some in labels.split(IMAGES_AT_ONCE):
        raw = content.read(len(some) * 3 * 32 * 32)
        columns = torch.frombuffer(raw, dtype=torch.uint8).view(-1, 3, 32, 32)
        # 10 becomes 0; what is larger stays too large.
        yield Images(columns.transpose(2, 3), torch.where(some == 10, 0, some).long())
