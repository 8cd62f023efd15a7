"""Studies and what they found, as the command prints them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from residua.studies.findings import Findings

COLOURS = {"confirmed": "green", "refuted": "red", "undecided": "yellow"}


def print_studies(rows: list[dict[str, Any]], *, budget: str) -> None:
    """A line for each study: its question, and what it takes."""
    table = Table(box=None, pad_edge=False, title=f"At budget {budget}", title_justify="left")
    table.add_column("study", style="bold", no_wrap=True)
    table.add_column("question")
    table.add_column("runs", justify="right")
    table.add_column("minutes on 2 cores", justify="right")
    for row in rows:
        costs = ("–" if row[key] is None else f"{row[key]:,.0f}" for key in ("runs", "minutes"))
        table.add_row(*map(escape, (row["name"], row["question"], *costs)))
    Console().print(table)


def print_findings(found: Findings, folder: Path) -> None:
    """Each claim with its verdict, what is missing, and where the rest lies."""
    console = Console(highlight=False)
    console.print(f"[bold]{escape(found.question)}[/bold]  {escape(found.data)}")
    table = Table.grid(padding=(0, 2))
    for claim in found.claims:
        colour = COLOURS[claim.verdict]
        reason = f"{escape(claim.statement)}\n[dim]{escape(claim.reason)}[/dim]"
        table.add_row(f"[{colour}]{claim.verdict}[/{colour}]", reason)
    for line in found.missing:
        table.add_row("[yellow]missing[/yellow]", escape(line))
    if table.rows:
        console.print(table)
    drawn = ", ".join(figure.name for figure in found.figures)
    as_files = f"; as SVG and PNG: {drawn}" if drawn else ""
    console.print(escape(f"{folder}: report.html, findings.json{as_files}"), soft_wrap=True)
