"""Small files of every format that data is published in, written as the publishers wrote theirs."""

import hashlib
import io
import itertools
import struct
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from residua.data import cifar
from residua.data.files import File
from residua.data.images import Images

ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
DTYPE = (
    b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
IMAGES_PER_FILE = 7


def random_images(num_images: int, *, num_classes: int = 10, seed: int = 0) -> Images:
    """Return images of 32x32 pixels without any pattern."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_images, 3, 32, 32)
    return Images(
        torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        torch.randint(num_classes, (num_images,), generator=generator),
    )


def pickle_as_python2(value: object) -> bytearray:
    """Return a value as Python 2's pickle, protocol 2: a memo number follows each container."""
    numbers = itertools.count()
    return bytearray(b"\x80\x02" + _opcodes(value, numbers) + b".")


def _opcodes(  # noqa: PLR0911 - one for each type
    value: object, numbers: Iterator[int]
) -> bytes:
    def memo() -> bytes:
        number = next(numbers)
        return (
            struct.pack("<cB", b"q", number) if number < 256 else struct.pack("<cI", b"r", number)
        )

    def each(values: Iterable[object]) -> bytes:
        return b"".join(_opcodes(item, numbers) for item in values)

    match value:
        case bytes() if len(value) < 256:
            return struct.pack("<cB", b"U", len(value)) + value + memo()
        case bytes():
            return struct.pack("<ci", b"T", len(value)) + value + memo()
        case int() if 0 <= value < 256:
            return struct.pack("<cB", b"K", value)
        case int():
            return struct.pack("<ci", b"J", value)
        case list():
            return b"]" + memo() + b"(" + each(value) + b"e"
        case dict():
            return b"}" + memo() + b"(" + each(itertools.chain(*value.items())) + b"u"
        case Tensor():
            content = _opcodes(value.numpy().tobytes(), numbers)
            return ARRAY + b"(K\x01(" + each(value.shape) + b"t" + DTYPE + b"\x89" + content + b"tb"
    raise TypeError(type(value))


def as_pickle(images: Images, label_key: bytes) -> bytearray:
    """Return a batch file of CIFAR's python version."""
    return pickle_as_python2(
        {
            b"filenames": [b"first.png"] * len(images),
            label_key: images.labels.tolist(),
            b"data": images.pixels.flatten(1),
        }
    )


def as_records(images: Images, num_labels: int) -> bytearray:
    """Return a file of CIFAR's binary version; its coarse labels are all 3."""
    coarse = torch.full((len(images), num_labels - 1), 3, dtype=torch.uint8)
    rows = [coarse, images.labels[:, None].to(torch.uint8), images.pixels.flatten(1)]
    return bytearray(torch.cat(rows, dim=1).numpy().tobytes())


def as_parquet(images: Images, label_column: str, **columns: object) -> bytearray:
    """Return a table as the Hugging Face Hub keeps CIFAR; ``columns`` are added or replaced."""
    import pyarrow as pa
    from pyarrow import parquet

    pngs = [{"bytes": as_png(picture), "path": None} for picture in images.pixels]
    table = {"img": pngs, label_column: images.labels.tolist()} | columns
    stream = pa.BufferOutputStream()
    kinds = {"img": pa.struct([("bytes", pa.binary()), ("path", pa.string())])}
    arrays = {
        name: pa.array(values, kinds.get(name) if values is pngs else None)
        for name, values in table.items()
    }
    parquet.write_table(pa.table(arrays), stream, row_group_size=5)
    return bytearray(stream.getvalue())


def as_png(picture: Tensor) -> bytes:
    """Return one image of shape [3, h, w] as a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(stream, "png")
    return stream.getvalue()


def as_matlab(images: Images, *, compressed: bool = True, **arrays: object) -> bytearray:
    """Return a file of SVHN, where the digit 0 is labelled 10; ``arrays`` are added or replaced."""
    from scipy.io import savemat

    labels = images.labels.numpy()
    content = {
        "X": images.pixels.permute(2, 3, 1, 0).numpy(),
        "y": np.where(labels == 0, 10, labels).astype(np.uint8)[:, None],
    }
    stream = io.BytesIO()
    savemat(stream, content | arrays, do_compression=compressed)
    return bytearray(stream.getvalue())


def publish(
    row: cifar.Cifar, directory: Path, *, form: str = "python", **contents: bytes | bytearray
) -> cifar.Cifar:
    """Write one version of a small CIFAR into a directory, as a folder and as ``packed/*.tar.gz``.

    Whatever the form, the images are the same.

    Args:
        row: The data set that is made small.
        directory: Where it is put.
        form: Which version: python, binary or parquet.
        contents: By name of file, what is written in place of images.

    Returns:
        The row that describes it.
    """
    version: cifar.Version = getattr(row, form)
    num_train = IMAGES_PER_FILE * len(row.python.train)
    num_classes = len(row.classes)
    train = random_images(num_train, num_classes=num_classes, seed=1)
    test = random_images(IMAGES_PER_FILE, num_classes=num_classes, seed=2)
    folder = directory / version.folder
    folder.mkdir(parents=True)

    def write(file: File, images: Images) -> File:
        content = contents.get(file.name) or _encoded(images, row, form)
        (folder / file.name).write_bytes(content)
        return replace(file, checksum=_checksum(file, content), num_images=len(images))

    sizes = [num_train // len(version.train)] * len(version.train)
    made = replace(
        version,
        train=tuple(map(write, version.train, train.parts(sizes))),
        test=write(version.test, test),
    )
    if version.packed:
        made = replace(made, packed=_pack(folder, directory / "packed", version.packed))
    return replace(row, **{form: made})


def _encoded(images: Images, row: cifar.Cifar, form: str) -> bytearray:
    fine = row.name == "cifar100"
    match form:
        case "python":
            return as_pickle(images, b"fine_labels" if fine else b"labels")
        case "binary":
            return as_records(images, 2 if fine else 1)
        case _:
            coarse = {"coarse_label": [3] * len(images)} if fine else {}
            return as_parquet(images, "fine_label" if fine else "label", **coarse)


def _checksum(file: File, content: bytes | bytearray) -> str:
    return hashlib.new("sha256" if len(file.checksum) == 64 else "md5", content).hexdigest()


def _pack(folder: Path, target: Path, file: File) -> File:
    target.mkdir()
    with tarfile.open(target / file.name, "w:gz") as tar:
        tar.add(folder, folder.name)
    return replace(file, checksum=_checksum(file, (target / file.name).read_bytes()))
