"""All that a GPU is asked for, in slices of any length; stopped anywhere, it goes on from there.

    python benchmarks/gpu_suite.py --data-dir DIR [--out OUT] [--slice-s SECONDS] [--toy]

First the speed of training steps beside the peer's and the card's own, then fast recipes one at a
time, whose seconds count, then papers' recipes several at once, those with the least work first.
``OUT/records`` gets a record as each run finishes, ``OUT/gpu_steps.json`` the speeds, and
``OUT/suite.json`` how many runs the card holds at once; unfinished runs are in ``OUT/runs``. With
``--toy`` everything is small enough for a CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

if not __package__:  # run as a file, not with -m
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import gpu_steps, machine, printed
from benchmarks.card import Card
from benchmarks.gpu_plan import Job, Plan, full, toy
from benchmarks.groups import grouped
from benchmarks.records import keep, read
from benchmarks.report import PAPER
from residua.runs.files import write_json
from residua.training.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A plan, where it is carried out, and until when.

    Attributes:
        plan: What to do.
        out: Where everything is written.
        data_dir: Where the data set lies.
        runtime: The device.
        at_once: The most runs that share it.
        until_s: The end of this slice, on the monotonic clock.
    """

    plan: Plan
    out: Path
    data_dir: Path | None
    runtime: Runtime
    at_once: int
    until_s: float

    @property
    def steps_file(self) -> Path:
        """The speeds: a result like those of other benchmarks."""
        return self.out / "gpu_steps.json"

    @property
    def records(self) -> Path:
        """The folder of the finished runs' records."""
        return self.out / "records"

    def go_on(self) -> dict[str, str]:
        """Do what is left, while there is time; what those runs said that failed."""
        (self.out / "runs").mkdir(parents=True, exist_ok=True)
        self.measure_steps()
        alone = self.train(self.plan.fast, at_once=1)
        state = self.out / "suite.json"
        shared = self.train(self.plan.papers, at_once=_json(state).get("at_once", self.at_once))
        write_json(state, {"at_once": shared.at_once})
        return alone.failed | shared.failed

    def measure_steps(self) -> None:
        """Time the nets that have not been timed, and write each down."""
        plan, device = self.plan, self.runtime.device
        result = _json(self.steps_file) or {
            "benchmark": "gpu_steps",
            "machine": machine.facts(self.runtime, side=plan.side, copied_mb=plan.copied_mb),
            "rows": [],
        }
        timed = {row["net"] for row in result["rows"]}
        for title in plan.titles:
            if title in timed or time.monotonic() >= self.until_s:
                continue
            told(f"timing {title}")
            try:
                row = gpu_steps.row(title, self.runtime, plan.budget, batch_size=plan.batch_size)
            except torch.OutOfMemoryError:
                told(f"{title} is left out: the device's memory does not hold it")
                continue
            result["rows"].append(row)
            write_json(self.steps_file, result)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # for the runs

    def train(self, jobs: Iterable[Job], *, at_once: int) -> Card:
        """Train those that are not finished; the card that did."""
        by_name = {job.name: job for job in jobs}
        card = Card(
            command=lambda name: self.command(by_name[name]),
            finished=lambda name: self.keep(name, at_once=card.most(name)),
            logs=self.out / "runs",
            device=self.runtime.device,
            at_once=at_once,
        )
        card.train((job.name for job in jobs if not self.done(job)), until_s=self.until_s)
        return card

    def done(self, job: Job) -> bool:
        """Whether a run is finished and its record among the others."""
        key = _json(self.out / "runs" / job.name / "record.json").get("key")
        return key in {record.key for record in read(self.records)}

    def command(self, job: Job) -> list[str]:
        """What trains a run, from the beginning or from where it was stopped."""
        place = ["--data-dir", str(self.data_dir)] if self.data_dir else []
        settings = [word for setting in job.settings for word in ("--set", setting)]
        return [
            *(sys.executable, "-m", "residua", "train", job.net, "--data", self.plan.data, *place),
            *("--recipe", job.recipe, "--seed", str(job.seed), *job.more, *settings),
            *("--out", str(self.out / "runs" / job.name), "--resume", "--quiet", "--json"),
        ]

    def keep(self, name: str, *, at_once: int) -> None:
        """Put a run's record among the others; its checkpoint, the largest file, can go."""
        run = self.out / "runs" / name
        for file in keep(run, self.records, at_once=at_once):
            told(f"kept {file.name}")
        (run / "checkpoint.pt").unlink(missing_ok=True)

    def print(self, console: Console) -> None:
        """The speeds, the runs, the fast recipes' times, and how much is done."""
        if self.steps_file.exists():
            for sheet in gpu_steps.sheets(_json(self.steps_file)):
                sheet.print(console)
        groups = grouped(read(self.records))
        for sheet in (printed.finished(groups), printed.time_to_error(groups)):
            if sheet.rows:
                sheet.print(console)
        jobs = (*self.plan.fast, *self.plan.papers)
        num_done = sum(self.done(job) for job in jobs)
        left = "" if num_done == len(jobs) else "; the same command goes on"
        console.print(f"{num_done} of {len(jobs)} runs finished{left}", highlight=False)


def told(line: str) -> None:
    """Say what is going on, on standard error."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


def _json(file: Path) -> dict[str, Any]:
    """What a file of ours holds; nothing yet, where there is none."""
    return json.loads(file.read_bytes()) if file.exists() else {}


def main(arguments: list[str] | None = None) -> int:
    """One slice; 1 where a run failed."""
    options = _parsed(arguments)
    started_s = time.monotonic()
    runtime = Runtime(device=torch.device("cpu")) if options.toy else Runtime()
    if runtime.device.type != "cuda" and not options.toy:
        told("no CUDA device is here: --toy runs the same in small on a CPU")
        return 2
    # Stopped by a signal, it stops its runs, which save themselves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    suite = Suite(
        plan=toy() if options.toy else full(),
        out=options.out,
        data_dir=options.data_dir,
        runtime=runtime,
        at_once=options.at_once,
        until_s=started_s + options.slice_s,
    )
    failed = suite.go_on()
    console = Console()
    if not console.is_terminal:
        console.width = PAPER
    suite.print(console)
    for name, said in failed.items():
        told(f"{name} failed: {said}")
    return int(bool(failed))


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_suite", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data-dir", type=Path, help="where the data set lies")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu-suite"))
    parser.add_argument(
        "--slice-s", type=float, default=math.inf, help="stop after so many seconds; default: never"
    )
    parser.add_argument("--at-once", type=int, default=6, help="the most runs that share the card")
    parser.add_argument("--toy", action="store_true", help="in small, on a CPU")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
