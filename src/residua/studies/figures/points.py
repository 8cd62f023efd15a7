"""Points with their names beside them: one value over another, kin in one colour."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.studies.figures.style import COLOURS, canvas, caption, finish, plain_ticks, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where a name may stand, in points from its point, and which corner of it; the best place first.
PLACES = (
    *((6, 5, "left", "bottom"), (6, -5, "left", "top"), (-6, 5, "right", "bottom")),
    *((-6, -5, "right", "top"), (0, 14, "center", "bottom"), (0, -14, "center", "top")),
    *((6, 20, "left", "bottom"), (6, -20, "left", "top")),
)


def points(title: str, data: dict[str, Any], path: Path) -> None:
    """Draw points, in one or several panels.

    Args:
        title: Above the panels.
        data: ``panels``, each with what ``x`` and ``y`` show, ``log`` ("", "x", "y" or "xy") and
            ``points``: ``label``, ``group``, ``x``, ``y`` and, where known, ``sd`` of y.  A group
            has one colour; ``joined`` says how points are: "groups" in the order of their x, or
            "frontier", those below which no other has so little x.  ``note`` stands below.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.
    """
    panels = data["panels"]
    figure, grid = canvas(len(panels), width=max(7.4, 6.2 * len(panels)), height=5.2)
    groups = list(dict.fromkeys(point["group"] for panel in panels for point in panel["points"]))
    colours: dict[str, str] = dict(zip(groups, COLOURS * len(groups), strict=False))
    for axes, panel in zip(grid, panels, strict=True):
        for group, colour in colours.items():
            _group(axes, [each for each in panel["points"] if each["group"] == group], colour)
        _join(axes, panel["points"], colours, how=data.get("joined", "groups"))
        axes.margins(x=0.16, y=0.12)
        finish(axes, title="", unit=panel["y"], x=panel["x"], whole=False)
        plain_ticks(axes, panel["log"])
    grid[0].legend(frameon=False, fontsize=8, loc="best")
    caption(figure, title=title, note=data.get("note", ""))
    figure.draw_without_rendering()  # places come before names
    for axes, panel in zip(grid, panels, strict=True):
        _name(axes, panel["points"], colours)
    save(figure, path)


def _group(axes: Axes, members: list[dict[str, Any]], colour: str) -> None:
    if members:
        axes.errorbar(
            [point["x"] for point in members],
            [point["y"] for point in members],
            yerr=[point.get("sd") or float("nan") for point in members],
            label=members[0]["group"],
            color=colour,
            marker="o",
            markersize=5,
            linestyle="",
            capsize=2,
        )


def _join(axes: Axes, members: list[dict[str, Any]], colours: dict[str, str], *, how: str) -> None:
    ordered = sorted(members, key=lambda point: (point["x"], point["y"]))
    if how == "frontier":
        lowest = list(accumulate((point["y"] for point in ordered), min))
        best = [point for point, low in zip(ordered, lowest, strict=True) if point["y"] == low]
        lines = [("0.7", best)]
    else:
        lines = [
            (colour, [point for point in ordered if point["group"] == group])
            for group, colour in colours.items()
        ]
    for colour, line in lines:
        x, y = ([point[key] for point in line] for key in ("x", "y"))
        axes.plot(x, y, color=colour, linewidth=1.2, alpha=0.7, zorder=1)


def _name(axes: Axes, members: list[dict[str, Any]], colours: dict[str, str]) -> None:
    """Put each name where it covers no point and no other name; else nowhere."""
    from matplotlib.transforms import Bbox  # noqa: PLC0415 - an optional package

    spots = [axes.transData.transform((point["x"], point["y"])) for point in members]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in spots]
    for point in sorted(members, key=lambda point: point["y"]):  # the best ones are named for sure
        text = axes.annotate(
            point["label"],
            (point["x"], point["y"]),
            textcoords="offset points",
            xytext=(0, 0),
            color=colours[point["group"]],
            fontsize=8,
        )
        for dx, dy, ha, va in PLACES:
            text.set(position=(dx, dy), ha=ha, va=va)
            box = text.get_window_extent()
            if not box.count_overlaps(taken):
                taken.append(box)
                break
        else:
            text.remove()
