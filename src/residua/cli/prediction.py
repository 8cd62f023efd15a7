"""The verb that asks a trained net about images: ``predict``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from residua.cli.options import as_json, print_json


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
def predict(*, path: Path, images: tuple[Path, ...], as_json: bool) -> None:
    """Tell the likeliest classes of image files, or of all in a folder.

    PATH is a run directory or a weights file.
    """
    from residua import prediction, weights
    from residua.tables.results import print_predictions

    found = prediction.predict(weights.load(path), list(images))
    for each in found:
        for note in each.notes:
            click.echo(f"{each.image}: {note}", err=True)
    if as_json:
        print_json([dataclasses.asdict(each) for each in found])
    else:
        print_predictions(found)
