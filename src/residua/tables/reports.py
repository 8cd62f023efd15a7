"""Reports, and what it takes to reproduce a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from residua.tables.layout import pairs

if TYPE_CHECKING:
    from residua.reports.reporting import Report


def print_report(made: Report) -> None:
    """What a page says first, and where it is."""
    console = Console()
    console.print(escape(made.page.lead), highlight=False)
    table = pairs()
    for name, value in made.page.tiles:
        table.add_row(escape(name), escape(value))
    table.add_row("page", escape(str(made.html)))
    table.add_row("Markdown", escape(str(made.html.with_suffix(".md"))))
    console.print(table, highlight=False)


def print_estimate(plan: dict[str, Any]) -> None:
    """The runs that a row takes, and about how long they need here."""
    console = Console(highlight=False)
    table = pairs()
    table.add_row("row", escape(f"{plan['where']}: {plan['net']} on {plan['dataset']}"))
    table.add_row("printed error", escape(f"{plan['printed']} %"))
    table.add_row("trained there", escape(plan["trained_there"]))
    for line in plan["differences"]:
        table.add_row("changed", escape(line))
    table.add_row("each run", f"{plan['images_per_run']:,} images, {plan['epochs']:,.1f} epochs")
    table.add_row(
        "this machine", escape(f"{plan['device']}: {plan['images_per_second']:,.0f} images/s")
    )
    table.add_row("", escape(plan["measured"]))
    table.add_row("each run takes", _about(plan["seconds_per_run"]))
    table.add_row("all that is left", f"{_about(plan['seconds'])}, {plan['images']:,} images")
    console.print(table)
    runs = Table(box=None, pad_edge=False)
    for heading in ("seed", "run", "", "command"):
        runs.add_column(heading, overflow="fold")
    for run in plan["runs"]:
        state = "finished" if run["done"] else "to train"
        runs.add_row(f"{run['seed']}", run["key"], state, escape(run["command"]))
    console.print(runs)


def _about(seconds: float) -> str:
    hours = seconds / 3600
    if hours >= 48:
        return f"about {hours / 24:.1f} days"
    return f"about {hours:.1f} hours" if hours >= 1 else f"about {seconds / 60:.1f} minutes"
