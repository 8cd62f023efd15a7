"""Shapes as SVG: text that takes its colour from the page around it, hues for light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

# Hues of a middle lightness: on white and on black paper they are seen alike.
HUES = {
    "conv": "#3b82c4",
    "norm": "#2f9e6e",
    "relu": "#d9822b",
    "dropout": "#b565b0",
    "other": "#8a8f98",
}
FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:13px"
ARROW = 6
# What a file of its own has instead of a page: paper and ink, and both for dark screens.
PAPER = (
    "<style>.residua-drawing{color:#1f2328;background:#fff}"
    "@media (prefers-color-scheme:dark){.residua-drawing{color:#e6e6e6;background:#131416}}</style>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Shapes on paper of ``width`` × ``height`` pixels, and what they show in words."""

    width: float
    height: float
    title: str
    shapes: tuple[str, ...]

    def inline(self) -> str:
        """An ``svg`` element for a page, in the colour of the page's text."""
        return self._element(self.shapes)

    def file(self) -> str:
        """A file of its own, readable on dark and light screens."""
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{self._element((PAPER, *self.shapes))}\n'

    def _element(self, content: Iterable[str]) -> str:
        title = escape(self.title)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="residua-drawing" role="img" '
            f'aria-label="{title}" width="{self.width:g}" height="{self.height:g}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" style="{FONT}">'
            f"<title>{title}</title>{''.join(content)}</svg>"
        )


def text(x: float, y: float, words: str, *, anchor: str = "middle", quiet: bool = False) -> str:
    """Words whose middle height is at ``y``; quiet ones stand back."""
    faint = ' opacity="0.65"' if quiet else ""
    return (
        f'<text x="{x:g}" y="{y:g}" dy="0.35em" text-anchor="{anchor}" fill="currentColor"{faint}>'
        f"{escape(words)}</text>"
    )


def strong(shape: str) -> str:
    """Shapes whose words are bold."""
    return f'<g font-weight="600">{shape}</g>'


def box(x: float, y: float, words: str, *, size: tuple[float, float], hue: str) -> str:
    """Words in a box of a hue; ``x``, ``y`` is the middle of its upper edge."""
    colour, (width, height) = HUES[hue], size
    return (
        f'<rect x="{x - width / 2:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" '
        f'fill="{colour}" fill-opacity="0.18" stroke="{colour}" stroke-width="1.5"/>'
        + text(x, y + height / 2, words)
    )


def line(*points: tuple[float, float], arrow: bool = False) -> str:
    """A line through points; an arrow stops short of what it points to."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    drawn = f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.4"/>'
    if not arrow:
        return drawn
    (start, _), (x, y) = points[-2:]
    if start == x:
        corners = f"{x:g},{y:g} {x - ARROW / 2:g},{y - ARROW:g} {x + ARROW / 2:g},{y - ARROW:g}"
    else:
        back = x + ARROW if start > x else x - ARROW
        corners = f"{x:g},{y:g} {back:g},{y - ARROW / 2:g} {back:g},{y + ARROW / 2:g}"
    return drawn + f'<polygon points="{corners}" fill="currentColor"/>'


def plus(x: float, y: float, *, radius: float) -> str:
    """Where two signals are added: a plus in a circle."""
    arm = radius * 0.55
    circle = (
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="none" stroke="currentColor" '
        f'stroke-width="1.4"/>'
    )
    return circle + line((x - arm, y), (x + arm, y)) + line((x, y - arm), (x, y + arm))


def dot(x: float, y: float) -> str:
    """Where a signal goes two ways."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="2.6" fill="currentColor"/>'
