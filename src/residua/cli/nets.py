"""The verbs about nets that need no torch: ``list`` and ``show``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from residua.arch import names
from residua.cli.options import as_json, print_json
from residua.errors import UsageError


@click.command("list")
@click.option("--family", help="Only this family's nets.")
@as_json
def list_(*, family: str | None, as_json: bool) -> None:
    """Show the named nets, with the papers' figures."""
    from residua.arch import papers
    from residua.tables.nets import print_listing

    rows = papers.listing(family)
    if as_json:
        print_json(rows)
    else:
        print_listing(rows)


@click.command()
@click.argument("name")
@click.option("--num-classes", type=click.IntRange(min=1), help="Outputs of the classifier.")
@click.option("--all", "every", is_flag=True, help="Give each unit a line of its own.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="Draw the widths of its units there: a .png or .svg file.",
)
@click.option("--unit", type=int, help="Let --figure draw this unit, layer by layer: a .svg file.")
@as_json
def show(
    *,
    name: str,
    num_classes: int | None,
    every: bool,
    figure: Path | None,
    unit: int | None,
    as_json: bool,
) -> None:
    """Show a net's plan, unit by unit."""
    from residua.tables.nets import description, print_plan

    entry = names.entry(name)
    if num_classes:
        entry = replace(entry, spec=replace(entry.spec, num_classes=num_classes))
    if unit is not None:
        _draw_unit(entry, unit, figure)
    elif figure:
        _draw(entry, figure)
    if as_json:
        print_json(description(entry))
    else:
        print_plan(entry, every=every)


def _draw(entry: names.Entry, figure: Path) -> None:
    from residua.studies.figures.style import FORMATS
    from residua.studies.figures.widths import width_profile

    if figure.suffix not in FORMATS:
        raise UsageError(f"--figure {figure} must end in {' or '.join(FORMATS)}")
    try:
        width_profile(entry, figure)
    except ImportError:
        raise UsageError("--figure needs matplotlib: pip install 'residua[plots]'") from None


def _draw_unit(entry: names.Entry, index: int, figure: Path | None) -> None:
    from residua.drawings.unit import unit
    from residua.runs.files import write_atomically

    if figure is None or figure.suffix != ".svg":
        raise UsageError("--unit wants a place for its picture: --figure unit.svg")
    write_atomically(figure, unit(entry, index).file().encode())
