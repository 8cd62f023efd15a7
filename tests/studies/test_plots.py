"""Figures: what is drawn, and that it is a picture."""

import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from residua.arch.names import entry
from residua.arch.plan import plan
from residua.studies.plots import learning_curves, width_profile

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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *arguments, **options):
        figures.append(self)
        save(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def curves(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """Return each line of a panel by its label."""
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))  # type: ignore[arg-type]
        for line in axes.lines
    }


def legend(axes: Axes) -> list[str]:
    """Return the labels in a panel's legend."""
    box = axes.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_the_curves_are_the_runs(tmp_path: Path, drawn: list[Figure]):
    """Errors, losses and rate over the epochs, the test error as a level, all labelled."""
    learning_curves(RECORD, EPOCHS, tmp_path / "curves.png")

    (figure,) = drawn
    errors, losses, rates = figure.axes
    x = [1, 2, 3, 4]
    assert (x, [60.0, 30.0, 20.0, 15.0]) == curves(errors)["training, augmented"]
    assert (x, [50.0, 25.0, 50 / 3, 12.5]) == curves(errors)["validation"]
    assert [1.25, 1.25] == curves(errors)["test, at the end"][1]
    assert (x, [2.0, 1.0, 2 / 3, 0.5]) == curves(losses)["training, augmented"]
    assert (x, [1.5, 0.75, 0.5, 0.375]) == curves(losses)["validation"]
    assert [(x, [0.1, 0.1, 0.01, 0.001])] == list(curves(rates).values())
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


def test_a_run_without_validation_has_no_such_curve(tmp_path: Path, drawn: list[Figure]):
    """Null in the metrics is no point at zero."""
    epochs = [epoch | {"val_error": None, "val_loss": None} for epoch in EPOCHS]
    learning_curves(RECORD, epochs, tmp_path / "curves.png")
    errors, losses, _ = drawn[0].axes
    assert {"training, augmented", "test, at the end"} == curves(errors).keys()
    assert {"training, augmented"} == curves(losses).keys()


def test_without_matplotlib_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is an optional package; its absence is an ImportError."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError):
        learning_curves(RECORD, EPOCHS, tmp_path / "curves.png")
    assert [] == list(tmp_path.iterdir())


def texts(axes: Axes) -> list[str]:
    """Return what is written into a panel."""
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("name", "own"),
    [("cifar/pyramidnet-110-a48", "additive"), ("cifar/pyramidnet-110-m4", "multiplicative")],
)
def test_a_pyramid_is_drawn_beside_the_other_rules(
    tmp_path: Path, drawn: list[Figure], name: str, own: str
):
    """Its own widths, a line, a curve and a ResNet's steps: all end at its last width, 64."""
    width_profile(entry(name), tmp_path / "widths.png")
    (axes,) = drawn[0].axes
    found = {way: y for way, (x, y) in curves(axes).items() if len(x) == 54}
    assert ["additive", "multiplicative", "steps"] == list(found)
    widths = [row.c_mid for row in plan(entry(name).spec)]
    assert widths == found[own]
    assert [16] * 18 + [32] * 18 + [64] * 18 == pytest.approx(found["steps"])
    assert [64] * 3 == pytest.approx([y[-1] for y in found.values()])
    line = [16 + 48 / 54 * unit for unit in range(1, 55)]
    curve = [16 * 4 ** (unit / 54) for unit in range(1, 55)]
    assert line == pytest.approx(found["additive"], abs=0.51)
    assert curve == pytest.approx(found["multiplicative"], abs=0.51)


def test_the_profile_says_what_is_to_be_seen(tmp_path: Path, drawn: list[Figure]):
    """The title has the finding, each line its name, the axes their units."""
    width_profile(entry("cifar/pyramidnet-110-a48"), tmp_path / "widths.png")
    (axes,) = drawn[0].axes
    expected = "cifar/pyramidnet-110-a48: 48 of 54 units change the width; in a ResNet, 2"
    assert expected == axes.get_title()
    assert ("index of the unit", "width of the unit, in channels") == (
        axes.get_xlabel(),
        axes.get_ylabel(),
    )
    assert [
        *("additive: +0.89 a unit", "multiplicative: ×1.026 a unit"),
        *("ResNet: steps where the size halves", "32×32", "16×16", "8×8"),
    ] == texts(axes)
    assert 0 == axes.get_ylim()[0]


@pytest.mark.parametrize(
    ("name", "title", "label", "sides"),
    [
        ("cifar/resnet-20", "2 of 9 units", "width of", ["32×32", "16×16", "8×8"]),
        ("imagenet/resnet-50", "3 of 16 units", "inner", ["56×56", "28×28", "14×14", "7×7"]),
        ("cifar/densenet-bc-22-4", "11 of 11 units", "width of", ["32×32", "16×16", "8×8"]),
    ],
)
def test_other_nets_are_drawn_alone(
    tmp_path: Path, drawn: list[Figure], name: str, title: str, label: str, sides: list[str]
):
    """One line: what a unit works with, or what a dense layer leaves."""
    width_profile(entry(name), tmp_path / "widths.svg")
    (axes,) = drawn[0].axes
    assert f"{name}: {title} change the width" == axes.get_title()
    assert axes.get_ylabel().startswith(label)
    assert sides == texts(axes)
    rows = plan(entry(name).spec)
    expected = [row.c_out if "dense" in name else row.c_mid for row in rows]
    assert expected == curves(axes)["widths"][1]
    assert (tmp_path / "widths.svg").read_bytes().startswith(b"<?xml")
