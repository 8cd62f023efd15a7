"""The verb that takes in other people's weights: ``import``."""

from __future__ import annotations

from pathlib import Path

import click

from residua.cli.options import as_json, print_json
from residua.errors import UsageError

Triple = tuple[float, float, float]


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--net", required=True, help="Our name of the net.")
@click.option(
    "--layout",
    default="auto",
    show_default=True,
    help="Whose: akamaster, torchvision, timm, pytorchcv, kuangliu, bearpaw, residua or auto.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .safetensors file.")
@click.option("--data", help="What it was trained on.  [default: by the number of classes]")
@click.option("--mean", type=float, nargs=3, help="Of pixels in 0…1.  [default: the layout's]")
@click.option("--std", type=float, nargs=3, help="Of pixels in 0…1.  [default: the layout's]")
@as_json
def import_(
    *,
    file: Path,
    net: str,
    layout: str,
    out: Path,
    data: str | None,
    mean: Triple | None,
    std: Triple | None,
    as_json: bool,
) -> None:
    """Make ours what other people's code has trained; nothing in FILE is run."""
    from residua.interop.importing import Source, import_weights
    from residua.tables.results import print_import
    from residua.weights import save_weights

    if out.suffix != ".safetensors":
        raise UsageError(
            f"--out {out} must end in .safetensors; what it holds goes beside as .json"
        )
    source = Source(net=net, project=layout, data=data, mean=mean, std=std)
    imported = import_weights(file, source)
    meta = imported.net.meta
    assert meta is not None, "import_weights attaches it"
    assert meta.std is not None, "and it has one for every layout"
    save_weights(out, imported.net, meta)
    result = {"net": net, "tensors": imported.tensors}
    if as_json:
        print_json({**result, "unmatched": []})
        return
    classes = len(meta.classes)
    result |= {"project": imported.project, "classes": classes, "data": meta.data, "out": out}
    print_import(result, mean=meta.mean.tolist(), std=meta.std.tolist())
