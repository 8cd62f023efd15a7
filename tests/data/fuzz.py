"""Feed the readers of data with damaged files: ``python tests/data/fuzz.py --inputs 20000``.

Every input is a function of (seed, format, number). Whatever it is, a reader must return or raise
one of our two errors with a short message, within five seconds, and run nothing that the input
asks for. Checksums, which would refuse all of these files, are passed by.
"""

import argparse
import faulthandler
import functools
import io
import multiprocessing
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from archives import as_matlab, as_parquet, as_pickle, as_png, as_records, random_images
from PIL import Image

from residua.data import cifar, folders, svhn
from residua.data.files import blaming
from residua.data.images import Images, unfilled
from residua.errors import RunError, UsageError

LIMIT_S = 5.0
MEMORY = 32 << 30  # of addresses; the libraries alone take several
FORBIDDEN = ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
NUM_IMAGES = 7
SHARES = {
    "pickle": 25,
    "records": 5,
    "matlab": 20,
    "parquet": 15,
    "image": 30,
    "cache": 5,
}  # percent


@dataclass(frozen=True)
class Format:
    """Sound files of a format, and what reads them."""

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], object]


class Hostile:
    """Would make a directory when unpickled."""

    def __reduce__(self):
        return exec, ("import os; os.mkdir('hostile')",)


def filled(pieces: Iterator[Images]) -> Images:
    """Return the images as `cifar.read` and `svhn.read` would."""
    room = unfilled(NUM_IMAGES)
    with blaming("the input"):
        room.fill(pieces, num_classes=10)
    return room


def formats(directory: Path) -> list[Format]:
    """Return all formats; what needs files puts them into a directory."""
    images = random_images(NUM_IMAGES)
    hostile = [pickle.dumps({b"labels": Hostile(), b"data": Hostile()}, n) for n in (0, 2, 4)]
    sound = {
        "pickle": [bytes(as_pickle(images, b"labels")), *hostile],
        "records": [bytes(as_records(images, 1))],
        "matlab": [
            bytes(as_matlab(images)),
            bytes(as_matlab(images, compressed=False)),
            bytes(as_matlab(images, compressed=False, a=np.array([[1, "x"]], dtype=object))),
        ],
        "parquet": [bytes(as_parquet(images, "label"))],
    }
    readers: dict[str, Callable[[bytes], object]] = {
        "pickle": lambda raw: filled(cifar.from_pickle(bytearray(raw), label_key=b"labels")),
        "records": lambda raw: filled(cifar.from_records(bytearray(raw), num_labels=1)),
        "matlab": lambda raw: filled(svhn.from_matlab(io.BytesIO(raw))),
        "parquet": lambda raw: filled(cifar.from_parquet(bytearray(raw), label_column="label")),
    }
    return [
        *(Format(name, seeds, readers[name]) for name, seeds in sound.items()),
        Format("image", pictures(), functools.partial(read_picture, directory / "image.png")),
        cache(directory),
    ]


def pictures() -> list[bytes]:
    """Return a picture in every format and mode."""
    noise = np.random.default_rng(0).integers(256, size=(24, 17, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        for mode in ("RGB", "L", "P", "RGBA", "CMYK", "I;16"):
            stream = io.BytesIO()
            try:
                picture.convert("L" if mode == "I;16" else mode).convert(mode).save(
                    stream, kind, **({"exif": exif} if kind in {"PNG", "JPEG", "WEBP"} else {})
                )
            except (OSError, ValueError):
                continue  # no such mode in this format
            found.append(stream.getvalue())
    for kind in ("GIF", "PNG", "WEBP"):
        stream = io.BytesIO()
        picture.save(stream, kind, save_all=True, append_images=[picture.rotate(90)])
        found.append(stream.getvalue())
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        stream = io.BytesIO()
        picture.save(stream, "TIFF", compression=compression)
        found.append(stream.getvalue())
    return found


def read_picture(path: Path, raw: bytes) -> object:
    """Return the square of an image file, as a folder's images are decoded."""
    path.write_bytes(raw)
    with folders.guarded():
        return folders.square(folders.opened(path), 32)


def cache(directory: Path) -> Format:
    """Return the format of decoded images; whatever is wrong with it, the images are the same."""
    root = directory / "pets"
    for number, image in enumerate(random_images(6).pixels):
        path = root / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_png(image))

    def load() -> torch.Tensor:
        data = folders.read(
            "pets", root, image_size=8, cache=directory / "cache", say=lambda _line: None
        )
        return torch.cat([data.train.pixels, data.test.pixels])

    expected = load()
    (file,) = (directory / "cache").iterdir()

    def read(raw: bytes) -> object:
        file.write_bytes(raw)
        assert torch.equal(expected, load()), "the cache gave other images"
        return expected

    return Format("cache", [file.read_bytes()], read)


def mutated(seeds: list[bytes], generator: random.Random) -> bytes:
    """Return one of the files with one to four things done to it."""
    content = bytearray(generator.choice(seeds))
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(content) + 1)
        if generator.random() < 0.5:  # heads are short and decide much
            at = generator.choice([min(at, at % 200), max(0, len(content) - at % 200)])
        length = min(generator.choice([1, 2, 4, 8, 64, 1_000]), len(content) - at)
        generator.choice(CHANGES)(content, slice(at, at + length), seeds, generator)
    if content[:4] == b"\x89PNG" and generator.random() < 0.7:
        _correct_checksums(content)
    return bytes(content)


def _truncate(content: bytearray, where: slice, *_: object) -> None:
    del content[where.start :]


def _delete(content: bytearray, where: slice, *_: object) -> None:
    del content[where]


def _randomise(content: bytearray, where: slice, _: list[bytes], generator: random.Random) -> None:
    content[where] = generator.randbytes(where.stop - where.start)


def _splice(content: bytearray, where: slice, seeds: list[bytes], generator: random.Random) -> None:
    other = generator.choice(seeds)
    start = generator.randrange(len(other))
    replaced = generator.choice([where, slice(where.start, where.start)])
    content[replaced] = other[start:][: where.stop - where.start]


def _renumber(content: bytearray, where: slice, _: list[bytes], generator: random.Random) -> None:
    number = generator.choice([0, 1, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1])
    room = slice(where.start, where.start + 4)
    content[room] = struct.pack(generator.choice(["<I", ">I"]), number)[: len(content[room])]


def _repeat(content: bytearray, where: slice, _: list[bytes], generator: random.Random) -> None:
    content[where] = generator.randbytes(1) * (where.stop - where.start)


def _flip_bits(content: bytearray, _: slice, __: list[bytes], generator: random.Random) -> None:
    for _ in range(generator.choice([1, 1, 3, 16]) if content else 0):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)


CHANGES = [_truncate, _delete, _randomise, _splice, _renumber, _repeat, _flip_bits, _flip_bits]


def _correct_checksums(png: bytearray) -> None:
    """Write each chunk's checksum anew, so that what it holds is looked at."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        png[end : end + 4] = struct.pack(">I", zlib.crc32(png[at + 4 : end]))
        at = end + 4


def work(name: str, numbers: range, seed: int, report: Connection) -> None:
    """Read the inputs of these numbers in a process of its own, and report each outcome."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    events: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        (chosen,) = (each for each in formats(Path(directory)) if each.name == name)
        sys.addaudithook(
            lambda event, _: events.append(event) if event.startswith(FORBIDDEN) else None
        )
        report.send("ready")
        for number in numbers:
            raw = mutated(chosen.seeds, random.Random(f"{seed} {name} {number}"))  # noqa: S311
            outcome = outcome_of(chosen.read, raw)
            report.send(f"it ran {events.pop()}" if events else outcome)


def outcome_of(read: Callable[[bytes], object], raw: bytes) -> str:
    """Return "read", "refused", or what went wrong."""
    try:
        read(raw)
    except (RunError, UsageError) as error:
        lines = str(error).splitlines()
        short = len(lines) <= 2 and max(map(len, lines)) <= 500
        return "refused" if short else f"a message of {len(lines)} lines: {error}"
    except BaseException:  # noqa: BLE001 - whatever it is, it is a finding
        return traceback.format_exc()
    return "read"


def outcomes(name: str, numbers: range, seed: int) -> Iterator[str]:
    """Yield the outcome of each input; a process that crashes or hangs is replaced."""
    context = multiprocessing.get_context("fork")  # what is imported need not be imported again
    while numbers:
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=work, args=(name, numbers, seed, there))
        child.start()
        there.close()
        assert here.poll(120), "the worker does not start"
        assert here.recv() == "ready"
        alive = True
        while numbers and alive:
            try:
                alive = here.poll(LIMIT_S)
                outcome = here.recv() if alive else f"it takes over {LIMIT_S} s"
            except EOFError:
                alive = False
                child.join()
                outcome = f"it crashed with exit status {child.exitcode}"
            numbers = numbers[1:]
            yield outcome
        child.kill()
        child.join()


def main() -> int:
    """Fuzz every format, print what came of it, and return how many findings there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many in all")
    parser.add_argument("--first", type=int, default=0, help="the first input's number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=SHARES, help="this format alone")
    options = parser.parse_args()
    shares = {options.format: 100} if options.format else SHARES
    totals = Counter[str]()
    say("format    inputs    read  refused  findings  seconds")
    for name, share in shares.items():
        numbers = range(options.first, options.first + options.inputs * share // 100)
        started_s = time.monotonic()
        counts = Counter[str](inputs=len(numbers))
        for number, outcome in zip(numbers, outcomes(name, numbers, options.seed), strict=True):
            known = outcome in {"read", "refused"}
            counts[outcome if known else "findings"] += 1
            if not known:
                say(f"{name} {number}: {outcome}")
        counts["seconds"] = round(time.monotonic() - started_s)
        say(row(name, counts))
        totals += counts
    say(row("total", totals))
    return totals["findings"]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(name: str, counts: Counter[str]) -> str:
    """Return a line of the table."""
    return (
        f"{name:<8} {counts['inputs']:>7,} {counts['read']:>7,} {counts['refused']:>8,} "
        f"{counts['findings']:>9,} {counts['seconds']:>8,}"
    )


if __name__ == "__main__":
    sys.exit(min(main(), 1))
