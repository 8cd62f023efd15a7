"""A page is sections of blocks; HTML and Markdown are two ways to write the same page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table; without columns, names and their values.

    Attributes:
        title: What it shows, where its section's does not say so.
        columns: Headings.
        rows: Cells, at least a row of them; a column of numbers stands to the right.
        note: What to know before reading it.
    """

    kind: ClassVar = "grid"
    title: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def numeric(self) -> set[int]:
        """The columns that hold numbers, but for the first, which names its row."""
        columns = list(enumerate(zip(*self.rows, strict=True)))[1:]
        return {
            index
            for index, cells in columns
            if any(isinstance(cell, int | float) for cell in cells)
            and not any(isinstance(cell, str) for cell in cells)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing with a title that says what is to be seen; a wide one has a line for itself."""

    kind: ClassVar = "chart"
    name: str
    title: str
    svg: str
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image as PNG with the name of its file, and what it shows."""

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Images side by side."""

    kind: ClassVar = "pictures"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Something to copy."""

    kind: ClassVar = "code"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph, perhaps with a verdict or a warning before it."""

    kind: ClassVar = "text"
    text: str
    mark: str = ""


Block = Grid | Chart | Pictures | Code | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What belongs under one heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that is written.

    Attributes:
        title: What it is about.
        lead: The answer, in a sentence or two.
        tiles: The few figures to remember, each with its name.
        sections: The rest.
    """

    title: str
    lead: str
    tiles: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...]


def shown(cell: Cell) -> str:
    """A cell as text: thousands apart, two decimals, or three digits of what is below one."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        text = f"{cell:,.2f}" if abs(cell) >= 1 or cell == 0 else f"{cell:.3g}"
        return text.replace("-", "−")
    return f"{cell:,}" if isinstance(cell, int) else cell


def plain(value: object) -> str:
    """A setting as a person writes it."""
    if isinstance(value, tuple | list):
        return ", ".join(map(plain, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """A time in the two units that matter."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
