"""Nets as tables, and the documents behind them."""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from residua.arch import papers
from residua.arch.names import entry
from residua.arch.plan import plan
from residua.tables.nets import description, print_listing, print_plan

UNIT_KEYS = ["index", "stage", "c_in", "c_mid", "c_out", "stride", "shortcut", "survival"]


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("cifar/resnet-110", (110, 1_727_962, 1_719_866, 252_887_680, 64)),
        ("cifar/pyramidnet-110-a48", (110, 1_772_706, 1_759_538, 403_813_504, 64)),
        ("cifar/densenet-bc-100-12", (100, 769_162, 745_174, 287_929_692, 342)),
    ],
)
def test_a_description_has_the_nets_figures(name: str, figures: tuple[int, ...]):
    """Depth, parameters with and without BN, multiply-adds and features, and JSON can hold it."""
    found = description(entry(name))
    assert (name, *figures) == tuple(found.values())[:-1]
    keys = ["name", "depth", "params", "params_no_bn", "macs", "out_features", "units"]
    assert keys == list(found)
    assert found == json.loads(json.dumps(found))


@pytest.mark.parametrize("name", ["cifar/pyramidnet-20-a24", "cifar/sd-resnet-20"])
def test_a_description_has_the_plan(name: str):
    """A dictionary per unit, with the plan's values in the contract's order."""
    units = description(entry(name))["units"]
    rows = plan(entry(name).spec)
    assert len(rows) == len(units)
    for row, unit in zip(rows, units, strict=True):
        assert UNIT_KEYS == list(unit)
        assert [getattr(row, key) for key in UNIT_KEYS] == list(unit.values())


def test_equal_units_of_a_plan_share_a_line(printed: Callable[..., list[str]]):
    """ResNet-20: three stages, of which two begin with a unit of their own kind."""
    title, heading, *rows = printed(print_plan, entry("cifar/resnet-20"))
    assert "cifar/resnet-20  depth 20, 269,722 parameters, 40.6 M multiply-adds at 32×32" == title
    assert ["unit", "stage", "in", "mid", "out", "stride", "shortcut"] == heading.split()
    expected = [
        "0-2 1 16 16 16 1 identity",
        "3 2 16 32 32 2 pad",
        "4-5 2 32 32 32 1 identity",
        "6 3 32 64 64 2 pad",
        "7-8 3 64 64 64 1 identity",
    ]
    assert expected == [" ".join(row.split()) for row in rows]


def test_a_plan_with_stochastic_depth_shows_survival(printed: Callable[..., list[str]]):
    """Equal units with falling survival share a line that has the first and the last."""
    _, heading, *rows = printed(print_plan, entry("cifar/sd-resnet-20"))
    assert "survival" == heading.split()[-1]
    survival = [row.split()[-1] for row in rows]
    assert ["0.944-0.833", "0.778", "0.722-0.667", "0.611", "0.556-0.500"] == survival


def test_a_long_plan_is_folded_by_stage(printed: Callable[..., list[str]]):
    """Where every unit widens, those of a stage share a line with the widths of its ends."""
    _, heading, *rows, note = printed(print_plan, entry("cifar/pyramidnet-110-a48"))
    assert ["unit", "stage", "in", "mid", "out", "stride", "shortcut"] == heading.split()
    expected = [
        "0-17 1 16 to 31 17 to 32 17 to 32 1 pad, identity",
        "18 2 32 33 33 2 pad",
        "19-35 2 33 to 47 34 to 48 34 to 48 1 pad, identity",
        "36 3 48 49 49 2 pad",
        "37-53 3 49 to 63 50 to 64 50 to 64 1 pad, identity",
    ]
    assert expected == [" ".join(row.split()) for row in rows]
    assert "Widths grow along a line: --all shows every unit." == note


def test_every_unit_of_a_plan_has_its_line(printed: Callable[..., list[str]]):
    """When asked for, equal ones too."""
    _, _, *rows = printed(print_plan, entry("cifar/resnet-20"), every=True)
    assert [str(index) for index in range(9)] == [row.split()[0] for row in rows]


def test_a_long_name_stands_on_its_own_line(printed: Callable[..., list[str]]):
    """Where name and figures do not fit beside one another."""
    name = "cifar/pyramidnet-272-a200-bottleneck"
    first, second, *_ = printed(print_plan, entry(name), width=80)
    assert name == first
    assert second.startswith("depth 272, 26,210,842 parameters, ")


@pytest.fixture(scope="module")
def listing() -> list[dict[str, Any]]:
    """All rows of ``residua list``."""
    return papers.listing()


@pytest.mark.parametrize("width", [80, 160])
def test_the_listing_shows_every_net_and_figure(
    printed: Callable[..., list[str]], listing: list[dict[str, Any]], width: int
):
    """All names, counts and printed errors, none of them cut off however narrow the terminal."""
    lines = printed(print_listing, listing, width=width)
    for row in listing:
        (line,) = [line for line in lines if row["name"] == line.partition(" ")[0]]
        assert f"{row['params']:,}" in line.split()
        for fact in papers.facts(row["name"]):
            assert fact.error is None or any(fact.error in line for line in lines)
    assert not [line for line in lines if "…" in line]
    assert max(map(len, lines)) <= width


def test_the_listing_has_a_block_per_family(
    printed: Callable[..., list[str]], listing: list[dict[str, Any]]
):
    """Each block stands under its family's name, in the order of the names."""
    lines = printed(print_listing, listing, width=160)
    found = [line for line in lines if line and " " not in line]
    assert [family for family, _ in groupby(entry(r["name"]).family for r in listing)] == found


def test_a_listed_net_shows_the_printed_errors(
    printed: Callable[..., list[str]], listing: list[dict[str, Any]]
):
    """PyramidNet-272: 3.31 % on CIFAR-10, 16.35 % on CIFAR-100, as printed."""
    name = "cifar/pyramidnet-272-a200-bottleneck"
    rows = [row for row in listing if row["name"] == name]
    rows[0] = rows[0] | {"facts": [{"where": "han2017 [sic]"}]}
    lines = printed(print_listing, rows, width=160)
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert line.endswith("han2017 [sic]")
    cells = line.split()
    assert "26,210,842" == cells[1]
    assert cells.index("3.31") < cells.index("16.35")
