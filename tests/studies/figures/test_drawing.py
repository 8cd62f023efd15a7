"""Figures of findings by their kind: what stands where."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from matplotlib.figure import Figure as Drawn

from residua.studies.figures import drawing
from residua.studies.findings import Figure, Kind

LINES: dict[str, Any] = {
    "panels": [
        {
            "title": "left",
            "x": "epoch",
            "y": "error, percent",
            "lines": [
                {"label": "a", "x": [1, 2], "y": [9.0, 5.0], "colour": 1},
                {"label": "", "x": [1, 2], "y": [8.0, 4.0], "style": "dashed", "colour": 1},
                {"label": "b", "x": [1, 2], "y": [9.0, 5.0], "sd": [0.5, 0.5]},
            ],
            "marks": [{"label": "printed", "y": 3.0}],
        },
        {
            "title": "right",
            "x": "epoch",
            "y": "error, percent",
            "log": "y",
            "lines": [{"label": "c", "x": [1, 2], "y": [90.0, 50.0], "style": "steps"}],
        },
    ],
    "note": "made up",
}
POINTS: dict[str, Any] = {
    "panels": [
        {
            "x": "parameters",
            "y": "error, percent",
            "log": "x",
            "points": [
                {"label": "p", "group": "one", "x": 1e5, "y": 9.0, "sd": 0.5},
                {"label": "q", "group": "one", "x": 1e6, "y": 7.0, "sd": None},
                {"label": "r", "group": "two", "x": 5e5, "y": 8.5, "sd": 0.2},
                {"label": "s", "group": "two", "x": 2e6, "y": 7.5, "sd": 0.2},
            ],
        }
    ],
    "joined": "frontier",
}
BARS: dict[str, Any] = {
    "x": "error, percent",
    "bars": [
        {"label": "base", "value": 8.0, "sd": None, "paper": None, "base": True},
        {"label": "other", "value": 9.5, "sd": 0.5, "paper": 6.5},
    ],
    "paper": "printed",
}


def texts(figure: Drawn, panel: int = 0) -> list[str]:
    """Return what is written into a panel."""
    return [text.get_text() for text in figure.axes[panel].texts]


def test_every_kind_has_its_function():
    """No finding can name a figure that cannot be drawn."""
    assert set(get_args(Kind)) == drawing.DRAWN.keys()


def test_lines_are_named_at_their_ends(tmp_path: Path, drawn: list[Drawn]):
    """Names do not cover each other where ends meet; a level has its own; one scale for all."""
    drawing.DRAWN["lines"]("title", LINES, tmp_path / "f.png")
    (figure,) = drawn
    left, right = figure.axes
    assert ("title", "made up") == (figure.get_suptitle(), figure.get_supxlabel())
    assert ["a", "b", "printed"] == texts(figure)
    heights = [text.xyann[1] for text in left.texts]  # type: ignore[attr-defined]
    assert abs(heights[0] - heights[1]) > 0.05
    assert left.get_ylim() == right.get_ylim()
    assert "log" == right.get_yscale()
    solid, dashed = left.lines[:2]
    assert solid.get_color() == dashed.get_color() != left.lines[2].get_color()
    assert "--" == dashed.get_linestyle()
    assert [3.0, 3.0] == list(left.lines[3].get_ydata())  # type: ignore[arg-type]


def test_points_and_their_frontier(tmp_path: Path, drawn: list[Drawn]):
    """The line joins those that nothing is below and left of; all four names find a place."""
    drawing.DRAWN["points"]("title", POINTS, tmp_path / "f.png")
    (figure,) = drawn
    (axes,) = figure.axes
    frontier = next(line for line in axes.lines if line.get_color() == "0.7")
    assert [1e5, 5e5, 1e6] == list(frontier.get_xdata())  # type: ignore[arg-type]
    assert ["p", "q", "r", "s"] == sorted(texts(figure))
    assert "log" == axes.get_xscale()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(box.count_overlaps(boxes) > 1 for box in boxes)


def test_bars_with_what_is_printed(tmp_path: Path, drawn: list[Drawn]):
    """The first on top, each with its value; a mark where the paper has one."""
    drawing.DRAWN["bars"]("title", BARS, tmp_path / "f.png")
    (figure,) = drawn
    (axes,) = figure.axes
    assert ["8", "9.5"] == texts(figure)
    assert ["base", "other"] == [label.get_text() for label in axes.get_yticklabels()]
    assert axes.yaxis_inverted()
    first, second = axes.patches
    assert first.get_facecolor() != second.get_facecolor()
    marks = [list(map(float, point)) for c in axes.collections for point in c.get_offsets()]
    assert [6.5, 1.0] in marks


@pytest.mark.parametrize(("kind", "data"), [("lines", LINES), ("points", POINTS), ("bars", BARS)])
def test_the_same_data_draws_the_same_figure(tmp_path: Path, kind: Any, data: dict[str, Any]):
    """As PNG and as SVG, from the findings alone."""
    figure = Figure(name="again", kind=kind, title="title", data=data)
    first = [file.read_bytes() for file in drawing.draw(figure, tmp_path)]
    assert first[0] == drawing.draw(figure, tmp_path)[0].read_bytes()
    assert first[0].startswith(b"\x89PNG")
    assert first[1].startswith(b"<?xml")
