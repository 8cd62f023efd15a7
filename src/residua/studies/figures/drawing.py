"""Figures of findings drawn from their data alone, by their kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.studies.figures.bars import bars
from residua.studies.figures.heat import heat
from residua.studies.figures.lines import lines
from residua.studies.figures.points import points
from residua.studies.figures.style import FORMATS
from residua.studies.figures.units import units
from residua.studies.findings import Figure, Kind

# Each takes the title, the data and a path whose suffix says in which format.
DRAWN: dict[Kind, Callable[[str, dict[str, Any], Path], None]] = {
    "bars": bars,
    "heat": heat,
    "lines": lines,
    "points": points,
    "units": units,
}


def draw(figure: Figure, folder: Path) -> list[Path]:
    """Draw a figure into a folder, in each format.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The folder cannot be written to.
    """
    files = [folder / f"{figure.name}{suffix}" for suffix in FORMATS]
    for file in files:
        DRAWN[figure.kind](figure.title, figure.data, file)
    return files
