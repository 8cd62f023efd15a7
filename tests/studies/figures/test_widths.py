"""Profiles of widths: the net's own, and the other rules beside a pyramid's."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residua.arch.names import entry
from residua.arch.plan import plan
from residua.studies.figures.widths import width_profile


def texts(axes: Axes) -> list[str]:
    """Return what is written into a panel."""
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("name", "own"),
    [("cifar/pyramidnet-110-a48", "additive"), ("cifar/pyramidnet-110-m4", "multiplicative")],
)
def test_a_pyramid_is_drawn_beside_the_other_rules(
    tmp_path: Path, drawn: list[Figure], lines: Callable, name: str, own: str
):
    """Its own widths, a line, a curve and a ResNet's steps: all end at its last width, 64."""
    width_profile(entry(name), tmp_path / "widths.png")
    (axes,) = drawn[0].axes
    found = {way: y for way, (x, y) in lines(axes).items() if len(x) == 54}
    assert ["additive", "multiplicative", "steps"] == list(found)
    widths = [row.c_mid for row in plan(entry(name).spec)]
    assert widths == found[own]
    assert [16] * 18 + [32] * 18 + [64] * 18 == pytest.approx(found["steps"])
    assert [64] * 3 == pytest.approx([y[-1] for y in found.values()])
    line = [16 + 48 / 54 * unit for unit in range(1, 55)]
    curve = [16 * 4 ** (unit / 54) for unit in range(1, 55)]
    assert line == pytest.approx(found["additive"], abs=0.51)
    assert curve == pytest.approx(found["multiplicative"], abs=0.51)


def test_the_profile_says_what_is_to_be_seen(tmp_path: Path, drawn: list[Figure]):
    """The title has the finding, each line its name, the axes their units."""
    width_profile(entry("cifar/pyramidnet-110-a48"), tmp_path / "widths.png")
    (axes,) = drawn[0].axes
    expected = "cifar/pyramidnet-110-a48: 48 of 54 units change the width; in a ResNet, 2"
    assert expected == axes.get_title()
    assert ("index of the unit", "width of the unit, in channels") == (
        axes.get_xlabel(),
        axes.get_ylabel(),
    )
    assert [
        *("additive: +0.89 a unit", "multiplicative: ×1.026 a unit"),
        *("ResNet: steps where the size halves", "32×32", "16×16", "8×8"),
    ] == texts(axes)
    assert 0 == axes.get_ylim()[0]


@pytest.mark.parametrize(
    ("name", "title", "label", "sides"),
    [
        ("cifar/resnet-20", "2 of 9 units", "width of", ["32×32", "16×16", "8×8"]),
        ("imagenet/resnet-50", "3 of 16 units", "inner", ["56×56", "28×28", "14×14", "7×7"]),
        ("cifar/densenet-bc-22-4", "11 of 11 units", "width of", ["32×32", "16×16", "8×8"]),
    ],
)
def test_other_nets_are_drawn_alone(
    tmp_path: Path,
    drawn: list[Figure],
    lines: Callable,
    name: str,
    title: str,
    label: str,
    sides: list[str],
):
    """One line: what a unit works with, or what a dense layer leaves."""
    width_profile(entry(name), tmp_path / "widths.svg")
    (axes,) = drawn[0].axes
    assert f"{name}: {title} change the width" == axes.get_title()
    assert axes.get_ylabel().startswith(label)
    assert sides == texts(axes)
    rows = plan(entry(name).spec)
    expected = [row.c_out if "dense" in name else row.c_mid for row in rows]
    assert expected == lines(axes)["widths"][1]
    assert (tmp_path / "widths.svg").read_bytes().startswith(b"<?xml")
