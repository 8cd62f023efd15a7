"""The verb ``report``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from residua.cli.options import as_json, data_dir, print_json


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)
@data_dir
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A folder for the pages.  [default: report, in the first PATH]",
)
@as_json
def report(
    *, paths: tuple[Path, ...], data_dir: Path | None, out: Path | None, as_json: bool
) -> None:
    """Make a page of a run, of several runs side by side, or of a study.

    It is one HTML file that needs nothing else; beside it lies the same as Markdown.
    """
    from residua.reports.reporting import report as make
    from residua.tables.reports import print_report

    say = partial(click.echo, err=True)
    made = make(paths, data_dir=data_dir, out=out or paths[0] / "report", say=say)
    if as_json:
        print_json({"findings": made.findings, "report": str(made.html)})
    else:
        print_report(made)
