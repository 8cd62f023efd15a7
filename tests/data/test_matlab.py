"""The reader of MATLAB's version 5 files, compared with scipy's writer."""

import io
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from residua.data import matlab
from residua.data.files import ContentError


def written(arrays: dict[str, object], *, compressed: bool) -> io.BytesIO:
    """Return what scipy writes."""
    stream = io.BytesIO()
    savemat(stream, arrays, do_compression=compressed)
    return stream


SHAPES = st.lists(st.integers(1, 7), min_size=2, max_size=4).filter(lambda s: math.prod(s) > 4)


@given(SHAPES, st.booleans(), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_reads_what_scipy_writes(shape: list[int], compressed, step: int, seed: int):
    """Arrays of bytes come back in column-major order, however small the pieces read."""
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(256, size=shape, dtype=np.uint8) for _ in range(2))
    stream = written({"first": first, "b": second}, compressed=compressed)

    for name, array in (("b", second), ("first", first)):
        found, content = matlab.find(stream, name)
        size = math.prod(shape)
        pieces = [content.read(min(step, size - start)) for start in range(0, size, step)]

        assert tuple(shape) == found
        assert array.tobytes("F") == b"".join(pieces)


@pytest.mark.parametrize("compressed", [True, False])
def test_other_variables_are_passed_over(compressed):
    """Objects, numbers, texts and structures beside the array are neither read nor built."""
    wanted = np.arange(20, dtype=np.uint8).reshape(4, 5)
    others = {
        "a": np.array([[1, "x"]], dtype=object),
        "b": 3.0,
        "c": "text",
        "d": {"field": np.arange(9)},
        "e": np.arange(9) > 3,
        "wanted": wanted,
        "wanted2": 1,
    }
    stream = written(others, compressed=compressed)

    shape, content = matlab.find(stream, "wanted")

    assert (4, 5) == shape
    assert wanted.tobytes("F") == content.read(20)


def test_an_array_is_read_piece_by_piece():
    """A long array that compresses well is inflated no further than it is asked for."""
    stream = written({"X": np.zeros((10, 10_000_000), dtype=np.uint8)}, compressed=True)

    _, content = matlab.find(stream, "X")
    piece = content.read(1_000)

    assert bytes(1_000) == piece
    assert len(stream.getvalue()) - content.left < 200_000


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.arange(9.0), "its X is no array of bytes"),
        (np.arange(9, dtype=np.int16), "its X is no array of bytes"),
        (np.arange(9, dtype=np.uint8) * 1j, "its X is no array of bytes"),
        (np.array([[1, "x"]], dtype=object), "its X is no array of bytes"),
        ("a text of many letters", "its X is no array of bytes"),
        ({"field": 1}, "its X is no array of bytes"),
    ],
    ids=["double", "int16", "complex", "objects", "text", "structure"],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_an_array_of_anything_else_is_refused(value: object, message: str, compressed):
    """Only bytes are read as bytes."""
    with pytest.raises(ContentError, match=message):
        matlab.find(written({"X": value}, compressed=compressed), "X")


@pytest.mark.parametrize("flags", [4, 0x800 | 9], ids=["letters", "complex"])
def test_bytes_that_stand_for_something_else_are_refused(flags: int):
    """Bytes of letters are no numbers, and the first half of complex numbers is not the whole."""
    stream = written({"X": np.zeros((9, 9), dtype=np.uint8)}, compressed=False)
    content = stream.getvalue()
    head, found = struct.pack("<II", 6, 8), struct.pack("<I", 9)
    assert 1 == content.count(head + found)

    changed = io.BytesIO(content.replace(head + found, head + struct.pack("<I", flags)))

    with pytest.raises(ContentError, match="its X is no array of bytes"):
        matlab.find(changed, "X")


@pytest.mark.parametrize("step", [1, 7, 1_000, 99_999, 100_000])
def test_what_compresses_well_is_read_to_its_end(step: int):
    """Long runs come out of few bytes, which may all have been taken in long before."""
    stream = written({"X": np.full((1, 100_000), 7, dtype=np.uint8)}, compressed=True)
    _, content = matlab.find(stream, "X")

    pieces = [content.read(min(step, 100_000 - start)) for start in range(0, 100_000, step)]

    assert bytes([7]) * 100_000 == b"".join(pieces)


def test_a_missing_array_is_named():
    """A file without the array says which it lacks."""
    with pytest.raises(ContentError, match="it has no array X"):
        matlab.find(written({"Y": np.zeros((3, 3))}, compressed=True), "X")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MATLAB 5.0 MAT-file",
        bytes(124) + b"\x00\x02IM",  # version 7.3, which is HDF5
        bytes(124) + b"\x01\x00MI",  # big-endian
        b"\x89HDF\r\n\x1a\n" + bytes(200),
    ],
    ids=["empty", "short", "7.3", "big-endian", "hdf5"],
)
def test_other_versions_are_told(content: bytes):
    """Only version 5, little-endian, is read."""
    with pytest.raises(ContentError, match="it is no MATLAB file of version 5"):
        matlab.find(io.BytesIO(content), "X")


@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_refused(compressed):
    """Wherever a file is cut, its array is not had."""
    array = np.random.default_rng(0).integers(256, size=(30, 30), dtype=np.uint8)
    whole = written({"X": array}, compressed=compressed).getvalue()

    for length in range(0, len(whole) - 8, 7):  # the last bytes may be padding
        with pytest.raises(ContentError):
            matlab.find(io.BytesIO(whole[:length]), "X")[1].read(900)


def element(kind: int, content: bytes) -> bytes:
    """Return an element with its tag, padded."""
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


@pytest.mark.parametrize(
    "head",
    [
        element(6, b""),  # no flags
        element(6, struct.pack("<I", 9) + bytes(2_000))  # flags longer than anything sensible
        + element(5, struct.pack("<ii", 3, 3))
        + element(1, b"X")
        + element(2, bytes(9)),
        element(5, struct.pack("<II", 9, 0)),  # a shape where the flags should be
        struct.pack("<II", 6 | 7 << 16, 9),  # seven bytes in a tag that has room for four
    ],
)
def test_a_damaged_head_is_refused(head: bytes):
    """Sizes inside of an array are not believed."""
    file = bytes(124) + b"\x00\x01IM" + element(14, head + bytes(64))

    with pytest.raises(ContentError, match="its arrays' heads are damaged"):
        matlab.find(io.BytesIO(file), "X")


def test_a_size_that_is_not_the_shapes_is_refused():
    """An array has as many bytes as its shape says."""
    stream = written({"X": np.zeros((10, 10), dtype=np.uint8)}, compressed=False)
    content = bytearray(stream.getvalue())
    at = content.index(struct.pack("<ii", 10, 10))
    content[at : at + 4] = struct.pack("<i", 11)

    with pytest.raises(ContentError, match="no array of bytes"):
        matlab.find(io.BytesIO(content), "X")
