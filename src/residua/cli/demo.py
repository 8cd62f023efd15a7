"""The verb that shows trained nets on a page: ``demo``."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path

import click

from residua.cli.options import as_json, print_json


@click.command()
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True)
@as_json
def demo(*, paths: tuple[Path, ...], port: int, as_json: bool) -> None:
    """Try trained nets out on a page of this machine's browser, side by side.

    Each PATH is a run directory or a weights file. Drop an image, leave out units, see what becomes
    of it. The page is for this machine alone, and nothing leaves it. Ctrl-C ends it.
    """
    from residua.demo import page

    # So that what was uploaded is deleted then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), page.served(list(paths), port=port) as address:
        if as_json:
            print_json({"address": address})
        else:
            click.echo(f"open {address} in a browser; Ctrl-C ends it")
        threading.Event().wait()
