"""Nets: the list of them, and a net's plan."""

from __future__ import annotations

import io
import re
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from residua.arch import count, names, papers
from residua.arch.grammar import GRAMMAR
from residua.arch.names import Entry
from residua.arch.plan import Unit, plan

WIDE = 120  # columns of a terminal that has room for sources
SCREEN = 36  # lines of a table that fits a terminal of 40
WIDTHS = ("c_in", "c_mid", "c_out")
DATASETS = {"cifar10": "C10", "cifar100": "C100", "svhn": "SVHN", "imagenet": "IN-1k"}


def description(entry: Entry) -> dict[str, Any]:
    """A net as ``residua show --json`` prints it."""
    columns = ("index", "stage", "c_in", "c_mid", "c_out", "stride", "shortcut", "survival")
    return {
        "name": entry.name,
        "depth": entry.depth,
        "params": count.params(entry.spec),
        "params_no_bn": count.params_no_bn(entry.spec),
        "macs": count.macs(entry.spec),
        "out_features": count.out_features(entry.spec),
        "units": [{name: getattr(row, name) for name in columns} for row in plan(entry.spec)],
    }


def print_listing(rows: list[dict[str, Any]]) -> None:
    """The named nets, a block per family: counts, and the errors that the papers print."""
    console = Console()
    wide = console.width >= WIDE
    for family, group in groupby(rows, key=lambda row: names.entry(row["name"]).family):
        block = list(group)
        shown = [column for column in DATASETS if any(_errors(row, column) for row in block)]
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=family)
        table.title_justify = "left"
        table.add_column("net", no_wrap=True)
        for heading in ("parameters", *(("MACs",) if wide else ())):
            table.add_column(heading, no_wrap=True, justify="right")
        for column in shown:
            table.add_column(DATASETS[column], justify="right", no_wrap=True)
        if wide:
            table.add_column("printed in", style="dim", overflow="fold")
        for row in block:
            sources = "; ".join(dict.fromkeys(fact["where"] for fact in row["facts"]))
            table.add_row(
                row["name"],
                f"{row['params']:,}",
                *((f"{row['macs'] / 1e6:,.1f} M",) if wide else ()),
                *(_errors(row, column).replace(", ", "\n") for column in shown),
                *((escape(sources),) if wide else ()),
            )
        console.print(table, end="\n\n", highlight=False)
    console.print(
        "Errors in percent as printed, several where sources differ; IN-1k: ImageNet top-1."
    )
    if not wide:
        console.print(f"A terminal of {WIDE} columns shows MACs and sources as well.")


def families_as_markdown() -> str:
    """A row per pattern of names, with its first reported net: for the README."""
    lines = [
        "| names | paper | such as | parameters | printed CIFAR-10 error, % |",
        "|---|---|---|---:|---:|",
    ]
    for pattern in GRAMMAR:
        if not pattern.shown.startswith("cifar/"):
            continue
        name = next(name for name in names.names() if re.fullmatch(pattern.regex, name))
        row = next(row for row in papers.listing(pattern.family) if row["name"] == name)
        shown = pattern.shown.replace("|", "\\|")
        error = _errors(row, "cifar10").partition(", ")[0]
        cells = (f"`{shown}`", _cite(pattern.paper), f"`{name}`", f"{row['params']:,}", error)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plan_as_markdown(name: str) -> str:
    """What ``residua show NAME`` prints, as a block of code: for the README."""
    printed = io.StringIO()
    print_plan(names.entry(name), console=Console(file=printed, width=100))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(("```console", f"$ residua show {name}", *lines, "```"))


def print_plan(entry: Entry, *, every: bool = False, console: Console | None = None) -> None:
    """A net's plan: runs of equal units on one line, or of one stage's where that is too long.

    Args:
        entry: The net.
        every: Give each unit a line of its own.
        console: Where it is printed; by default on standard output.
    """
    console = console or Console()
    spec = entry.spec
    figures = (
        f"depth {entry.depth}, {count.params(spec):,} parameters, "
        f"{count.macs(spec) / 1e6:,.1f} M multiply-adds at {spec.image_size}×{spec.image_size}"
    )
    fits = len(entry.name) + 2 + len(figures) <= console.width
    between = "  " if fits else "\n"
    console.print(f"[bold]{entry.name}[/bold]{between}{figures}", highlight=False)
    runs = _runs(plan(spec), every=every)
    gated = any(row.survival < 1 for run in runs for row in run)
    table = Table(box=None, pad_edge=False)
    for heading in ("unit", "stage", "in", "mid", "out", "stride"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("shortcut")
    if gated:
        table.add_column("survival", justify="right")
    for run in runs:
        cells = [
            _span(run[0].index, run[-1].index, "-"),
            str(run[0].stage),
            *(_span(getattr(run[0], c), getattr(run[-1], c), " to ") for c in WIDTHS),
            str(run[0].stride),
            ", ".join(dict.fromkeys(row.shortcut for row in run)),
        ]
        if gated:
            cells.append(_span(f"{run[0].survival:.3f}", f"{run[-1].survival:.3f}", "-"))
        table.add_row(*cells)
    console.print(table)
    if any(row.c_in != run[0].c_in for run in runs for row in run):
        console.print("Widths grow along a line: --all shows every unit.", style="dim")


def _errors(row: dict[str, Any], dataset: str) -> str:
    """The errors printed for a net on a data set, each once."""
    return ", ".join(dict.fromkeys(f"{fact.error}" for fact in papers.errors(row["name"], dataset)))


def _cite(key: str) -> str:
    paper = papers.paper(key)
    first, *others = paper.authors.split(", ")
    return f"{first}{' et al.' if others else ''} {paper.year}"


def _span(first: object, last: object, between: str) -> str:
    return f"{first}" if first == last else f"{first}{between}{last}"


def _runs(rows: tuple[Unit, ...], *, every: bool) -> list[list[Unit]]:
    """Neighbouring units that share a line.

    They are equal in all but their place and survival; where that makes too many lines for a
    screen, they share stage and stride.
    """

    def shape(row: Unit) -> tuple[object, ...]:
        return (row.stage, row.c_in, row.c_mid, row.c_out, row.stride, row.shortcut)

    if every:
        return [[row] for row in rows]
    runs = [list(run) for _, run in groupby(rows, key=shape)]
    if len(runs) > SCREEN:
        runs = [list(run) for _, run in groupby(rows, key=lambda row: (row.stage, row.stride))]
    return runs
