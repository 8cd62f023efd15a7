"""The learning curves of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from residua.studies.figures.style import BLACK, BLUE, GREEN, ORANGE, finish, save

TRAIN, VAL, TEST, RATE = BLUE, ORANGE, BLACK, GREEN


def learning_curves(record: dict[str, Any], epochs: list[dict[str, Any]], path: Path) -> None:
    """Draw a run's errors, losses and learning rate over its epochs into a PNG.

    Args:
        record: The run's record.
        epochs: Its metrics, a dictionary an epoch.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package

    figure = Figure(figsize=(11, 3.8), dpi=130, layout="constrained")
    errors, losses, rates = figure.subplots(1, 3)
    x = [epoch["epoch"] for epoch in epochs]
    for axes, metric in ((errors, "error"), (losses, "loss")):
        for split, colour in (("train", TRAIN), ("val", VAL)):
            y = [epoch[f"{split}_{metric}"] for epoch in epochs]
            if None not in y:
                axes.plot(x, y, color=colour, marker="o", markersize=3, label=_LABELS[split])
    errors.axhline(
        record["test_error"], color=TEST, linestyle=":", linewidth=1.2, label="test, at the end"
    )
    rates.plot(x, [epoch["lr"] for epoch in epochs], color=RATE, marker="o", markersize=3)
    rates.set_yscale("log")
    finish(errors, title="Error", unit="percent of images")
    finish(losses, title="Cross-entropy", unit="nats per image")
    finish(rates, title="Learning rate", unit="at the epoch's end")
    for axes in (errors, losses):
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    figure.suptitle(
        f"{record['net']} on {record['data']['name']}, recipe {record['recipe']['name']}, "
        f"seed {record['seed']}: test error {record['test_error']:.2f} %"
    )
    save(figure, path)


_LABELS = {"train": "training, augmented", "val": "validation"}
