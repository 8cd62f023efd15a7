"""Cells as text, and which columns hold numbers."""

import pytest

from residua.reports.drawings import inline
from residua.reports.page import Cell, Grid, duration, plain, shown


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        (1727962, "1,727,962"),
        (8.754, "8.75"),
        (-12345.678, "−12,345.68"),
        (0.0, "0.00"),
        (0.012345, "0.0123"),
        ("6.61 ± 0.16", "6.61 ± 0.16"),
    ],
)
def test_cells_are_written_as_people_write(cell: Cell, text: str):
    """Thousands apart, two decimals, three digits below one."""
    assert text == shown(cell)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((True, False, None), "yes, no, none"),
        (1727962, "1,727,962"),
        (64000.0, "64,000"),
        (0.0001, "0.0001"),
        ("mean_std", "mean_std"),
    ],
)
def test_settings_are_written_as_people_write(value: object, text: str):
    """Words for what is on, off or not there; no digit of a whole number is lost."""
    assert text == plain(value)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (754.6, "12 min 35 s"), (7_290, "2 h 1 min")]
)
def test_times_have_the_two_units_that_matter(seconds: float, text: str):
    """Hours need no seconds."""
    assert text == duration(seconds)


def test_columns_of_numbers_are_found():
    """One without a value is still one of numbers; one with a word is not."""
    grid = Grid(rows=((0, 1, None, 2.0, None), (1, None, 3, "c", None)))
    assert {1, 2} == grid.numeric


def test_drawings_on_one_page_do_not_share_names():
    """What refers to a part of a drawing finds that of the same drawing."""
    svg = (
        '<?xml version="1.0"?><svg viewBox="0 0 1 1"><metadata>x</metadata>'
        '<path id="p" style="fill: #ffffff; stroke: #0072b2"/><use href="#p"/>'
        '<g clip-path="url(#p)"/></svg>'
    )
    found = inline(svg, name="one")
    assert found.startswith("<svg ")
    for part in ('id="one-p"', 'href="#one-p"', "url(#one-p)", "fill: var(--page)", "var(--a)"):
        assert part in found
    assert "metadata" not in found
