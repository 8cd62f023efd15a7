"""Files of data: how they are recognised, blamed, and put in place whole."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from residua.errors import RunError

ALGORITHMS = {32: "MD5", 64: "SHA-256"}  # by hexadecimal digits

Say = Callable[[str], object]  # is told what a user may want to know meanwhile


class ContentError(ValueError):
    """The bytes or the values in them are not what they should be; the message says how."""


@dataclass(frozen=True, slots=True)
class File:
    """A published file: its checksum (MD5 or SHA-256), what it holds, and where it can be had.

    ``size`` in bytes and ``urls``, the publisher's own first, are those of files we can fetch.
    """

    name: str
    checksum: str
    num_images: int = 0
    size: int = 0
    urls: tuple[str, ...] = ()

    @property
    def algorithm(self) -> str:
        """What the checksum is: MD5 or SHA-256."""
        return ALGORITHMS[len(self.checksum)]

    def check(self, content: bytes | bytearray, where: str) -> None:
        """Compare the checksum of these bytes, found at ``where``.

        Raises:
            RunError: If it is another.
        """
        self.compare(_hash(self.algorithm, content).hexdigest(), where)

    def compare(self, found: str, where: str) -> None:
        """Compare a checksum found at ``where``.

        Raises:
            RunError: If it is another.
        """
        if found != self.checksum:
            raise RunError(
                f"{where} is corrupt or truncated: expected {self.algorithm} {self.checksum}, "
                f"found {found}.\nGet the official file again."
            )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published file lies, or should."""

    path: Path
    file: File

    def check(self) -> None:
        """Compare the checksum of what lies there.

        Raises:
            RunError: If it is another.
            OSError: If it cannot be read.
        """
        self.file.compare(digest(self.path, self.file.algorithm), str(self.path))


def digest(path: Path, algorithm: str) -> str:
    """Return the MD5 or SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: _hash(algorithm)).hexdigest()


def _hash(algorithm: str, content: bytes | bytearray = b"") -> "hashlib._Hash":
    return hashlib.new(algorithm.replace("-", "").lower(), content, usedforsecurity=False)


@contextmanager
def blaming(where: str) -> Iterator[None]:
    """Turn a `ContentError` into a `RunError` that names the verified file it is about."""
    try:
        yield
    except ContentError as error:
        raise RunError(f"{where} has the right checksum but cannot be used: {error}") from error


def put_in_place(part: Path, path: Path) -> None:
    """Make the finished file ``part`` be ``path``, so that there is a whole file or none.

    Raises:
        OSError: If the directory cannot be written to.
    """
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(path)
