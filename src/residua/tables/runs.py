"""Runs: what they came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from residua.reports.page import duration
from residua.tables.layout import pairs

if TYPE_CHECKING:
    from residua.runs.records import RunDirectory


def print_record(record: dict[str, Any], directory: RunDirectory) -> None:
    """A finished run's figures and where its files are."""
    table = pairs()
    table.add_row("test error", f"{record['test_error']:.2f} %")
    table.add_row("with the mirrored view", f"{record['test_error_tta']:.2f} %")
    if record["val_error"] is not None:
        table.add_row("validation error", f"{record['val_error']:.2f} %")
    table.add_row("training error", f"{record['train_error']:.2f} %, augmented")
    table.add_row("epochs", f"{record['epochs']} ({record['steps']:,} steps)")
    took = duration(record["train_seconds"])
    table.add_row("training time", f"{took}, {record['images_per_second']:.0f} images/s")
    table.add_row("run directory", escape(str(directory.path)))
    if directory.curves.exists():
        table.add_row("learning curves", escape(str(directory.curves)))
    Console().print(table)


def print_over_seeds(result: dict[str, Any]) -> None:
    """Each error's mean ± standard deviation over seeds, as the papers print them."""
    table = pairs()
    names = {
        "test_error": "test error",
        "test_error_tta": "with the mirrored view",
        "val_error": "validation error",
    }
    for key, label in names.items():
        if key in result:
            summary = result[key]
            low, high = summary["interval"]
            table.add_row(
                label,
                f"{summary['mean']:.2f} ± {summary['sd']:.2f} % (n = {summary['n']}; "
                f"the mean lies in {low:.2f} to {high:.2f} with 95 % confidence)",
            )
    for record in result["records"]:
        table.add_row(f"seed {record['seed']}", f"test error {record['test_error']:.2f} %")
    Console().print(table, highlight=False)


def print_evaluation(result: dict[str, Any], *, net: str, data: str) -> None:
    """The figures of ``residua evaluate``."""
    table = pairs()
    table.add_row("net", escape(net))
    table.add_row("images", f"{result['n']:,} of {escape(data)}, {result['split']}")
    table.add_row("views", result["views"])
    table.add_row("error", f"{result['error']:.2f} %")
    if "error_difference" in result:
        table.add_row("difference from fp32", f"{result['error_difference']:+.2f} points")
    table.add_row("top-5 error", f"{result['top5_error']:.2f} %")
    table.add_row("negative log-likelihood", f"{result['nll']:.4f} nats")
    table.add_row("calibration error", f"{result['ece']:.2f} %")
    Console().print(table)
