"""Several drawings as one: with words below, and in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from residua.drawings import svg
from residua.drawings.svg import Drawing

CAPTION, GAP = 26.0, 18.0


def captioned(drawing: Drawing, words: str) -> Drawing:
    """A drawing with words below its middle."""
    said = svg.text(drawing.width / 2, drawing.height + CAPTION / 2, words)
    return replace(
        drawing, height=drawing.height + CAPTION, shapes=(*drawing.shapes, svg.strong(said))
    )


def sheet(rows: Sequence[Sequence[Drawing]], *, title: str) -> Drawing:
    """Rows of drawings, each row in the middle of the sheet, its drawings' feet on one line."""
    wide = max(_width(row) for row in rows)
    shapes: list[str] = []
    y = 0.0
    for row in rows:
        high = max(drawing.height for drawing in row)
        x = (wide - _width(row)) / 2
        for drawing in row:
            inside = "".join(drawing.shapes)
            down = y + high - drawing.height
            shapes.append(f'<g transform="translate({x:g} {down:g})">{inside}</g>')
            x += drawing.width + GAP
        y += high + GAP
    return Drawing(width=wide, height=y - GAP, title=title, shapes=tuple(shapes))


def _width(row: Sequence[Drawing]) -> float:
    return sum(drawing.width for drawing in row) + GAP * (len(row) - 1)
