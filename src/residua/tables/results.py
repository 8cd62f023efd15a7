"""What came of the verbs that read and write files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from residua.tables.layout import pairs

if TYPE_CHECKING:
    from residua.data.fetch import Checked
    from residua.prediction import Prediction


def print_checked(files: list[Checked]) -> None:
    """The files of a data set, and whether each is what it should be."""
    table = Table(box=None, pad_edge=False)
    for heading in ("file", "MD5", ""):
        table.add_column(heading, overflow="fold")
    for file in files:
        state = "right" if file.ok else "damaged" if file.md5 else "missing"
        table.add_row(escape(file.name), file.md5 or "-", state)
    Console().print(table, highlight=False)


def print_predictions(found: list[Prediction]) -> None:
    """The likeliest classes of each image."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    for each in found:
        for index, guess in enumerate(each.classes):
            share = f"{100 * guess.probability:.1f} %"
            table.add_row("" if index else escape(each.image), escape(guess.name), share)
    Console().print(table, highlight=False)


def print_export(written: dict[str, Any]) -> None:
    """What was written, and how near it comes to the net."""
    table = pairs()
    table.add_row("format", written["format"])
    table.add_row("checked on", f"{written['n']:,} images")
    table.add_row("largest difference", f"{written['max_abs_diff']:.2g} in a logit")
    table.add_row("file", escape(str(written["file"])))
    Console().print(table, highlight=False)


def print_import(found: dict[str, Any], *, mean: list[float], std: list[float]) -> None:
    """Whose weights became which net's, and what they come with."""
    table = pairs()
    table.add_row("net", found["net"])
    table.add_row("laid out by", found["project"])
    table.add_row("tensors", f"{found['tensors']}, each used once")
    table.add_row("images", f"(pixels in 0…1 - {_triple(mean)}) / {_triple(std)}")
    table.add_row("classes", f"{found['classes']}, of {escape(str(found['data']))}")
    table.add_row("weights", escape(str(found["out"])))
    Console().print(table, highlight=False)


def _triple(values: list[float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
