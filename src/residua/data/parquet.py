"""Images and labels in parquet files as the Hugging Face Hub keeps them (needs pyarrow)."""

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import UInt8
from pyarrow import parquet
from torch import Tensor

from residua.data.decoding import guarded, picture
from residua.data.files import ContentError
from residua.data.images import Images

ROWS_AT_ONCE = 1_000


def images(raw: bytearray, *, label_column: str) -> Iterator[Images]:
    """Yield the images of a table, at most 1,000 at a time.

    Its column ``img`` has in the field ``bytes`` PNG files of 32x32 pixels.

    Raises:
        ContentError: If the bytes are no parquet file, or another table.
    """
    for batch in _batches(raw, label_column=label_column):
        pngs = batch.column("img").field("bytes").to_pylist()
        labels = batch.column(label_column).to_pylist()
        if None in pngs or None in labels:
            raise ContentError("a value is missing")
        with guarded():
            pixels = torch.stack([_pixels(png) for png in pngs])
        yield Images(pixels.permute(0, 3, 1, 2), torch.tensor(labels, dtype=torch.int64))


def _batches(raw: bytearray, *, label_column: str) -> Iterator[pa.RecordBatch]:
    columns = ["img.bytes", label_column]
    try:
        table = parquet.ParquetFile(pa.BufferReader(raw))
        _check(table.schema_arrow, label_column=label_column)
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            batch.validate(full=True)
            yield batch
    except (ContentError, MemoryError):
        raise
    except Exception as error:  # on damaged files pyarrow raises what it likes
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ContentError(f"it is no parquet table of images ({reason})") from error


def _check(schema: pa.Schema, *, label_column: str) -> None:
    # `field` refuses a name that stands there twice, like one that does not.
    image, label = schema.field("img").type, schema.field(label_column).type
    if not pa.types.is_binary(image.field("bytes").type) or not pa.types.is_integer(label):
        raise ContentError(f"its columns img and {label_column} are {image} and {label}")


def _pixels(png: bytes) -> UInt8[Tensor, "32 32 3"]:
    image = picture(io.BytesIO(png), formats=("PNG",))
    if image.size != (32, 32):
        raise ContentError(f"an image has {image.width}x{image.height} pixels, not 32x32")
    return torch.from_numpy(np.array(image))
