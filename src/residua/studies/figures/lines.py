"""Lines over a common axis, in one or several panels, each line with its name at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.studies.figures.style import (
    BLACK,
    COLOURS,
    canvas,
    caption,
    finish,
    plain_ticks,
    save,
    spread,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"solid": "-", "dashed": (0, (4, 2)), "steps": "-", "points": ""}
LABEL_HEIGHT = 0.062  # of a panel's
SHORT = 100  # times the lowest: over so little, powers of ten say too little


def lines(title: str, data: dict[str, Any], path: Path) -> None:
    """Draw panels of lines.

    Args:
        title: Above all panels.
        data: ``panels``, each with ``title``, what ``x`` and ``y`` show, and ``lines``: ``label``
            (empty for none), ``x``, ``y``, and where wanted ``sd`` (a band on both sides),
            ``style`` (solid, dashed, steps or points) and ``colour`` (a number: equal ones are one
            colour).  A panel may have ``log`` ("x", "y" or "xy"), ``whole`` (x counts something)
            and ``marks``: ``y`` and ``label`` of a level.  ``note`` stands below.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.
    """
    panels = data["panels"]
    figure, grid = canvas(len(panels), width=max(7.4, 5.2 * len(panels)))
    for axes, panel in zip(grid, panels, strict=True):
        _panel(axes, panel)
    lowest = min(axes.get_ylim()[0] for axes in grid)
    highest = max(axes.get_ylim()[1] for axes in grid)
    for axes, panel in zip(grid, panels, strict=True):
        if len({other["y"] for other in panels}) == 1:
            axes.set_ylim(lowest, highest)  # what is compared has one scale
        _tick(axes, panel.get("log", ""))
        _name(axes, panel)
    caption(figure, title=title, note=data.get("note", ""))
    save(figure, path)


def _panel(axes: Axes, panel: dict[str, Any]) -> None:
    logarithmic = panel.get("log", "")
    for line in panel["lines"]:
        colour = _colour(panel, line)
        style = line.get("style", "solid")
        axes.plot(
            line["x"],
            line["y"],
            color=colour,
            linestyle=DASHES[style],
            linewidth=1.3 if style == "dashed" else 2,
            drawstyle="steps-mid" if style == "steps" else "default",
            marker="o"
            if style == "points" or (len(line["x"]) <= 12 and style == "solid")
            else None,
            markersize=4,
        )
        if line.get("sd"):
            low = [y - sd for y, sd in zip(line["y"], line["sd"], strict=True)]
            high = [y + sd for y, sd in zip(line["y"], line["sd"], strict=True)]
            axes.fill_between(line["x"], low, high, color=colour, alpha=0.15, linewidth=0)
    for mark in panel.get("marks", ()):
        axes.axhline(mark["y"], color=BLACK, linestyle=":", linewidth=1)
    whole = panel.get("whole", True) and "x" not in logarithmic
    finish(axes, title=panel["title"], unit=panel["y"], x=panel["x"], whole=whole)
    for name in logarithmic:
        axes.set(**{f"{name}scale": "log"})


def _tick(axes: Axes, logarithmic: str) -> None:
    """Numbers in place of powers of ten, where an axis reaches over few of these."""
    for name in logarithmic:
        low, high = (axes.xaxis if name == "x" else axes.yaxis).get_view_interval()
        if high < SHORT * low:
            plain_ticks(axes, name)


def _name(axes: Axes, panel: dict[str, Any]) -> None:
    """Put names at the lines' ends, in the margin, so that no two lie on each other."""
    named = [line for line in panel["lines"] if line["label"]]
    ends = [((line["x"][-1], line["y"][-1]), line["label"], _colour(panel, line)) for line in named]
    ends += [
        ((axes.get_xlim()[1], mark["y"]), mark["label"], BLACK) for mark in panel.get("marks", ())
    ]
    to_panel = axes.transData + axes.transAxes.inverted()
    heights = [float(to_panel.transform(end)[1]) for end, _, _ in ends]
    for (end, label, colour), height in zip(ends, spread(heights, apart=LABEL_HEIGHT), strict=True):
        axes.annotate(
            label,
            end,
            xytext=(1.02, height),
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 0.7},
        )


def _colour(panel: dict[str, Any], line: dict[str, Any]) -> str:
    return COLOURS[line.get("colour", panel["lines"].index(line)) % len(COLOURS)]
