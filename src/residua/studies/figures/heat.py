"""Which layer reads which: a square for each pair, the darker the more."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.studies.figures.style import BLACK, canvas, caption, finish, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def heat(title: str, data: dict[str, Any], path: Path) -> None:
    """Draw a triangle of squares for each of some blocks of layers.

    Args:
        title: Above all panels.
        data: What ``x``, ``y`` and ``z`` show, and ``panels``: ``title``, ``rows`` (for each
            reader, in order, a value in 0…1 for each source before it) and ``last`` (what the last
            reader is).  ``note`` stands below.
        path: Where the figure goes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.

    Source: huang2017 Fig. 5.
    """
    panels = data["panels"]
    figure, grid = canvas(len(panels), width=4.0 * len(panels) + 0.8, height=4.7)
    # A net that was trained for a short time uses all alike: its few shades start further up.
    lowest = min(value for panel in panels for row in panel["rows"] for value in row)
    lowest = math.floor(10 * lowest) / 10
    squares = [_panel(axes, panel, lowest=lowest) for axes, panel in zip(grid, panels, strict=True)]
    for axes, panel in zip(grid, panels, strict=True):
        finish(axes, title=panel["title"], unit=data["y"] if axes is grid[0] else "", x=data["x"])
        axes.grid(visible=False)
    figure.colorbar(squares[0], ax=grid, label=data["z"], shrink=0.8, pad=0.02)
    caption(figure, title=title, note=data.get("note", ""))
    save(figure, path)


def _panel(axes: Axes, panel: dict[str, Any], *, lowest: float) -> AxesImage:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - an optional package

    rows = panel["rows"]
    size = len(rows)
    # A column a reader, as in the paper; below the diagonal there is nothing to read.
    values = [
        [row[source] if source < len(row) else float("nan") for row in rows]
        for source in range(size)
    ]
    ends = (0.5, size + 0.5, size - 0.5, -0.5)
    squares = axes.imshow(values, cmap="cividis_r", vmin=lowest, vmax=1, extent=ends)
    axes.add_patch(Rectangle((size - 0.5, -0.5), 1, size, fill=False, edgecolor=BLACK))
    axes.annotate(
        f"{panel['last']} →",
        (size - 0.7, size - 0.5),
        ha="right",
        va="bottom",
        fontsize=8,
    )
    axes.spines[["left", "bottom"]].set_visible(False)
    return squares
