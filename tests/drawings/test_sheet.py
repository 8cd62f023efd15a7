"""Sheets: drawings keep their shapes, and stand where the sheet says."""

import re

from residua.drawings.sheet import captioned, sheet
from residua.drawings.svg import Drawing

SMALL = Drawing(width=100, height=40, title="small", shapes=("<a/>",))
TALL = Drawing(width=60, height=90, title="tall", shapes=("<b/>",))


def test_a_caption_stands_below_the_middle():
    """In bold; the drawing grows by it."""
    made = captioned(SMALL, "so & so")
    assert made.height > SMALL.height
    assert made.width == SMALL.width
    _, said = made.shapes
    assert 'font-weight="600"' in said
    assert f'x="50" y="{(SMALL.height + made.height) / 2:g}"' in said
    assert ">so &amp; so<" in said


def test_rows_are_centred_with_their_feet_on_one_line():
    """Two beside each other, and one below their middle."""
    made = sheet([[SMALL, TALL], [SMALL]], title="all")
    gap = made.width - 160
    assert made.height == 90 + gap + 40
    places = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", "".join(made.shapes))
    first, second, below = [(float(x), float(y)) for x, y in places]
    assert ((0, 50), (100 + gap, 0), ((made.width - 100) / 2, 90 + gap)) == (first, second, below)
    assert ["<a/>", "<b/>", "<a/>"] == re.findall(r"<[ab]/>", "".join(made.shapes))
