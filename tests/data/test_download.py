"""Downloads from a server on this machine that misbehaves in every way."""

import hashlib
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from residua.data import download as module
from residua.data.download import SourceError, download
from residua.data.files import File, Place
from residua.errors import RunError

from .servers import Source, serving

CONTENT, WRONG = (
    np.random.default_rng(seed).integers(256, size=300_000, dtype=np.uint8).tobytes()
    for seed in (0, 1)
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits are short."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "WINDOW_S", 0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes, in a directory that is not there yet."""
    return tmp_path / "data" / "file.bin"


def part(path: Path) -> Path:
    """Return where a download grows."""
    return path.with_name("file.bin.part")


def begun(path: Path, content: bytes) -> None:
    """Leave what an interrupted download leaves."""
    path.parent.mkdir(exist_ok=True)
    part(path).write_bytes(content)


def fetch(path: Path, *sources: Source, algorithm: str = "md5") -> list[str]:
    """Download the file and return what was said."""
    checksum = hashlib.new(algorithm, CONTENT).hexdigest()
    urls = tuple(source.url for source in sources)
    said: list[str] = []
    place = Place(path, File("file.bin", checksum, size=len(CONTENT), urls=urls))
    download(place, say=said.append)
    assert CONTENT == path.read_bytes()
    assert {path, path.with_name(".file.bin.lock")} == set(path.parent.iterdir())
    return said


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_file_is_fetched_and_verified(path: Path, algorithm: str):
    """A sound source gives the file, whole, under its own name, in one request."""
    source = Source(CONTENT)

    with serving(source):
        said = fetch(path, source, algorithm=algorithm)

    assert [None] == source.asked
    assert ["file.bin: verified"] == said


def test_a_source_that_does_not_know_its_length_serves(path: Path):
    """Content-Length is compared where it is given, and not asked for."""
    source = Source(CONTENT, length="")

    with serving(source):
        fetch(path, source)


def test_an_interrupted_download_goes_on(path: Path):
    """Only the bytes that lack are asked for."""
    source = Source(CONTENT)
    begun(path, CONTENT[:200_000])

    with serving(source):
        fetch(path, source)

    assert ["bytes=200000-"] == source.asked


def test_a_source_that_ignores_ranges_starts_over(path: Path):
    """If the whole file comes, what was there is overwritten, not appended to."""
    source = Source(CONTENT, ranges=False)
    begun(path, CONTENT[:200_000])

    with serving(source):
        fetch(path, source)

    assert ["bytes=200000-"] == source.asked


def test_a_connection_that_breaks_off_is_taken_up_by_the_next_source(path: Path):
    """The second source gives the rest."""
    first, second = Source(CONTENT, break_off_after=120_000), Source(CONTENT)

    with serving(first, second):
        said = fetch(path, first, second)

    assert ["bytes=120000-"] == second.asked
    assert "broke off after 120,000 of 300,000 bytes" in said[0]


def test_a_source_that_keeps_breaking_off_is_asked_again(path: Path):
    """With one source there is a second round, which goes on where the first stopped."""
    source = Source(CONTENT, break_off_after=160_000)

    with serving(source):
        fetch(path, source)

    assert [None, "bytes=160000-"] == source.asked


def test_a_wrong_beginning_is_thrown_away(path: Path):
    """If what was there is not of this file, it is found out at the end, and fetched anew."""
    source = Source(CONTENT)
    begun(path, WRONG[:100_000])

    with serving(source):
        said = fetch(path, source)

    assert ["bytes=100000-", None] == source.asked
    assert "sent other bytes than the official ones (MD5 differs)" in said[0]


@pytest.mark.parametrize("size", [300_000, 400_000])
def test_a_complete_or_too_long_beginning_is_checked_too(path: Path, size: int):
    """A file that only lacked its name gets it; one that is too long starts over."""
    source = Source(CONTENT)
    begun(path, (CONTENT + WRONG)[:size])

    with serving(source):
        fetch(path, source)

    assert ([] if size == 300_000 else [None]) == source.asked


def test_two_at_once_fetch_a_file_once(path: Path):
    """The second waits for the first, and finds what it has fetched."""
    slow, unasked = Source(CONTENT, bytes_per_s=600_000), Source(CONTENT)

    with serving(slow, unasked), ThreadPoolExecutor() as pool:
        pool.submit(fetch, path, slow)
        while not part(path).exists():
            time.sleep(0.01)
        second = fetch(path, unasked)
    assert ["file.bin: another process fetches it, waiting for that"] == second[:1]
    assert [] == unasked.asked


@pytest.mark.parametrize(
    ("there", "asked", "told"),
    [(CONTENT[:250_000], "bytes=250000-", "verified"), (WRONG, None, "what lies there has other")],
)
def test_a_damaged_file_at_the_place_is_completed(path: Path, there: bytes, asked, told: str):
    """A truncated file is a beginning; no source is blamed for one of other bytes."""
    source = Source(CONTENT)
    path.parent.mkdir()
    path.write_bytes(there)

    with serving(source):
        said = fetch(path, source)

    assert [asked] == source.asked
    assert told in said[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 404}, "answers HTTP 404"),
        ({"status": 503}, "answers HTTP 503"),
        ({"content": WRONG}, r"sent other bytes than the official ones \(MD5 differs\)"),
        ({"content": CONTENT[:-1]}, "has 299,999 bytes instead of 300,000"),
        ({"content": CONTENT + b"x"}, "has 300,001 bytes instead of 300,000"),
        ({"content": CONTENT + b"x", "length": ""}, "sends more than 300,000 bytes"),
        ({"content": CONTENT[:-1], "length": ""}, "broke off after 299,999 of 300,000 bytes"),
        ({"content": CONTENT[:1], "length": "300000"}, "broke off after 1 of 300,000 bytes"),
        ({"content": b"", "length": "x"}, "broke off after 0 of 300,000 bytes"),
        ({"location": "file:///etc/passwd"}, "answers HTTP 302"),
        ({"location": "/file"}, "answers HTTP 302"),  # for ever
    ],
)
def test_a_bad_source_is_told_and_the_next_one_tried(path: Path, changes, reason: str):
    """Whatever is wrong with a source, it is said, and a good one gives the file."""
    bad, good = Source(**({"content": CONTENT} | changes)), Source(CONTENT)

    with serving(bad, good):
        said = fetch(path, bad, good)
        path.unlink()
        with pytest.raises(SourceError, match=r"^file\.bin could not be fetched: 127\.0\.0\.1"):
            fetch(path, bad)

    assert re.match(rf"file\.bin: 127\.0\.0\.1:\d+ {reason}", said[0])
    assert not path.exists()


@pytest.mark.parametrize(
    "claim", ["bytes 0-299999/300000", "bytes 200000-299999/999999", "nonsense"]
)
def test_another_part_than_asked_for_is_refused(path: Path, claim: str):
    """A range that a server makes up is not appended."""
    liar, good = Source(CONTENT, content_range=claim), Source(CONTENT)
    begun(path, CONTENT[:200_000])

    with serving(liar, good):
        said = fetch(path, liar, good)

    assert "sends another part than it was asked for" in said[0]
    assert ["bytes=200000-"] == good.asked


def test_an_unreachable_source_is_told(path: Path):
    """Nobody listens there."""
    gone, good = Source(CONTENT), Source(CONTENT)
    with serving(gone):
        pass

    with serving(good):
        said = fetch(path, gone, good)

    assert "does not answer (" in said[0]


def test_a_silent_source_is_left(path: Path):
    """A source that accepts and then says nothing costs one timeout."""
    silent, good = Source(CONTENT, bytes_per_s=0.5), Source(CONTENT)
    started_s = time.monotonic()

    with serving(good), serving(silent):
        said = fetch(path, silent, good)
        elapsed_s = time.monotonic() - started_s

    assert "broke off (timed out)" in said[0]
    assert elapsed_s < 5


def test_a_slow_source_is_left_for_a_faster_one_and_kept_if_there_is_none(path, monkeypatch):
    """The first round wants speed; the second takes what comes, from where the first stopped."""
    monkeypatch.setattr(module, "LEAST_BYTES_PER_S", (1_000_000, 1_000))
    slow, good = Source(CONTENT, bytes_per_s=300_000), Source(CONTENT)

    with serving(slow, good):
        said = fetch(path, slow, good)
        path.unlink()
        alone = fetch(path, slow)

    assert "is slow (" in said[0]
    assert "kB/s)" in said[0]
    assert "is slow (" in alone[0]
    assert [None, None] == slow.asked[:2]
    assert str(slow.asked[2]).startswith("bytes=")


def test_a_source_that_stalls_is_left_in_every_round(path: Path, monkeypatch):
    """A trickle never ends, so it is not waited for."""
    monkeypatch.setattr(module, "LEAST_BYTES_PER_S", (1_000_000, 1_000_000))
    trickle = Source(CONTENT, bytes_per_s=1_000)

    with serving(trickle), pytest.raises(SourceError, match="is slow"):
        fetch(path, trickle)

    assert 0 < part(path).stat().st_size < 10_000


def test_a_redirect_is_followed(path: Path):
    """Another address of the same kind is fine, and keeps the range."""
    good = Source(CONTENT)
    begun(path, CONTENT[:9])

    with serving(good):
        away = Source(CONTENT, location=good.url)
        with serving(away):
            fetch(path, away)

    assert ["bytes=9-"] == good.asked


def test_a_redirect_that_leaves_encryption_is_refused(path: Path, monkeypatch):
    """What begins as https does not end as http."""
    plain, good = Source(CONTENT), Source(CONTENT)
    with serving(plain, good):
        answer = module.urllib.request.urlopen(plain.url)
        encrypted = Source(CONTENT, url="https://example.org/file")
        urlopen = module.urllib.request.urlopen

        def redirect(request: module.urllib.request.Request, timeout: float) -> object:
            return answer if request.type == "https" else urlopen(request, timeout=timeout)

        monkeypatch.setattr(module.urllib.request, "urlopen", redirect)
        said = fetch(path, encrypted, good)

    assert "file.bin: example.org redirects to an address without encryption" == said[0]
    assert answer.closed


def test_every_source_fails_and_all_are_named(path: Path):
    """The message has each host with its reason, and nothing is left under the file's name."""
    first, second = Source(CONTENT, status=404), Source(WRONG)

    with serving(first, second), pytest.raises(SourceError) as failure:
        fetch(path, first, second)

    hosts = [source.url.split("/")[2] for source in (first, second)]
    assert f"{hosts[0]} answers HTTP 404; {hosts[1]} sent other bytes" in str(failure.value)
    assert not path.exists()
    assert 2 == len(first.asked)


def test_a_full_disk_is_told_with_what_to_do(path: Path, monkeypatch):
    """Where the room does not suffice, nothing is fetched at all."""
    source = Source(CONTENT)
    usage = module.shutil.disk_usage(path.parent.parent)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=100_000))

    with (
        serving(source),
        pytest.raises(RunError, match=r"0 MB are needed and 0 MB are free\.\nMake room or choose"),
    ):
        fetch(path, source)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_disk_that_fills_up_is_told(path: Path):
    """No room half-way through is the disk's fault, not the source's."""
    source = Source(CONTENT)
    path.parent.mkdir()
    part(path).symlink_to("/dev/full")

    with (
        serving(source),
        pytest.raises(RunError, match="cannot be written: No space left on device"),
    ):
        fetch(path, source)
    assert not path.exists()


def test_a_directory_that_cannot_be_written_to_is_told(tmp_path: Path):
    """A file stands where the directory should be."""
    (tmp_path / "data").write_text("")
    source = Source(CONTENT)

    with (
        serving(source),
        pytest.raises(RunError, match=r"file\.bin cannot be written: File exists"),
    ):
        fetch(tmp_path / "data" / "file.bin", source)


def test_a_killed_download_goes_on(path: Path):
    """After kill -9 the next call fetches what lacks."""
    slow, good = Source(CONTENT, bytes_per_s=200_000), Source(CONTENT)
    checksum = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    with serving(slow):
        code = (
            "from pathlib import Path; from residua.data.files import *; "
            "from residua.data.download import download; download(Place(Path("
            f"{str(path)!r}), File('file.bin', {checksum!r}, 0, {len(CONTENT)}, ({slow.url!r},))), "
            "say=print)"
        )
        child = subprocess.Popen([sys.executable, "-c", code])
        for _ in range(3_000):
            if part(path).exists() and part(path).stat().st_size:
                break
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    there = part(path).stat().st_size

    with serving(good):
        fetch(path, good)

    assert 0 < there < len(CONTENT)
    assert [f"bytes={there}-"] == good.asked


def test_progress_is_said(path: Path, monkeypatch):
    """Every few seconds a line says how much is there, and from where."""
    monkeypatch.setattr(module, "REPORT_S", 0.05)
    slow = Source(CONTENT, bytes_per_s=600_000)

    with serving(slow):
        said = fetch(path, slow)

    assert 2 <= len(said)
    assert said[0].startswith("file.bin: 0 of 0 MB from 127.0.0.1:")
