"""Damage: what is done to a sound file, as a function of a random generator."""

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Mutate = Callable[[list[bytes], random.Random], bytes]


@dataclass(frozen=True)
class Format:
    """Sound files of a format, what reads them, and what damages them."""

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], object]
    mutate: Mutate


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


WEIRD = (
    *(None, True, -1, 0, 1, 7, 2**31, 10**30, 10**400, 0.5, 1e308, float("nan"), float("inf")),
    *("", "x" * 3_000, "\ud800", "cifar/resnet-14", [], {}, [[]], [0] * 5_000, {"kind": "x"}),
)
DEEP = "very deep"  # stands for a list in a list in a list …


def mutated_json(seeds: list[bytes], generator: random.Random) -> bytes:
    """Return a document, or lines of them, with damaged bytes or one to three other values."""
    if generator.random() < 0.4:
        return mutated(seeds, generator)
    lines = generator.choice(seeds).splitlines()
    number = generator.randrange(len(lines))
    content = json.loads(lines[number])
    for _ in range(generator.randint(1, 3)):
        change_value(content, (*WEIRD, DEEP), generator)
    text = json.dumps(content).replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
    lines[number] = text.encode()
    return b"\n".join(lines)


def change_value(content: Any, values: tuple[object, ...], generator: random.Random) -> None:
    """Replace, remove or add one value at a random place of nested dictionaries and lists."""
    places = list(_places(content))
    if not places:
        return
    place, key = generator.choice(places)
    match generator.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place["colour"] = copy.deepcopy(generator.choice(values))
        case _:
            place[key] = copy.deepcopy(generator.choice(values))


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return every container with each of its keys."""
    if not isinstance(content, dict | list):
        return []
    keys = list(content) if isinstance(content, dict) else range(min(len(content), 20))
    return [(content, key) for key in keys] + [
        place for key in keys for place in _places(content[key])
    ]
