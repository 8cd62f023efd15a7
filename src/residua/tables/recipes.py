"""Recipes, their sources and their differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from residua.training.presets import Explained
    from residua.training.recipes import Recipe


def print_recipes(recipes: Iterable[Recipe]) -> None:
    """The named recipes, a line each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    for heading in ("batch", "lr", "decay"):
        table.add_column(heading, justify="right")
    table.add_column("images")
    for recipe in recipes:
        table.add_row(
            recipe.name,
            f"{recipe.budget.length:,g} {recipe.budget.unit}",
            f"{recipe.batch_size}",
            f"{recipe.optim.lr:g}",
            f"{recipe.optim.weight_decay:g}",
            recipe.normalise,
        )
    Console().print(table)


def print_explained(rows: tuple[Explained, ...]) -> None:
    """Every value of a recipe with its source."""
    table = Table(box=None, pad_edge=False)
    table.add_column("value", no_wrap=True)
    table.add_column()
    table.add_column("where from", style="dim", overflow="fold")
    for row in rows:
        table.add_row(row.path, plain(row.value), row.source)
    Console().print(table, highlight=False)


def print_difference(rows: list[dict[str, Any]], one: str, other: str) -> None:
    """Where two recipes differ, and why the other has what it has."""
    if not rows:
        Console().print(f"{one} and {other} are the same")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("value", one, other):
        table.add_column(heading)
    table.add_column(f"why in {other}", style="dim", overflow="fold")
    reasons = list(dict.fromkeys(row["why"] for row in rows))
    for why in reasons:  # each said once, beside the first of its values
        for index, row in enumerate(row for row in rows if row["why"] == why):
            said = "" if index else why
            table.add_row(row["path"], plain(row[one]), plain(row[other]), said)
    Console().print(table, highlight=False)


def plain(value: object) -> str:
    """A value as a person writes it."""
    if isinstance(value, tuple):
        return ", ".join(plain(part) for part in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return f"{value:,g}" if isinstance(value, int | float) else str(value)
