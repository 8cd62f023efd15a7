"""The committed results as a page: docs/benchmarks.md, which cog writes."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

from benchmarks import inference, inputs, machine, memory, operations, startup, steps
from benchmarks.report import Benchmark

RESULTS = Path(__file__).parent / "results"
MODULES = (steps, operations, memory, inputs, inference, startup)
BENCHMARKS = tuple(module.BENCHMARK for module in MODULES)


def as_markdown(results: Path = RESULTS) -> str:
    """A section per benchmark: what it does, its tables, and the machine."""
    return "\n\n".join(section(benchmark, results) for benchmark in BENCHMARKS)


def short(results: Path = RESULTS) -> str:
    """The README's table: training steps beside the peer's."""
    result = json.loads((results / f"{steps.BENCHMARK.name}.json").read_text(encoding="utf-8"))
    return steps.short(result).as_markdown()


def section(benchmark: Benchmark, results: Path) -> str:
    """One benchmark's record, or that there is none."""
    file = results / f"{benchmark.name}.json"
    parts = [f"## {benchmark.title}", explained(benchmark)]
    if file.exists():
        result = json.loads(file.read_text(encoding="utf-8"))
        parts += [sheet.as_markdown() for sheet in benchmark.sheets(result)]
        parts.append(f"The {result['form']} form, on {machine.described(result['machine'])}")
    else:
        parts.append("No record is committed yet.")
    return "\n\n".join(parts)


def explained(benchmark: Benchmark) -> str:
    """The docstring of a benchmark's module, its command as a block of code."""
    text = inspect.getdoc(sys.modules[benchmark.measure.__module__]) or ""
    _, *paragraphs = text.split("\n\n")
    return "\n\n".join(
        f"```sh\n{part.strip()}\n```" if part.startswith("    ") else part for part in paragraphs
    )
