"""Drawings as SVG without colours of their own: classes that a page gives light and dark ones.

Every drawing is as wide as a phone's screen, so that its letters can be read there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from residua.studies.stats import Summary

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 30, 42
COLOURS = ("a", "b", "c", "d", "e", "f")
MOST_NAMED = 25  # classes that have a row and a column with a name
FEW = 40  # points that are worth a dot each
LETTER = 6.4  # width of a letter


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and its name."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Range:
    """What an axis shows, and where on the drawing; in powers of ten, or of whole numbers."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, value = (
            map(math.log10, (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values along it."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        raw = max((self.high - self.low) / 6, 1 if self.whole else 0)
        size = 10 ** math.floor(math.log10(raw))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def lines(
    series: Sequence[Line],
    *,
    x: str,
    y: str,
    log: bool = False,
    mark: tuple[str, float] | None = None,
) -> str:
    """Curves over epochs, from zero up unless logarithmic; ``mark`` is a level with a name."""
    values = [value for line in series for value in line.ys] + ([mark[1]] if mark else [])
    xs = [value for line in series for value in line.xs]
    across, up = _ranges(xs, values, log=log)
    parts = _axes(across, up, x=x, y=y)
    for line, colour in zip(series, COLOURS, strict=False):
        points = [(across.at(a), up.at(b)) for a, b in zip(line.xs, line.ys, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(_tag("polyline", points=path, class_=f"line {colour}"))
        if len(points) <= FEW:
            parts += [_dot(a, b, colour, radius=2.6) for a, b in points]
    labels = [(line.label, colour) for line, colour in zip(series, COLOURS, strict=False)]
    if mark:
        level = up.at(mark[1])
        parts.append(_tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=level, y2=level, class_="level"))
        labels.append((mark[0], "ink"))
    if sum(26 + LETTER * len(label) for label, _ in labels) <= WIDTH:
        return _svg([*_legend(labels if len(labels) > 1 else []), *parts], WIDTH, HEIGHT)
    # Each of them may take a line of its own, below.
    height = HEIGHT + 18 * len(labels)
    return _svg([*parts, *_legend(labels, y=HEIGHT + 10)], WIDTH, height)


def reliability(bins: Sequence[tuple[float, float]], scaled: Sequence[tuple[float, float]]) -> str:
    """Rate of right answers over confidence, both in percent: on the diagonal they agree.

    Args:
        bins: A pair for each bin that has images.
        scaled: The same once confidence is divided by a temperature; may be empty.
    """
    across, up = _ranges([0, 100], [0, 100], log=False)
    parts = _axes(across, up, x="confidence, %", y="right answers, %")
    (left, right), (bottom, top) = ((axis.at(0), axis.at(100)) for axis in (across, up))
    parts.append(_tag("line", x1=left, y1=bottom, x2=right, y2=top, class_="level"))
    labels = [("as trained", "a"), ("with the temperature", "b")]
    for points, (_, colour) in zip((bins, scaled), labels, strict=True):
        path = " ".join(f"{across.at(a):.1f},{up.at(b):.1f}" for a, b in points)
        parts.append(_tag("polyline", points=path, class_=f"line {colour}"))
        parts += [_dot(across.at(a), up.at(b), colour) for a, b in points]
    return _svg([*_legend(labels[: 2 if scaled else 1]), *parts], WIDTH, HEIGHT)


def intervals(rows: Sequence[tuple[str, Sequence[float], Summary, float | None]], *, x: str) -> str:
    """A line for each sample: its values, its mean with the 95 % interval, and a printed value.

    Args:
        rows: Name, values, their summary, and what a paper prints or None.
        x: What the values are.
    """
    reach = [value for _, values, *_ in rows for value in values]
    reach += [end for _, _, summary, _ in rows for end in summary.interval or ()]
    reach += [printed for *_, printed in rows if printed is not None]
    pad = 0.06 * (max(reach) - min(reach)) or 1
    across = Range(min(reach) - pad, max(reach) + pad, 16, WIDTH - 16)
    height = 46 * len(rows) + 68
    parts = [_text(x, WIDTH / 2, height - 8, "axis middle")]
    for tick in across.ticks():
        place = across.at(tick)
        parts.append(_tag("line", x1=place, x2=place, y1=28, y2=height - 40, class_="grid"))
        parts.append(_text(f"{tick:g}", place, height - 25, "axis middle"))
    for index, (label, values, summary, printed) in enumerate(rows):
        y = 62 + 46 * index
        parts.append(_text(label, 16, y - 16, "name"))
        if summary.interval:
            low, high = map(across.at, summary.interval)
            parts.append(_tag("line", x1=low, x2=high, y1=y, y2=y, class_="span a"))
        parts += [_dot(across.at(value), y, "a faint", radius=3.5) for value in values]
        mean = across.at(summary.mean)
        parts.append(_tag("line", x1=mean, x2=mean, y1=y - 9, y2=y + 9, class_="line a"))
        if printed is not None:
            parts.append(_diamond(across.at(printed), y))
    labels = [("each seed, mean, 95 % interval", "a")]
    if any(printed is not None for *_, printed in rows):
        labels.append(("printed by the paper", "b"))
    return _svg([*_legend(labels), *parts], WIDTH, height)


def heat(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Counts of right (down the diagonal) and wrong answers: a row is a class, a column an answer.

    A cell's depth is the square root of its share of the row, so that rare mistakes are seen.
    """
    size = len(names)
    named = size <= MOST_NAMED
    left = min(110.0, 12 + LETTER * max(map(len, names))) if named else 4
    cell = (WIDTH - left - 4) / size
    parts: list[str] = []
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            if count:
                share = math.sqrt(count / sum(counts))
                at = {"x": left + column * cell, "y": 4 + row * cell}
                side = {"width": cell - 1, "height": cell - 1, "fill_opacity": share}
                tip = _tag(
                    "title", str(escape(f"{names[row]}, taken for {names[column]}: {count:,}"))
                )
                parts.append(_tag("rect", tip, **at, **side, class_="a" if row == column else "b"))
            if size <= 12:
                middle = left + (column + 0.5) * cell - 0.5, 8 + (row + 0.5) * cell
                deep = count and count / sum(counts) > 0.4
                parts.append(
                    _text(f"{count}", *middle, "cell middle deep" if deep else "cell middle")
                )
    if named:
        for index, name in enumerate(names):
            place = 4 + (index + 0.5) * cell
            parts.append(_text(name[:16], left - 6, place + 4, "axis end"))
            turn = f"rotate(-45 {left + place - 4:.1f} {size * cell + 14:.1f})"
            at = left + place - 4, size * cell + 14
            parts.append(_text(name[:16], *at, "axis end", transform=turn))
    return _svg(parts, WIDTH, size * cell + (left * 0.75 + 10 if named else 8))


def _ranges(xs: Sequence[float], ys: Sequence[float], *, log: bool) -> tuple[Range, Range]:
    low, high = min(xs), max(xs)
    across = Range(low, high if high > low else low + 1, LEFT, WIDTH - RIGHT, whole=True)
    bottom = min(ys) / 1.2 if log else 0
    top = max(ys) * (1.2 if log else 1.04) or 1
    return across, Range(bottom, top, HEIGHT - BOTTOM, TOP, log)


def _axes(across: Range, up: Range, *, x: str, y: str) -> list[str]:
    parts: list[str] = []
    for tick in up.ticks():
        level = up.at(tick)
        parts.append(_tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=level, y2=level, class_="grid"))
        parts.append(_text(f"{tick:g}", LEFT - 6, level + 4, "axis end"))
    below = HEIGHT - BOTTOM + 17
    parts += [_text(f"{tick:g}", across.at(tick), below, "axis middle") for tick in across.ticks()]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(_text(x, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "axis middle"))
    turn = f"rotate(-90 12 {middle:.1f})"
    return [*parts, _text(y, 12, middle, "axis middle", transform=turn)]


def _legend(labels: Sequence[tuple[str, str]], *, y: float = 12) -> list[str]:
    """Names with their colours, side by side from ``y`` on, on as many lines as they take."""
    parts: list[str] = []
    x = 14.0
    for label, colour in labels:
        width = 26 + LETTER * len(label)
        if x > 14 and x + width > WIDTH + 12:
            x, y = 14.0, y + 18
        parts += [_dot(x, y, colour, radius=5), _text(label, x + 9, y + 4, "name")]
        x += width
    return parts


def _dot(x: float, y: float, colour: str, *, radius: float = 3.2) -> str:
    return _tag("circle", cx=x, cy=y, r=radius, class_=colour)


def _diamond(x: float, y: float) -> str:
    points = f"{x:.1f},{y - 7:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 6:.1f},{y:.1f}"
    return _tag("polygon", points=points, class_="b")


def _text(content: str, x: float, y: float, class_: str, **more: str) -> str:
    return _tag("text", str(escape(content)), x=x, y=y, class_=class_, **more)


def _tag(name: str, content: str = "", **attributes: str | float) -> str:
    """An element; ``class_`` is class and fill_opacity fill-opacity."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="'
        f'{value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>"


def _svg(parts: Sequence[str], width: float, height: float) -> str:
    return _tag("svg", "".join(parts), viewBox=f"0 0 {width:.0f} {height:.0f}", role="img")
