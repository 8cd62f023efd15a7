"""The widths of a net's units as bars, stage by stage."""

from __future__ import annotations

from residua.arch.names import Entry
from residua.arch.plan import plan
from residua.drawings import svg
from residua.drawings.svg import Drawing

WIDTH, HEIGHT, LEFT, TOP, FOOT = 640.0, 150.0, 42.0, 30.0, 24.0
FILLED = 0.82  # of the room that a bar has


def widths(entry: Entry) -> Drawing:
    """A bar for each unit, as high as its output is wide; an orange one halves the size.

    Source: the figure of widths in han2017.
    """
    rows = plan(entry.spec)
    widest = max(row.c_out for row in rows)
    step = (WIDTH - LEFT) / len(rows)
    foot = TOP + HEIGHT
    shapes = [svg.text(LEFT, 12, entry.name, anchor="start")]
    for row in rows:
        high = HEIGHT * row.c_out / widest
        hue = svg.HUES["relu" if row.stride > 1 else "conv"]
        x, y, width = LEFT + step * row.index, foot - high, FILLED * step
        shapes.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{high:.2f}" fill="{hue}"/>'
        )
    shapes += [
        svg.line((LEFT, foot), (WIDTH, foot)),
        svg.text(LEFT - 6, TOP + 4, f"{widest}", anchor="end", quiet=True),
        svg.text(LEFT - 6, foot, "0", anchor="end", quiet=True),
    ]
    for stage in sorted({row.stage for row in rows}):
        places = [row.index for row in rows if row.stage == stage]
        middle = LEFT + step * (places[0] + places[-1] + FILLED) / 2
        shapes.append(svg.text(middle, foot + 14, f"stage {stage}", quiet=True))
    return Drawing(
        width=WIDTH,
        height=foot + FOOT,
        title=f"widths of the units of {entry.name}: {rows[0].c_out} to {rows[-1].c_out} channels",
        shapes=tuple(shapes),
    )
