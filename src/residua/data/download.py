"""One published file fetched: from several sources, resumed where a download broke off, verified.

The file grows under the name ``….part`` and gets its own when its checksum is right, so it is whole
or absent. Its sources serve the same bytes, so each goes on where the one before it stopped.
"""

import errno
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from residua.data.files import File, Place, Say, digest, put_in_place
from residua.errors import RunError

TIMEOUT_S = 30.0  # without a byte
# The first round leaves a source that is slower than others may be, the second one that stalls.
LEAST_BYTES_PER_S = (200_000, 2_000)
WINDOW_S = 20.0  # over which speed is measured
PAUSE_S = 3.0
REPORT_S = 5.0
CHUNK = 1 << 18


class SourceError(Exception):
    """A source does not give us the file; the message says why. Another source may."""


def download(place: Place, *, say: Say) -> None:
    """Fetch a file that is missing or wrong, going on from what an earlier try has left.

    Of several processes that fetch it, one does and the others find it when they have waited.

    Args:
        place: The file, and where it goes.
        say: Is told of progress and of sources that fail.

    Raises:
        SourceError: If no source gives the file.
        RunError: If it cannot be written.
    """
    file, path = place.file, place.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place, say):
            if not (path.exists() and _is_official(path, file)):  # by another process meanwhile
                put_in_place(_whole(place, say), path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written: {error.strerror}.\nMake room or choose another --data-dir; "
            f"a download goes on where it stopped."
        ) from error
    say(f"{file.name}: verified")


@contextmanager
def _alone(place: Place, say: Say) -> Iterator[None]:
    """Keep other processes off a download."""
    lock = FileLock(place.path.with_name(f".{place.path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"{place.file.name}: another process fetches it, waiting for that")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _whole(place: Place, say: Say) -> Path:
    """Return the official file under the name that it grows under.

    Raises:
        SourceError: If no source gives it.
    """
    file, path = place.file, place.path
    part = path.with_name(f"{path.name}.part")
    if path.exists():  # most often of a download that broke off elsewhere
        path.replace(part)
    if part.exists() and part.stat().st_size == file.size:
        if _is_official(part, file):
            return part
        say(f"{file.name}: what lies there has other bytes than the official file, and is replaced")
        part.unlink()
    failures: dict[str, str] = {}
    for number, least in enumerate(LEAST_BYTES_PER_S):
        time.sleep(PAUSE_S * number)
        for url in file.urls:
            host = urlsplit(url).netloc
            try:
                _fetch(url, part, file, least=least, say=say)
                _verify(part, file)
            except SourceError as error:
                failures[host] = str(error)
                say(f"{file.name}: {host} {error}")
            else:
                return part
    reasons = "; ".join(f"{host} {reason}" for host, reason in failures.items())
    raise SourceError(f"{file.name} could not be fetched: {reasons}")


def _fetch(url: str, part: Path, file: File, *, least: float, say: Say) -> None:
    """Append to ``part`` what it lacks, or write it anew if the source sends the whole file."""
    size = part.stat().st_size if part.exists() else 0
    host = urlsplit(url).netloc
    with _open(url, size if size < file.size else 0) as response:
        size = _start(response, size, file)
        if (free := shutil.disk_usage(part.parent).free) < file.size - size:
            needed = f"{(file.size - size) / 1e6:,.0f} MB"
            raise OSError(errno.ENOSPC, f"{needed} are needed and {free / 1e6:,.0f} MB are free")
        said_s = time.monotonic()
        with part.open("ab" if size else "wb") as stream:
            for chunk in _chunks(response, least):
                size += len(chunk)
                if size > file.size:
                    raise SourceError(f"sends more than {file.size:,} bytes")
                stream.write(chunk)
                if time.monotonic() - said_s > REPORT_S:
                    said_s = time.monotonic()
                    say(f"{file.name}: {size / 1e6:,.0f} of {file.size / 1e6:,.0f} MB from {host}")
    if size < file.size:
        raise SourceError(f"broke off after {size:,} of {file.size:,} bytes")


def _open(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "residua", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of our own tables
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(f"answers HTTP {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"does not answer ({getattr(error, 'reason', error)})") from error
    if urlsplit(response.url).scheme != request.type:
        response.close()
        raise SourceError("redirects to an address without encryption")
    return response


def _start(response: http.client.HTTPResponse, asked: int, file: File) -> int:
    """Return the place in the file of the first byte that a response sends."""
    if response.status == http.client.PARTIAL_CONTENT:
        pattern = rf"bytes {asked}-\d+/({file.size}|\*)"
        if not re.fullmatch(pattern, response.headers.get("Content-Range", "")):
            raise SourceError("sends another part than it was asked for")
        return asked
    if response.length not in {None, file.size}:
        raise SourceError(f"has {response.length:,} bytes instead of {file.size:,}")
    return 0


def _chunks(response: http.client.HTTPResponse, least: float) -> Iterator[bytes]:
    """Yield what a source sends, as long as it sends ``least`` bytes a second."""
    since_s, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"broke off ({error})") from error
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        elapsed_s = time.monotonic() - since_s
        if elapsed_s > WINDOW_S:
            if received < least * elapsed_s:
                raise SourceError(f"is slow ({received / elapsed_s / 1e3:,.0f} kB/s)")
            since_s, received = time.monotonic(), 0


def _is_official(part: Path, file: File) -> bool:
    return digest(part, file.algorithm) == file.checksum


def _verify(part: Path, file: File) -> None:
    if not _is_official(part, file):
        part.unlink()
        raise SourceError(f"sent other bytes than the official ones ({file.algorithm} differs)")
