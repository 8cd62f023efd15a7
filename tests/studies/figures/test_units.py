"""Bars of units: how high, which are marked, and of which scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from residua.studies.figures.style import BLUE, ORANGE
from residua.studies.figures.units import units

RESIDUAL: dict[str, Any] = {
    "title": "preresnet-14",
    "values": [10.0, 11.0, 20.0, 12.5],
    "marked": [2],
    "level": 9.25,
}
PLAIN: dict[str, Any] = {
    "title": "plain-14",
    "values": [80.0, None, 75.0],
    "marked": [1],
    "level": 8.0,
}


def draw(tmp_path: Path, *panels: dict[str, Any]):
    """Draw some panels."""
    units("what is to be seen", {"y": "error, percent", "panels": panels}, tmp_path / "units.svg")


def test_a_bar_for_each_unit(tmp_path: Path, drawn: list[Figure]):
    """As high as its error; those that halve the size have another colour, and say so."""
    draw(tmp_path, RESIDUAL)
    (axes,) = drawn[0].axes
    assert [10.0, 11.0, 20.0, 12.5] == [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert [BLUE, BLUE, ORANGE, BLUE] == [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert ["whole net:\n9.2 %", "halves the size"] == [text.get_text() for text in axes.texts]
    assert [9.25, 9.25] == list(axes.lines[0].get_ydata())  # type: ignore[arg-type]
    assert ("index of the unit left out", "error, percent") == (
        axes.get_xlabel(),
        axes.get_ylabel(),
    )
    assert "what is to be seen" == drawn[0].get_suptitle()
    assert (tmp_path / "units.svg").read_bytes().startswith(b"<?xml")


def test_words_stand_above_what_is_near(tmp_path: Path, drawn: list[Figure]):
    """A low bar's do not lie on its higher neighbours."""
    draw(tmp_path, RESIDUAL | {"values": [10.0, 19.0, 11.0, 12.5]})
    words = drawn[0].axes[0].texts[-1]
    assert ("halves the size", (2, 19.0)) == (words.get_text(), words.xy)  # type: ignore[attr-defined]


def test_units_that_cannot_go_say_so(tmp_path: Path, drawn: list[Figure]):
    """They are no bars of height 0 that would look like units that cost nothing."""
    draw(tmp_path, PLAIN)
    (axes,) = drawn[0].axes
    assert "cannot be left out" in [text.get_text() for text in axes.texts]
    assert "halves the size" not in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_compared_has_one_scale(tmp_path: Path, drawn: list[Figure], times: int):
    """Two nets of like errors."""
    other = RESIDUAL | {"values": [times * value for value in RESIDUAL["values"]]}
    draw(tmp_path, RESIDUAL, other)
    one, two = drawn[0].axes
    assert one.get_ylim() == two.get_ylim()
    assert times * 20 < one.get_ylim()[1]
    assert "preresnet-14" == one.get_title() == two.get_title()


def test_what_is_far_higher_has_its_own(tmp_path: Path, drawn: list[Figure]):
    """Beside a net that falls to chance, another's bars would be too low to compare."""
    draw(tmp_path, RESIDUAL, PLAIN)
    one, two = drawn[0].axes
    assert one.get_ylim()[1] < 25
    assert two.get_ylim()[1] > 80
    assert ("preresnet-14", "plain-14 (another scale)") == (one.get_title(), two.get_title())


def test_nets_that_never_err(tmp_path: Path, drawn: list[Figure]):
    """Of a few easy images all errors may be 0: there are axes all the same."""
    draw(tmp_path, RESIDUAL | {"values": [0.0, 0.0, 0.0, 0.0], "level": 0.0})
    assert (0, 1) == drawn[0].axes[0].get_ylim()
