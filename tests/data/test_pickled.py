"""The reader of pickles that runs nothing."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.data import pickled

from .archives import pickle_as_python2 as to_pickle

INTEGERS = st.integers(-(2**31), 2**31 - 1)
NUMBERS = st.recursive(
    st.none() | st.booleans() | INTEGERS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
)
BYTES_TOO = st.recursive(
    st.binary(max_size=300) | st.integers(0, 2**31 - 1),
    lambda inner: st.lists(inner) | st.dictionaries(st.binary(max_size=20), inner),
)

SMALL = pickle.dumps([{}, (1, 2, 3), None, True, 70_000, -5, [1, [2]], ((), (1,), (1, 2))], 2)


class Hostile:
    """Makes a file when it is unpickled by `pickle`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@given(NUMBERS)
def test_reads_what_the_standard_library_pickles(value: object):
    """Lists, tuples and numbers come back from the standard library's protocol 2 as they were."""
    assert value == pickled.read(bytearray(pickle.dumps(value, protocol=2)))


def test_reads_a_shared_value_from_the_memo():
    """A value that a pickle refers to twice comes back twice, near and beyond memo number 255."""
    shared = [7]
    value = [shared, [[] for _ in range(300)], shared, (late := [8]), late]

    assert value == pickled.read(bytearray(pickle.dumps(value, protocol=2)))


@given(BYTES_TOO)
def test_reads_python_2_strings(value: object):
    """Short and long byte strings, and dicts keyed by them, come back as they were."""
    assert value == pickled.read(to_pickle(value))


def test_the_standard_library_reads_the_same():
    """Our Python 2 pickles of a batch file mean the same to `pickle` and numpy as to us."""
    data = torch.randint(256, (5, 60), dtype=torch.uint8)
    written = to_pickle({b"labels": [1, 255, 256], b"data": data, b"name": b"x"})

    theirs = pickle.loads(written, encoding="bytes")  # noqa: S301 - written in the line above
    ours = pickled.read(written)

    assert theirs.keys() == ours.keys()  # pyright: ignore[reportAttributeAccessIssue]
    assert theirs[b"labels"] == ours[b"labels"]  # pyright: ignore[reportIndexIssue]
    shape, content = pickled.matrix(ours[b"data"])  # pyright: ignore[reportIndexIssue]
    assert theirs[b"data"].shape == shape
    assert theirs[b"data"].tobytes() == content


def test_a_matrix_is_a_view_into_the_pickle():
    """Reading 30 MB of pixels copies none of them."""
    written = to_pickle(torch.zeros(4, 100, dtype=torch.uint8))

    _, content = pickled.matrix(pickled.read(written))

    assert written is content.obj


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_not_run(tmp_path: Path, protocol: int):
    """A pickle that would make a directory makes none, whatever its protocol."""
    target = tmp_path / "made"
    hostile = bytearray(pickle.dumps(Hostile(target), protocol))

    with pytest.raises(pickled.ContentError):
        pickled.read(hostile)

    assert not target.exists()
    pickle.loads(hostile)  # noqa: S301 - ours; shows that it is hostile
    assert target.exists()


def test_a_name_outside_the_list_is_told():
    """The message says which function a pickle wanted."""
    with pytest.raises(pickled.ContentError, match=r"it names 'posix\.system'"):
        pickled.read(bytearray(b"\x80\x02cposix\nsystem\nU\x02lstR."))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",  # nothing on the stack
        b"Z.",  # no opcode of ours
        b"h\x05.",  # an unknown memo number
        b"e.",  # no mark
        b"K\x01(K\x02e.",  # items for an integer
        b"K\x01K\x02b.",  # a state for an integer
        b"}K\x01K\x02s.",  # a key that is an integer
        b"}(U\x01au.",  # a key without a value
        b"U\xff" + b"N" * 254 + b".T\x9c\xff\xff\xff",  # a string of length -100: a jump back
        b"T\xff\xff\xff\x7f.",  # a string longer than the file
        b"c" + b"x" * 1_000,  # a name without end
        b"})Ns.",  # a key that is a tuple: hashing a deep one would overflow the C stack
    ],
)
def test_malformed_pickles_are_refused(content: bytes):
    """Whatever is wrong with a pickle, the error is ours."""
    with pytest.raises(pickled.ContentError):
        pickled.read(bytearray(content))


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_a_truncated_pickle_is_refused(length: int):
    """A pickle cut anywhere is no pickle."""
    with pytest.raises(pickled.ContentError, match="it ends"):
        pickled.read(bytearray(SMALL[:length]))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes):
    """No bytes get anything else out of the reader than a value or its own error."""
    try:
        value = pickled.read(bytearray(b"(}]" + content + b"."))
    except pickled.ContentError:
        return
    assert isinstance(
        value, pickled.Call | memoryview | bytes | list | tuple | dict | int | str | None
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        torch.zeros(300, dtype=torch.uint8),
        torch.zeros(3, 10, 10, dtype=torch.uint8),
        torch.zeros(3, 100, dtype=torch.int16),  # twice the bytes that the shape promises
        torch.zeros(0, 100, dtype=torch.uint8),
    ],
    ids=["none", "one axis", "three axes", "wide", "empty"],
)
def test_matrix_refuses_everything_else(value: torch.Tensor | None):
    """Only two axes of bytes are a matrix."""
    content = None if value is None else pickled.read(to_pickle(value))

    with pytest.raises(pickled.ContentError, match="no uint8 matrix"):
        pickled.matrix(content)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b"U\x02u1", b"U\x02u2"), (b"\x89T", b"\x88T")],
    ids=["two-byte numbers", "Fortran order"],
)
def test_matrix_refuses_other_arrays(right: bytes, wrong: bytes):
    """Arrays of other numbers or in another order are not silently misread."""
    written = to_pickle(torch.zeros(3, 100, dtype=torch.uint8))
    assert 1 == written.count(right)

    with pytest.raises(pickled.ContentError):
        pickled.matrix(pickled.read(written.replace(right, wrong)))
