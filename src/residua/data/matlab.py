"""Arrays of bytes in MATLAB's version 5 files, read piece by piece.

Such a file is a row of elements, each with a type and a size; an array is an element made of
elements: flags, shape, name, numbers. MATLAB stores numbers that fit into bytes as bytes, whatever
their class, and may compress an array as a whole. Nothing else is understood here, nothing is run.
Source: MathWorks, MAT-File Format, chapter "Level 5 MAT-File Format".
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from residua.data.files import ContentError

HEADER_SIZE = 128
VERSION_5 = b"\x00\x01IM"  # in the byte order of all machines that MATLAB still runs on
INT8, UINT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 2, 5, 6, 14, 15
NUMERIC_CLASSES = range(6, 16)
COMPLEX = 0x800
LONGEST_PART = 1_000
CHUNK = 1 << 16


@dataclass(slots=True)
class Content:
    """The bytes of an element, inflated if it is compressed, from its start to its end."""

    stream: io.BufferedIOBase
    left: int
    inflater: "zlib._Decompress | None"

    def read(self, size: int) -> bytearray:
        """Return the next bytes.

        Raises:
            ContentError: If there are not so many.
        """
        try:
            content = self._inflated(size) if self.inflater else self._raw(size)
        except zlib.error as error:
            raise ContentError(f"its compressed part is damaged ({error})") from error
        if len(content) != size:
            raise ContentError("it ends in the middle of an array")
        return content

    def _raw(self, size: int) -> bytearray:
        content = bytearray(self.stream.read(min(size, self.left)))
        self.left -= len(content)
        return content

    def _inflated(self, size: int) -> bytearray:
        assert self.inflater
        content = bytearray()
        while len(content) < size:
            deflated = self.inflater.unconsumed_tail or self._raw(CHUNK)
            if not deflated:
                break
            content += self.inflater.decompress(deflated, size - len(content))
        return content


def find(stream: io.BufferedIOBase, name: str) -> tuple[tuple[int, ...], Content]:
    """Return the shape of an array, and its bytes in column-major order, to be read on demand.

    Raises:
        ContentError: If the file is of another version or damaged, or its array of this name is
            none of bytes.
        OSError: If the stream cannot be read.
    """
    stream.seek(0)
    if stream.read(HEADER_SIZE)[-4:] != VERSION_5:
        raise ContentError("it is no MATLAB file of version 5")
    for array in _arrays(stream):
        (flags,) = struct.unpack_from("<I", _part(array, UINT32, at_least=4))
        shape = _part(array, INT32)
        if _part(array, INT8) != name.encode():
            continue
        sides = struct.unpack(f"<{len(shape) // 4}i", shape[: len(shape) // 4 * 4])
        kind, size = struct.unpack("<II", array.read(8))
        if (
            (flags & 0xFF) in NUMERIC_CLASSES
            and not flags & COMPLEX
            and (kind, size) == (UINT8, math.prod(sides))
        ):
            return sides, array
        raise ContentError(f"its {name} is no array of bytes")
    raise ContentError(f"it has no array {name}")


def _arrays(stream: io.BufferedIOBase) -> Iterator[Content]:
    """Yield each array of a file, however far the one before has been read."""
    start = HEADER_SIZE
    while True:
        stream.seek(start)
        if not (tag := stream.read(8)):
            return
        if len(tag) < 8:
            raise ContentError("it ends in the middle of a tag")
        kind, size = struct.unpack("<II", tag)
        start += 8 + size
        element = Content(stream, size, zlib.decompressobj() if kind == COMPRESSED else None)
        if kind == COMPRESSED:
            kind, _ = struct.unpack("<II", element.read(8))
        if kind == MATRIX:
            yield element


def _part(array: Content, kind: int, *, at_least: int = 0) -> bytearray:
    """Return the bytes of the next short element, which is to be of this kind."""
    found, size = struct.unpack("<II", array.read(8))
    if found >> 16:  # up to four bytes stand in the tag itself
        size, found, content = found >> 16, found & 0xFFFF, bytearray(struct.pack("<I", size))
    elif size <= LONGEST_PART:
        content = array.read(size + -size % 8)
    else:
        content = bytearray()
    if found != kind or not at_least <= size <= len(content):
        raise ContentError("its arrays' heads are damaged")
    return content[:size]
