"""A bar for each unit of a net: what its loss does, with those marked that halve the size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.studies.figures.style import BLACK, BLUE, ORANGE, canvas, caption, finish, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 2.5  # times as high as the lowest panel: on one scale that could not be read


def units(title: str, data: dict[str, Any], path: Path) -> None:
    """Draw panels of bars, of one scale but for those that are far higher than others.

    Args:
        title: Above all panels.
        data: What ``y`` shows, and ``panels``: ``title``, ``values`` (one a unit, None where there
            is none), ``marked`` (indices of the units that halve the size) and ``level`` (the value
            of the whole net).  ``note`` stands below.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.

    Source: the figure of lesions in han2017.
    """
    panels = data["panels"]
    figure, grid = canvas(len(panels), width=max(7.4, 5.0 * len(panels)), height=4.4)
    tops = [max(filter(None, panel["values"]), default=panel["level"]) for panel in panels]
    common = max(top for top in tops if top <= FAR * min(tops))
    for axes, panel, top in zip(grid, panels, tops, strict=True):
        axes.set_ylim(0, 1.16 * max(top, common) or 1)
        _panel(axes, panel)
        other = " (another scale)" if top > common else ""
        finish(axes, title=panel["title"] + other, unit=data["y"], x="index of the unit left out")
        axes.grid(visible=False, axis="x")
    caption(figure, title=title, note=data.get("note", ""))
    save(figure, path)


def _panel(axes: Axes, panel: dict[str, Any]) -> None:
    values, marked = panel["values"], panel["marked"]
    colours = [ORANGE if index in marked else BLUE for index in range(len(values))]
    axes.bar(range(len(values)), [value or 0 for value in values], color=colours, width=0.8)
    axes.axhline(panel["level"], color=BLACK, linestyle=":", linewidth=1.2)
    axes.annotate(
        f"whole net:\n{panel['level']:.1f} %",
        (1.02, panel["level"]),
        xycoords=axes.get_yaxis_transform(),
        va="center",
        fontsize=8,
        annotation_clip=False,
    )
    reach = 1 + len(values) // 10  # of the words, to both sides
    for index, value in enumerate(values):
        if value is None:
            _above(axes, index, 0, "cannot be left out", colours[index])
        elif index in marked:
            near = values[max(0, index - reach) : index + reach + 1]
            _above(
                axes, index, max(filter(None, near), default=0), "halves the size", colours[index]
            )
    axes.set_xlim(-0.7, len(values) - 0.3)


def _above(axes: Axes, index: int, height: float, words: str, colour: str) -> None:
    axes.annotate(
        words,
        (index, height),
        xytext=(0, 4),
        textcoords="offset points",
        color=colour,
        fontsize=8,
        rotation=0 if height else 90,
        ha="center",
        va="bottom",
    )
