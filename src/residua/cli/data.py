"""The verbs about data sets: ``data get`` and ``data check``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from residua.cli.options import as_json, data_dir, print_json
from residua.errors import RunError

if TYPE_CHECKING:
    from residua.data.fetch import Checked


@click.group()
def data() -> None:
    """Fetch data sets and verify them."""


@data.command()
@click.argument("name")
@data_dir
@as_json
def get(*, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Fetch what a data set lacks, going on where an earlier attempt broke off."""
    from residua.data import fetch

    _show(fetch.get(name, data_dir, say=lambda line: click.echo(line, err=True)), as_json=as_json)


@data.command()
@click.argument("name")
@data_dir
@as_json
def check(*, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Compare a data set's files with their published checksums."""
    from residua.data import fetch

    files = fetch.check(name, data_dir)
    _show(files, as_json=as_json)
    wrong = sum(not file.ok for file in files)
    if wrong:
        raise RunError(
            f"{wrong} of {len(files)} files are missing or damaged: remove the damaged and run "
            f"`residua data get {name}`"
        )


def _show(files: list[Checked], *, as_json: bool) -> None:
    from residua.tables.results import print_checked

    if as_json:
        print_json({"files": [dataclasses.asdict(file) for file in files]})
    else:
        print_checked(files)
