"""What all figures share: colours, axes, files, and the words for who lacks matplotlib."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from residua.runs.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
# Okabe & Ito's colours, told apart by everybody; their yellow is too light for lines.
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
SKY, AMBER, BLACK = "#56b4e9", "#e69f00", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK)


def finish(axes: Axes, *, title: str, unit: str, x: str = "epoch", whole: bool = True) -> None:
    """Title, what the axes show, and a quiet frame; ``whole`` if x counts something."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(unit)
    if whole:
        axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def caption(figure: Figure, *, title: str = "", note: str = "") -> None:
    """What stands above and below all panels, on as many lines as the width takes."""
    width = figure.get_size_inches()[0]
    if title:
        figure.suptitle(textwrap.fill(title, int(10.5 * width)))
    if note:
        figure.supxlabel(textwrap.fill(note, int(16 * width)), fontsize=8, color="0.35")


def plain_ticks(axes: Axes, logarithmic: str) -> None:
    """Logarithmic axes, "x", "y" or both, with numbers as people write them: 20k, not 2·10⁴."""
    from matplotlib import ticker  # noqa: PLC0415 - as below

    for name in logarithmic:
        axes.set(**{f"{name}scale": "log"})
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(ticker.NullLocator())
        large = max(axis.get_view_interval()) >= 1000
        axis.set_major_formatter(
            ticker.EngFormatter(sep="") if large else ticker.StrMethodFormatter("{x:g}")
        )


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the name's suffix says in which format.

    Raises:
        OSError: The place cannot be written to.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:])
    write_atomically(path, buffer.getvalue())


def canvas(
    columns: int = 1, *, width: float = 8.4, height: float = 4.8
) -> tuple[Figure, list[Axes]]:
    """A figure of some panels beside each other.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package

    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def spread(places: list[float], *, apart: float) -> list[float]:
    """Places of labels, moved as little as it takes for neighbours to be ``apart``."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = [places[index] for index in order]
    for _ in range(50):
        for low in range(len(moved) - 1):
            short = apart - (moved[low + 1] - moved[low])
            if short > 0:
                moved[low] -= short / 2
                moved[low + 1] += short / 2
    found = dict(zip(order, moved, strict=True))
    return [found[index] for index in range(len(places))]
