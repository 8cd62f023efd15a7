"""Recipes, their sources and their differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from residua.reports.page import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from residua.training.presets import Explained
    from residua.training.recipes import Recipe

# What a line says of a recipe, and the side that it stands on.
COLUMNS: dict[str, JustifyMethod] = {
    "recipe": "left",
    "budget": "right",
    "batch": "right",
    "optimiser": "left",
    "lr": "right",
    "weight decay": "right",
    "images": "left",
}


def cells(recipe: Recipe) -> tuple[str, ...]:
    """A recipe in short, under :data:`COLUMNS`."""
    return (
        recipe.name,
        f"{recipe.budget.length:,g} {recipe.budget.unit}",
        f"{recipe.batch_size}",
        recipe.optim.kind,
        f"{recipe.optim.lr:g}",
        f"{recipe.optim.weight_decay:g}",
        recipe.normalise.replace("_", " "),
    )


def print_recipes(recipes: Iterable[Recipe]) -> None:
    """The named recipes, a line each."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column, side in COLUMNS.items():
        heading = column.replace(" ", "\n")
        table.add_column(heading, justify=side, no_wrap=column != "images")
    for recipe in recipes:
        table.add_row(*cells(recipe))
    Console().print(table)


def print_explained(rows: tuple[Explained, ...]) -> None:
    """Every value of a recipe with its source."""
    table = Table(box=None, pad_edge=False)
    table.add_column("value", no_wrap=True)
    table.add_column()
    table.add_column("where from", style="dim", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, (row.path, plain(row.value), row.source)))
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
            values = plain(row[one]), plain(row[other])
            table.add_row(*map(escape, (row["path"], *values, said)))
    Console().print(table, highlight=False)
