"""The verb that writes a net for other programs: ``export``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from residua.cli.options import as_json, data_dir, print_json

if TYPE_CHECKING:
    from residua.export import Format


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "kind", required=True, type=click.Choice(["safetensors", "onnx", "pt2"]))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file.")
@click.option("--fold", is_flag=True, help="Make BN part of the convolutions before it.")
@click.option("--data", "data_name", help="Check on its test images.  [default: on noise]")
@data_dir
@as_json
def export(
    *,
    path: Path,
    kind: Format,
    out: Path,
    fold: bool,
    data_name: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write a net for other programs, and check that what was written computes the same.

    PATH is a run directory or a weights file.
    """
    from residua import weights
    from residua.data import sets
    from residua.export import export as write
    from residua.tables.results import print_export

    net = weights.load(path)
    assert net.meta is not None, "weights.load attaches it"
    images = None
    if data_name is not None:
        images = sets.load(data_name, data_dir, image_size=net.meta.image_size).test
    written = dataclasses.asdict(write(net, out, kind=kind, folded=fold, images=images))
    if as_json:
        print_json({**written, "file": str(out)})
    else:
        print_export(written)
