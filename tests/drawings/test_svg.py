"""Shapes: they are SVG, and take their colour from the page."""

import xml.etree.ElementTree as ET

from residua.drawings import svg

DRAWING = svg.Drawing(width=10, height=20, title="a < b", shapes=(svg.text(1, 2, "x & y"),))


def test_a_drawing_is_well_formed_and_says_what_it_shows():
    """Words are escaped, and the title is there for those who do not see."""
    root = ET.fromstring(DRAWING.inline())  # noqa: S314 - our own text
    assert ("0 0 10 20", "a < b") == (root.get("viewBox"), root.get("aria-label"))
    assert ["a < b", "x & y"] == [element.text for element in root]


def test_a_file_has_paper_and_ink_of_its_own():
    """Only a file of its own brings colours for dark screens; on a page they are the page's."""
    assert "prefers-color-scheme" in DRAWING.file()
    assert "prefers-color-scheme" not in DRAWING.inline()
    assert DRAWING.file().startswith("<?xml")


def test_an_arrow_points_the_way_of_its_line():
    """The tip is the line's end; down and left, the base lies behind it."""
    assert '"5,9 2,3 8,3"' in svg.line((5, 0), (5, 9), arrow=True)
    assert '"2,4 8,1 8,7"' in svg.line((9, 4), (2, 4), arrow=True)
    assert "polygon" not in svg.line((9, 4), (2, 4))
