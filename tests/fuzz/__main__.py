"""Feed everything that reads files with damaged ones: ``python tests/fuzz --inputs 40000``.

Every input is a function of (seed, format, number). Whatever it is, a reader must return or raise
one of our two errors with a short message, within five seconds, and run nothing that the input
asks for.
"""

import argparse
import faulthandler
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import of_data
import of_runs

from residua.errors import RunError, UsageError

LIMIT_S = 5.0
MEMORY = 32 << 30  # of addresses; the libraries alone take several
FORBIDDEN = ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
SHARES = {
    "pickle": 14,
    "records": 2,
    "matlab": 11,
    "parquet": 9,
    "image": 17,
    "cache": 2,
    "checkpoint": 15,
    "run": 7,
    "record": 5,
    "metrics": 5,
    "description": 8,
    "weights": 5,
}  # percent


def work(name: str, numbers: range, seed: int, report: Connection) -> None:
    """Read the inputs of these numbers in a process of its own, and report each outcome."""
    faulthandler.enable(os.dup(2))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write there what they think of a file
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    events: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        room = of_data if name in of_data.NAMES else of_runs
        (chosen,) = (each for each in room.formats(Path(directory)) if each.name == name)
        sys.addaudithook(
            lambda event, _: events.append(event) if event.startswith(FORBIDDEN) else None
        )
        report.send("ready")
        for number in numbers:
            raw = chosen.mutate(chosen.seeds, random.Random(f"{seed} {name} {number}"))  # noqa: S311
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
    parser.add_argument("--inputs", type=int, default=40_000, help="how many in all")
    parser.add_argument("--first", type=int, default=0, help="the first input's number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=SHARES, help="this format alone")
    options = parser.parse_args()
    shares = {options.format: 100} if options.format else SHARES
    totals = Counter[str]()
    say("format        inputs    read  refused  findings  seconds")
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
        f"{name:<12} {counts['inputs']:>7,} {counts['read']:>7,} {counts['refused']:>8,} "
        f"{counts['findings']:>9,} {counts['seconds']:>8,}"
    )


if __name__ == "__main__":
    sys.exit(min(main(), 1))
