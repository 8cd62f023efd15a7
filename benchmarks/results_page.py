"""The committed records as a page: docs/results.md, which cog writes, and the README's table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks import gpu_steps, ideas, machine, printed
from benchmarks.groups import Group, grouped
from benchmarks.records import RECORDS, read
from benchmarks.report import Sheet
from residua.arch import papers

THROUGHPUT = Path(__file__).parent / "results" / "gpu_steps.json"


def as_markdown(records: Path = RECORDS, throughput: Path = THROUGHPUT) -> str:
    """All sections: errors by paper, the fast recipes, and what was measured on a GPU."""
    groups = grouped(read(records))
    sheets = ideas.ablations(grouped(read(records / "ablation")))
    return "\n\n".join(
        (
            *_compared(groups),
            "## Time to the papers' errors, fast recipes",
            _table(printed.time_to_error(groups)),
            "## Fast recipes, and the papers' cut to as many epochs",
            _table(ideas.beside_cut(groups)),
            "## What each idea of the fast recipe brings",
            *(map(_table, sheets) if sheets else [_NONE]),
            f"## {gpu_steps.TITLE}",
            *_throughput(throughput),
        )
    )


def short(records: Path = RECORDS) -> str:
    """The README's table: printed errors that records stand against."""
    return _table(printed.short(grouped(read(records))))


def _compared(groups: list[Group]) -> Iterator[str]:
    """A section for each source that prints errors on CIFAR."""
    keys = {row.paper for row in printed.printed()}
    for paper in papers.tables().papers:
        if paper.key in keys:
            yield f"## {paper.authors} {paper.year}: {paper.title}"
            yield printed.comparison(groups, of=paper.key).as_markdown()


def _throughput(file: Path) -> Iterator[str]:
    if not file.exists():
        yield _NONE
        return
    result = json.loads(file.read_text(encoding="utf-8"))
    yield from (sheet.as_markdown() for sheet in gpu_steps.sheets(result))
    yield f"On {machine.described(result['machine'])}"


_NONE = "No record is committed yet."


def _table(sheet: Sheet) -> str:
    return sheet.as_markdown() if sheet.rows else _NONE
