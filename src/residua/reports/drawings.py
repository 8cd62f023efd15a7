"""The figures of a study as SVG for a page: drawn from their data, in the page's own colours."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from residua.studies.figures import style
from residua.studies.figures.drawing import DRAWN
from residua.studies.findings import Figure

# What a drawing on white paper is coloured with, and the page's name for it.
PAGE = {
    "#ffffff": "var(--page)",
    "white": "var(--page)",
    style.BLACK: "var(--ink)",
    style.BLUE: "var(--a)",
    style.ORANGE: "var(--b)",
    style.GREEN: "var(--c)",
    style.PURPLE: "var(--d)",
    style.AMBER: "var(--e)",
    "#333333": "var(--ink)",
    "#595959": "var(--muted)",
    "#666666": "var(--muted)",
    "#b0b0b0": "var(--rule)",
}


def drawings(figures: Sequence[Figure]) -> dict[str, str]:
    """Each figure's drawing by its name; none of them where matplotlib is not installed."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for figure in figures:
            file = Path(folder, f"{figure.name}.svg")
            try:
                DRAWN[figure.kind]("", figure.data, file)
            except ImportError:
                return {}
            found[figure.name] = inline(file.read_text(encoding="utf-8"), name=figure.name)
    return found


def inline(svg: str, *, name: str) -> str:
    """A drawing of matplotlib's as part of a page.

    Args:
        svg: The file.
        name: What makes its identifiers unlike those of the page's other drawings.
    """
    start = svg.index("<svg")
    head, _, rest = svg[start:].partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None, "matplotlib states it"
    body = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    body = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, named in PAGE.items():
        body = re.sub(rf"(:\s*){colour}\b", rf"\g<1>{named}", body)
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {space} {box[0]} role="img" class="drawn">{body}'
