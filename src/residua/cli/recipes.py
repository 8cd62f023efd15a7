"""The verbs about recipes."""

from __future__ import annotations

import dataclasses

import click

from residua.cli.options import as_json, print_json


@click.group()
def recipes() -> None:
    """Show how nets are trained, and where each value comes from."""


@recipes.command("list")
@as_json
def recipes_list(*, as_json: bool) -> None:
    """Name the recipes."""
    from residua.tables import recipes as tables
    from residua.training import presets

    if as_json:
        print_json([dataclasses.asdict(recipe) for recipe in presets.RECIPES.values()])
    else:
        tables.print_recipes(presets.RECIPES.values())


@recipes.command("show")
@click.argument("name")
@as_json
def recipes_show(*, name: str, as_json: bool) -> None:
    """Show every value of a recipe with its source."""
    from residua.tables import recipes as tables
    from residua.training import presets

    rows = presets.explained(presets.get(name))
    if as_json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        tables.print_explained(rows)


@recipes.command("diff")
@click.argument("one")
@click.argument("other")
@as_json
def recipes_diff(*, one: str, other: str, as_json: bool) -> None:
    """Show where two recipes differ."""
    from residua.tables import recipes as tables
    from residua.training import presets

    left, right = presets.get(one), presets.get(other)
    rows = [
        {"path": path, one: was, other: value, "why": presets.reason(right, path)}
        for path, was, value in presets.difference(left, right)
    ]
    if as_json:
        print_json(rows)
    else:
        tables.print_difference(rows, one, other)
