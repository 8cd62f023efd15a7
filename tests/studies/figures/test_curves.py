"""Learning curves: what is drawn, and that it is a picture."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from residua.studies.figures.curves import learning_curves

RECORD: dict[str, Any] = {
    "net": "cifar/pyramidnet-20-a24",
    "data": {"name": "digits"},
    "recipe": {"name": "han2017"},
    "seed": 3,
    "test_error": 1.25,
}
EPOCHS: list[dict[str, Any]] = [
    {
        "epoch": epoch,
        "lr": lr,
        "train_error": 60.0 / epoch,
        "val_error": 50.0 / epoch,
        "train_loss": 2.0 / epoch,
        "val_loss": 1.5 / epoch,
    }
    for epoch, lr in enumerate((0.1, 0.1, 0.01, 0.001), start=1)
]


def legend(axes: Axes) -> list[str]:
    """Return the labels in a panel's legend."""
    box = axes.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_the_curves_are_the_runs(tmp_path: Path, drawn: list[Figure], lines: Callable):
    """Errors, losses and rate over the epochs, the test error as a level, all labelled."""
    learning_curves(RECORD, EPOCHS, tmp_path / "curves.png")

    (figure,) = drawn
    errors, losses, rates = figure.axes
    x = [1, 2, 3, 4]
    assert (x, [60.0, 30.0, 20.0, 15.0]) == lines(errors)["training, augmented"]
    assert (x, [50.0, 25.0, 50 / 3, 12.5]) == lines(errors)["validation"]
    assert [1.25, 1.25] == lines(errors)["test, at the end"][1]
    assert (x, [2.0, 1.0, 2 / 3, 0.5]) == lines(losses)["training, augmented"]
    assert (x, [1.5, 0.75, 0.5, 0.375]) == lines(losses)["validation"]
    assert [(x, [0.1, 0.1, 0.01, 0.001])] == list(lines(rates).values())
    assert ["Error", "Cross-entropy", "Learning rate"] == [a.get_title() for a in figure.axes]
    assert ["epoch"] * 3 == [axes.get_xlabel() for axes in figure.axes]
    units = ["percent of images", "nats per image", "at the epoch's end"]
    assert units == [axes.get_ylabel() for axes in figure.axes]
    assert ["training, augmented", "validation", "test, at the end"] == legend(errors)
    assert ["training, augmented", "validation"] == legend(losses)
    assert ("linear", "log") == (errors.get_yscale(), rates.get_yscale())
    assert (0, 0) == (errors.get_ylim()[0], losses.get_ylim()[0])


def test_the_title_says_which_run(tmp_path: Path, drawn: list[Figure]):
    """Net, data, recipe, seed and test error stand above the panels."""
    learning_curves(RECORD, EPOCHS, tmp_path / "curves.png")
    expected = "cifar/pyramidnet-20-a24 on digits, recipe han2017, seed 3: test error 1.25 %"
    assert expected == drawn[0].get_suptitle()


@pytest.mark.parametrize("num_epochs", [1, 4])
def test_the_file_is_a_picture(tmp_path: Path, num_epochs: int):
    """A PNG of a readable size whose three panels have both ink and paper; nothing beside it."""
    learning_curves(RECORD, EPOCHS[:num_epochs], tmp_path / "curves.png")
    assert [tmp_path / "curves.png"] == list(tmp_path.iterdir())
    with Image.open(tmp_path / "curves.png") as image:
        assert "PNG" == image.format
        width, height = image.size
        assert (1430, 494) == (width, height)
        grey = image.convert("L")
    for panel in range(3):
        part = grey.crop((panel * width // 3, 0, (panel + 1) * width // 3, height))
        ink = sum(part.histogram()[:200]) / (part.width * part.height)
        assert 0.005 < ink < 0.5


def test_a_run_without_validation_has_no_such_curve(
    tmp_path: Path, drawn: list[Figure], lines: Callable
):
    """Null in the metrics is no point at zero."""
    epochs = [epoch | {"val_error": None, "val_loss": None} for epoch in EPOCHS]
    learning_curves(RECORD, epochs, tmp_path / "curves.png")
    errors, losses, _ = drawn[0].axes
    assert {"training, augmented", "test, at the end"} == lines(errors).keys()
    assert {"training, augmented"} == lines(losses).keys()


def test_without_matplotlib_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is an optional package; its absence is an ImportError."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError):
        learning_curves(RECORD, EPOCHS, tmp_path / "curves.png")
    assert [] == list(tmp_path.iterdir())
