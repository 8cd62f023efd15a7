"""Seconds until the command answers, and until training has done its first step.

    python -m benchmarks.startup [--short] [--json FILE]

A verb's time is that of its whole process. Training is timed from the start of its process to the
line that it prints when the first epoch is done; the epoch is one step long, so the time holds the
imports, making or reading the data, building the net, and the whole first step of batch 128. The
first round does not count: it fills the caches of files.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Aim, Benchmark, Options, Result, Row, Sheet
from benchmarks.timing import Measure, interleaved, timed

NET = "cifar/resnet-20"
COMMAND = (sys.executable, "-m", "residua")
VERBS = {
    "residua --help": ("--help",),
    "residua list": ("list",),
    f"residua show {NET}": ("show", NET),
}
TRAIN = f"residua train {NET}, to the end of its first step"
VERB_AIM_S, TRAIN_AIM_S = 0.4, 6.0
ONE_STEP = (
    *("--data", "synthetic", "--recipe", "he2015", "--set", "recipe.budget.length=1"),
    *("--set", "data.val_size=0"),
)


def measure(options: Options) -> list[Row]:
    """A row of all."""
    return [row(options)]


def row(options: Options) -> Row:
    """Seconds of each command, in turns."""
    measures: dict[str, Measure] = {
        shown: timed(answer(arguments)) for shown, arguments in VERBS.items()
    }
    return {"times": interleaved({**measures, TRAIN: first_step}, options.budget)}


def answer(arguments: tuple[str, ...]) -> Callable[[], object]:
    """A process from its start to its end."""

    def run() -> object:
        return subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command

    return run


def first_step() -> float:
    """Seconds until a training process has done its first step; it then ends in peace."""
    with tempfile.TemporaryDirectory() as place:
        command = [*COMMAND, "train", NET, *ONE_STEP, "--out", str(Path(place, "run"))]
        started_s = time.perf_counter()
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            said: list[str] = []
            for text in process.stderr:
                said.append(text)
                if text.startswith("epoch 1/"):
                    taken_s = time.perf_counter() - started_s
                    break
            else:
                raise SystemExit(f"training did no step: {''.join(said).strip()}")
            process.stderr.read()
    return taken_s


def sheets(result: Result) -> list[Sheet]:
    """A line per command."""
    return [sheet(row) for row in result["rows"]]


def sheet(row: Row) -> Sheet:
    """Medians with their aims, and the range."""
    return Sheet(
        headings=("command", "seconds", "range", "runs"),
        rows=tuple(
            (
                name,
                Aim(
                    value=times["median_s"],
                    limit=TRAIN_AIM_S if name == TRAIN else VERB_AIM_S,
                    sense="≤",
                ),
                f"{times['min_s']:.2f}–{times['max_s']:.2f}",
                f"{times['n']}",
            )
            for name, times in row["times"].items()
        ),
        note="Whole processes; files had been read before. Training on CPU, synthetic images.",
    )


BENCHMARK = Benchmark(name="startup", title="Start-up", measure=measure, sheets=sheets)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
