"""A benchmark from its options to its tables, its JSON and its exit status."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.timing import LONG, SHORT, Budget
from residua.runs.files import write_json

Row = dict[str, Any]
Result = dict[str, Any]  # benchmark, form, machine, rows; nothing that follows from these


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a benchmark is asked for: which nets, and the short form or the long one."""

    short: bool
    budget: Budget
    nets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A value beside its limit."""

    value: float
    limit: float
    sense: Literal["≥", "≤"]
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the value is on the right side."""
        return self.value >= self.limit if self.sense == "≥" else self.value <= self.limit

    def __str__(self) -> str:
        """``value (sense limit)``."""
        return f"{self.value:.3g}{self.unit} ({self.sense} {self.limit:g})"


Cell = str | Aim
PAPER = 120  # columns of a log or a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table; a row with aims ends in whether it reached all of them.

    Attributes:
        headings: Of its columns.
        rows: A cell for each column.
        note: What to know.
        words: So many columns, from the left, hold words and no numbers.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    words: int = 1

    @property
    def reached(self) -> bool:
        """Whether no aim is missed."""
        return all(cell.reached for row in self.rows for cell in row if isinstance(cell, Aim))

    def lines(self) -> Iterator[list[str]]:
        """The heading and the rows as text."""
        judged = any(isinstance(cell, Aim) for row in self.rows for cell in row)
        yield [*self.headings, *(["reached"] if judged else [])]
        for row in self.rows:
            aims = [cell for cell in row if isinstance(cell, Aim)]
            verdict = ("yes" if all(aim.reached for aim in aims) else "NO") if aims else ""
            yield [*map(str, row), *([verdict] if judged else [])]

    def as_markdown(self) -> str:
        """The table and its note for a page."""
        headings, *rows = self.lines()
        numbers = len(headings) - self.words
        lines = [headings, [*["---"] * self.words, *["---:"] * numbers], *rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{table}\n\n{self.note}" if self.note else table

    def print(self, console: Console) -> None:
        """The table and its note for people."""
        headings, *rows = self.lines()
        table = Table(box=None, pad_edge=False)
        for place, heading in enumerate(headings):
            table.add_column(
                heading, justify="left" if place < self.words else "right", no_wrap=not place
            )
        for row in rows:
            table.add_row(*row)
        console.print(table, highlight=False)
        if self.note:
            console.print(self.note, highlight=False)
        console.print()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One table of ours beside somebody else's.

    Attributes:
        name: Its module, and its file among the results.
        title: What it is about.
        measure: Measures a row for each net, of plain JSON values.
        sheets: The tables that a result makes.
        nets: What ``--nets`` may choose from.
    """

    name: str
    title: str
    measure: Callable[[Options], Iterable[Row]]
    sheets: Callable[[Result], list[Sheet]]
    nets: tuple[str, ...] = ()

    def main(self, arguments: list[str] | None = None) -> int:
        """Measure, write and print; 1 where an aim is missed, else 0."""
        options, json = self._parsed(arguments)
        result = {
            "benchmark": self.name,
            "form": "short" if options.short else "long",
            "machine": machine.facts(),
            "rows": [_told(row) for row in self.measure(options)],
        }
        if json:
            write_json(json, result)
        console = Console()
        if not console.is_terminal:
            console.width = PAPER
        sheets = self.sheets(result)
        console.print(f"[bold]{self.title}[/bold]", highlight=False)
        for sheet in sheets:
            sheet.print(console)
        console.print(f"{machine.described(result['machine'])}\n", highlight=False)
        return int(not all(sheet.reached for sheet in sheets))

    def _parsed(self, arguments: list[str] | None) -> tuple[Options, Path | None]:
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.title
        )
        parser.add_argument("--short", action="store_true", help="fewer rounds, fewer images")
        parser.add_argument("--seconds", type=float, help="of rounds for each net")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
        if self.nets:
            parser.add_argument(
                *("--nets", "-n"), choices=self.nets, nargs="+", default=self.nets, metavar="NET"
            )
        given = vars(parser.parse_args(arguments))
        if given["json"] and not given["json"].parent.is_dir():
            parser.error(f"{given['json'].parent} is no directory")
        budget = SHORT if given["short"] else LONG
        if given["seconds"] is not None:
            budget = replace(budget, seconds=given["seconds"])
        nets = tuple(given.get("nets", ()))
        return Options(short=given["short"], budget=budget, nets=nets), given["json"]


def _told(row: Row) -> Row:
    """The row, once a line on standard error says that it is there."""
    Console(stderr=True).print(f"measured: {row.get('net', 'all')}", highlight=False)
    return row


def images_per_second(images: int, seconds: float) -> str:
    """A rate with three digits or all before the point."""
    rate = images / seconds
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
