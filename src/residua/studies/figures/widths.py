"""The widths of one net's units, beside other ways to grow as wide."""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from residua.arch.names import Entry
from residua.arch.plan import plan
from residua.arch.spec import Additive, DenseSpec, Multiplicative, ResidualSpec, Spec
from residua.studies.figures.style import BLUE, GREEN, ORANGE, finish, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def width_profile(entry: Entry, path: Path) -> None:
    """Draw the width of each unit of a net; beside a pyramid's, other ways to the same width.

    Args:
        entry: The net.
        path: Where the figure goes: a name that ends in one of ``FORMATS``.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The place cannot be written to.

    Source: the figure of widths in han2017.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - an optional package

    spec, rows = entry.spec, plan(entry.spec)
    dense = isinstance(spec, DenseSpec)
    widths = [row.c_out if dense else row.c_mid for row in rows]
    changes = sum(a != b for a, b in pairwise([spec.stem.width, *widths]))
    title = f"{entry.name}: {changes} of {len(rows)} units change the width"
    figure = Figure(figsize=(8.4, 4.8), dpi=130, layout="constrained")
    axes = figure.subplots()
    if not dense and isinstance(spec.widths, Additive | Multiplicative):
        _ways_to(axes, spec, widths)
        title += f"; in a ResNet, {len(spec.depths) - 1}"
    else:
        axes.plot(widths, label="widths", color=BLUE, linewidth=2.4, drawstyle="steps-mid")
    _mark_stages(axes, spec)
    inner = not dense and spec.expansion > 1
    finish(
        axes,
        title=title,
        unit=f"{'inner ' if inner else ''}width of the unit, in channels",
        x="index of the unit",
    )
    axes.set_ylim(0, 1.12 * max(widths))
    save(figure, path)


# What stands at a line, how far along it, how many points beside it, and which corner there.
LABELS = {
    "additive": ("additive: {step:+.2f} a unit", 0.45, (-8, 6), ("right", "bottom")),
    "multiplicative": ("multiplicative: ×{factor:.3f} a unit", 0.7, (10, -12), ("left", "top")),
    "steps": ("ResNet: steps where the size halves", 1, (0, 7), ("right", "bottom")),
}


def _ways_to(axes: Axes, spec: ResidualSpec, widths: list[int]) -> None:
    """A pyramid's widths and those of the other rules with its ends, each with its name on it."""
    n, start, end = len(widths), spec.stem.width, widths[-1]
    step, factor, last = (end - start) / n, (end / start) ** (1 / n), len(spec.depths) - 1
    stages = [stage for stage, depth in enumerate(spec.depths) for _ in range(depth)]
    ways = {
        "additive": [start + step * (index + 1) for index in range(n)],
        "multiplicative": [start * factor ** (index + 1) for index in range(n)],
        "steps": [start * (end / start) ** (stage / last) for stage in stages],
    }
    ways[spec.widths.kind] = list(map(float, widths))
    for (way, values), colour in zip(ways.items(), (BLUE, ORANGE, GREEN), strict=True):
        own = way == spec.widths.kind
        label, at, offset, (ha, va) = LABELS[way]
        axes.plot(
            values,
            label=way,
            color=colour,
            linewidth=3 if own else 1.5,
            zorder=3 if own else 2,
            drawstyle="steps-mid" if way == "steps" else "default",
        )
        place = round(at * (n - 1))
        axes.annotate(
            label.format(step=step, factor=factor),
            (place, values[place]),
            xytext=offset,
            textcoords="offset points",
            color=colour,
            weight="bold" if own else "normal",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            ha=ha,
            va=va,
        )


def _mark_stages(axes: Axes, spec: Spec) -> None:
    """Where the size halves, and what it is between."""
    side = spec.image_size // (4 if spec.stem.kind == "imagenet" else 1)
    for _, stage in groupby(plan(spec), key=lambda row: row.stage):
        indices = [row.index for row in stage]
        if indices[0]:
            axes.axvline(indices[0] - 0.5, color="0.6", linestyle=":", linewidth=1)
        axes.annotate(
            f"{side}×{side}",
            (sum(indices) / len(indices), 0.02),
            xycoords=axes.get_xaxis_transform(),
            color="0.4",
            ha="center",
        )
        side = -(-side // 2)
