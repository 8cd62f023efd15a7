"""A unit as the papers draw it: its layers downwards, the carried signal to their right.

Everything is read from the layers that building and counting read, so that no picture can show
another unit than the one that is built.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from residua.arch import layers
from residua.arch.layers import Layer
from residua.arch.names import Entry
from residua.arch.plan import Unit, plan
from residua.arch.spec import Gate, Scale, Spec
from residua.drawings import svg
from residua.drawings.svg import Drawing
from residua.errors import UsageError

BOX, HIGH, GAP = 136.0, 24.0, 13.0
TOP, SIDE = 12.0, 12.0  # of the first words, and around all
RADIUS = 9.0
BRANCH = SIDE + BOX / 2
BESIDE, BARE = BRANCH + BOX + 18, BRANCH + BOX / 2 + 20  # the carried path, with boxes and without


@dataclass(frozen=True, slots=True)
class Box:
    """What a box says, and its hue."""

    words: str
    hue: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The boxes of a unit, and where its two signals meet; None where there is one signal only."""

    shared: tuple[Box, ...]
    branch: tuple[Box, ...]
    carry: tuple[Box, ...]
    after: tuple[Box, ...]
    meet: str | None


def unit(entry: Entry, index: int) -> Drawing:
    """One unit of a net.

    Args:
        entry: The net.
        index: The unit's row in the plan, from 0.

    Raises:
        UsageError: The net has no such unit.
    """
    rows = plan(entry.spec)
    if not 0 <= index < len(rows):
        raise UsageError(f"{entry.name} has no unit {index}: they are 0 to {len(rows) - 1}")
    row = rows[index]
    parts = boxes(entry.spec, row)
    shapes: list[str] = []
    y = _head(shapes, f"{row.c_in} channels")
    y = _chain(shapes, BRANCH, y, parts.shared)
    y = _paths(shapes, y, parts)
    y = _chain(shapes, BRANCH, y, parts.after)
    shapes.append(svg.line((BRANCH, y), (BRANCH, y + GAP), arrow=True))
    y += GAP + TOP
    shapes.append(svg.text(BRANCH, y, f"{row.c_out} channels", quiet=True))
    right = BRANCH + BOX / 2
    if parts.meet:
        right = BESIDE + BOX / 2 if parts.carry else BARE
    return Drawing(
        width=right + SIDE,
        height=y + TOP,
        title=f"unit {index} of {entry.name}: {_in_words(parts)}",
        shapes=tuple(shapes),
    )


def boxes(spec: Spec, row: Unit) -> Parts:
    """What a unit's picture says."""
    made = layers.unit(spec, row)
    carry, branch = [*_all(made.carry)], [*_all(made.branch)]
    if row.survival < 1:
        branch.append(Box(f"survives: {row.survival:.3f}", "dropout"))
    if spec.kind == "residual":
        kind = spec.shortcut.carry
        if isinstance(kind, Scale):
            carry.append(Box(f"× {kind.carry:g}", "other"))
            branch.append(Box(f"× {kind.branch:g}", "other"))
        if isinstance(kind, Gate):
            carry += [Box("g = σ(1×1 conv)", "conv"), Box("× (1 − g)", "other")]
            if kind.exclusive:
                branch.append(Box("× g", "other"))
    meet = {"none": None, "transition": None, "concat": "concat"}.get(row.shortcut, "add")
    return Parts(_all(made.shared), tuple(branch), tuple(carry), _all(made.after), meet)


def _all(parts: tuple[Layer, ...]) -> tuple[Box, ...]:
    return tuple(itertools.chain.from_iterable(map(_boxes, parts)))


def _boxes(layer: Layer) -> tuple[Box, ...]:
    """A box a layer; zero-padding that halves the size as well takes two."""
    half = ", /2" if layer.stride > 1 else ""
    side = f"{layer.kernel}×{layer.kernel}"
    if layer.kind == "conv":
        return (Box(f"{side} conv, {layer.c_out}{half}", "conv"),)
    if layer.kind == "dropout":
        return (Box(f"dropout {layer.rate:g}", "dropout"),)
    if layer.kind == "average_pool":
        return (Box(f"{side} mean{half}", "other"),)
    if layer.kind == "pad":
        shrink = f"{side} mean{half}" if layer.kernel > 1 else "every 2nd pixel"
        halved = (Box(shrink, "other"),) if half else ()
        return (*halved, Box(f"zeros to {layer.c_out}", "other"))
    return (Box({"norm": "BN", "relu": "ReLU"}[layer.kind], layer.kind),)


def _head(shapes: list[str], words: str) -> float:
    shapes.append(svg.text(BRANCH, TOP, words, quiet=True))
    return TOP + 10


def _chain(shapes: list[str], x: float, y: float, chain: tuple[Box, ...]) -> float:
    """Boxes below each other, an arrow into each; the height that is reached."""
    for part in chain:
        shapes.append(svg.line((x, y), (x, y + GAP), arrow=True))
        y += GAP
        shapes.append(svg.box(x, y, part.words, size=(BOX, HIGH), hue=part.hue))
        y += HIGH
    return y


def _paths(shapes: list[str], y: float, parts: Parts) -> float:
    """Branch and carried signal from where they part to where they meet."""
    if parts.meet is None:
        return _chain(shapes, BRANCH, y, parts.branch)
    split, aside = y + GAP / 2, BESIDE if parts.carry else BARE
    shapes += [svg.line((BRANCH, y), (BRANCH, split)), svg.dot(BRANCH, split)]
    shapes.append(svg.line((BRANCH, split), (aside, split)))
    down = _chain(shapes, BRANCH, split, parts.branch)
    carried = _chain(shapes, aside, split, parts.carry)
    middle = max(down + GAP + RADIUS, carried + GAP / 2)
    half = RADIUS if parts.meet == "add" else BOX / 4
    shapes += [
        svg.line((BRANCH, down), (BRANCH, middle - RADIUS), arrow=True),
        svg.line((aside, carried), (aside, middle), (BRANCH + half, middle), arrow=True),
    ]
    if parts.meet == "add":
        shapes.append(svg.plus(BRANCH, middle, radius=RADIUS))
    else:
        where = (BRANCH, middle - RADIUS)
        shapes.append(svg.box(*where, "concat", size=(BOX / 2, 2 * RADIUS), hue="other"))
    return middle + RADIUS


def _in_words(parts: Parts) -> str:
    """What the picture shows, for those who do not see it."""

    def said(chain: tuple[Box, ...]) -> str:
        return " - ".join(part.words for part in chain) or "nothing"

    ways = said(parts.branch)
    if parts.meet:
        how = "added to" if parts.meet == "add" else "concatenated with"
        carried = said(parts.carry) if parts.carry else "the input as it is"
        ways += f"; {how} {carried}"
    before = f"{said(parts.shared)}, then " if parts.shared else ""
    behind = f"; then {said(parts.after)}" if parts.after else ""
    return f"{before}{ways}{behind}"
