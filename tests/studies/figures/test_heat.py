"""Maps of which layer reads which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from residua.studies.figures.heat import heat

ROWS = [[1.0], [0.5, 1.0], [0.25, 0.75, 1.0]]


def test_a_column_a_reader(tmp_path: Path, drawn: list[Figure]):
    """Its sources from the block's input downwards, nothing where it reads nothing."""
    heat(
        "what is to be seen",
        {
            "x": "reader",
            "y": "source",
            "z": "share",
            "panels": [
                {"title": "block 1", "rows": ROWS, "last": "transition"},
                {"title": "block 2", "rows": ROWS[:2], "last": "classifier"},
            ],
            "note": "one seed",
        },
        tmp_path / "heat.svg",
    )
    first, second, bar = drawn[0].axes
    nan = float("nan")
    expected = [[1.0, 0.5, 0.25], [nan, 1.0, 0.75], [nan, nan, 1.0]]
    np.testing.assert_array_equal(
        expected,
        np.ma.filled(first.images[0].get_array(), nan),  # type: ignore[arg-type]
    )
    assert [0.5, 3.5, 2.5, -0.5] == list(first.images[0].get_extent())
    assert (2, 2) == second.images[0].get_size()
    assert [(0.2, 1)] * 2 == [axes.images[0].get_clim() for axes in (first, second)]
    assert ("reader", "source", "share") == (
        first.get_xlabel(),
        first.get_ylabel(),
        bar.get_ylabel(),
    )
    assert ["block 1", "block 2"] == [first.get_title(), second.get_title()]
    assert (tmp_path / "heat.svg").read_bytes().startswith(b"<?xml")


def test_the_last_reader_is_framed_and_named(tmp_path: Path, drawn: list[Figure]):
    """It is no layer of the block, but the transition or the classifier behind it."""
    panel = {"title": "", "rows": ROWS, "last": "transition"}
    heat("", {"x": "", "y": "", "z": "", "panels": [panel]}, tmp_path / "heat.png")
    axes = drawn[0].axes[0]
    (frame,) = axes.patches
    assert (2.5, -0.5, 1, 3) == (*frame.get_xy(), frame.get_width(), frame.get_height())  # type: ignore[attr-defined]
    assert ["transition →"] == [text.get_text() for text in axes.texts]
