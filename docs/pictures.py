"""The pictures of a page, drawn from the specs while it is built.

A block ``units`` has a line for each picture: ``NAME INDEX | caption``.  A block ``widths`` has a
line for each net: ``NAME | caption``.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from residua.arch import names
from residua.drawings.svg import Drawing
from residua.drawings.unit import unit
from residua.drawings.widths import widths

SCALE = 0.86  # at which three units stand beside each other
NARROWEST = 160  # that a caption is squeezed to, in pixels


class Pictures(SphinxDirective):
    """Pictures beside each other, each with a caption."""

    has_content: ClassVar[bool] = True
    drawing: Callable[..., Drawing]  # of what stands on a line

    def run(self) -> list[nodes.Node]:
        """An HTML block of figures."""
        figures = "".join(self._figure(line) for line in self.content if line.strip())
        return [nodes.raw("", f'<div class="units">{figures}</div>', format="html")]

    def _figure(self, line: str) -> str:
        asked, _, caption = line.partition("|")
        drawing = self.drawing(*asked.split())
        said = f"<figcaption>{escape(caption.strip())}</figcaption>"
        wide = SCALE * drawing.width
        style = f"--wide:{wide:g}px;max-width:{max(wide, NARROWEST):g}px"
        return f'<figure style="{style}">{drawing.inline()}{said}</figure>'


class Units(Pictures):
    """Units, layer by layer."""

    def drawing(self, name: str, index: str) -> Drawing:
        """The unit of a net and an index."""
        return unit(names.entry(name), int(index))


class Widths(Pictures):
    """Widths, unit by unit."""

    def drawing(self, name: str) -> Drawing:
        """The widths of a net."""
        return widths(names.entry(name))


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the blocks known."""
    app.add_directive("units", Units)
    app.add_directive("widths", Widths)
    return {"parallel_read_safe": True}
