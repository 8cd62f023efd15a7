"""What several verbs share: options, and JSON on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import click

from residua.errors import RunError

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where the data lies.  [default: $RESIDUA_DATA, else ~/.cache/residua]",
)


def print_json(document: object) -> None:
    """Print one JSON document.

    Raises:
        RunError: A number in it is not finite, for which JSON has no word.
    """
    try:
        text = json.dumps(document, indent=2, allow_nan=False)
    except ValueError as error:
        raise RunError(f"the result is no JSON ({error}): leave --json out to see it") from None
    click.echo(text)
