"""Differences: what is said of other people's nets leads to a net that can be imported."""

import contextlib

import pytest

from residua import UsageError
from residua.arch import names
from residua.interop.differences import DIFFERENCES, why_not
from residua.interop.layouts import LAYOUTS, PROJECTS


def legal(pattern: str) -> str:
    """Return a legal name of a pattern."""
    for depth in ("20", "29", "40", "50", "121"):
        name = pattern.replace("D", depth).replace("L", depth).replace("K", "12")
        with contextlib.suppress(UsageError):
            names.spec(name)
            return name
    raise AssertionError(pattern)


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_different_net_is_held_by_no_layout(row: tuple[str, str, str]):
    """The project is known, the pattern has a legal name, and the layouts leave it out."""
    project, pattern, _ = row
    name = legal(pattern)
    assert project in PROJECTS
    held = [one for one in LAYOUTS if one.project == project and one.holds(name)]
    assert [] == held


@pytest.mark.parametrize(
    "row", [row for row in DIFFERENCES if "{net}" in row[2]], ids=lambda row: f"{row[0]} {row[1]}"
)
def test_the_name_that_is_offered_instead_can_be_imported(row: tuple[str, str, str]):
    """What stands behind the colon is a net that the same project's layouts hold."""
    project, pattern, _ = row
    offered = (why_not(project, legal(pattern)) or "").rpartition(": ")[2]
    if offered == "imagenet/resnet-50+cifar-stem":  # whose own difference leads further
        offered = (why_not(project, offered) or "").rpartition(": ")[2]
    assert any(one.holds(offered) for one in LAYOUTS if one.project == project), offered


def test_nothing_is_said_where_nothing_is_known():
    """Other names and other projects have no such text."""
    assert why_not("akamaster", "cifar/preresnet-20") is None
    assert why_not("auto", "cifar/resnet-20") is None
