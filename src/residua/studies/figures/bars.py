"""A bar for each of some nets, with its deviation over seeds and what the paper printed."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.studies.figures.style import BLACK, BLUE, ORANGE, canvas, caption, finish, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


TITLE = 56  # letters on a line above the bars


def bars(title: str, data: dict[str, Any], path: Path) -> None:
    """Draw horizontal bars, the first one on top.

    Args:
        title: Above the bars.
        data: What ``x`` shows, and ``bars``: ``label``, ``value``, and where known ``sd`` and
            ``paper`` (the printed value); ``base`` is true of those that the others are compared
            with.  ``paper`` says what the printed values are of; ``note`` stands below.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.
    """
    rows = data["bars"]
    figure, (axes,) = canvas(height=1.6 + 0.42 * len(rows))
    places = range(len(rows))
    axes.barh(
        places,
        [row["value"] for row in rows],
        xerr=[row.get("sd") or float("nan") for row in rows],
        color=[BLUE if row.get("base") else ORANGE for row in rows],
        alpha=0.8,
        height=0.62,
        error_kw={"capsize": 3, "linewidth": 1},
    )
    for place, row in zip(places, rows, strict=True):
        axes.annotate(
            f"{row['value']:.4g}",
            (row["value"] + (row.get("sd") or 0), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    _mark(axes, rows, data["paper"])
    axes.set_yticks(list(places), [row["label"] for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    finish(axes, title=textwrap.fill(title, TITLE), unit="", x=data["x"], whole=False)
    axes.grid(visible=False, axis="y")
    caption(figure, note=data.get("note", ""))
    save(figure, path)


def _mark(axes: Axes, rows: list[dict[str, Any]], words: str) -> None:
    """What is printed, as a diamond at each bar's place."""
    printed = [
        (row["paper"], place) for place, row in enumerate(rows) if row.get("paper") is not None
    ]
    if printed:
        x, y = zip(*printed, strict=True)
        axes.scatter(x, y, marker="D", s=28, color="white", edgecolor=BLACK, zorder=3, label=words)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9)
