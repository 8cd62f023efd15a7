"""Verdicts on paths, on made-up gradients by length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from residua.studies.measures.paths import Paths
from residua.studies.named import paths as named

NET = "preresnet-32"
# Each length brings so much less, or more, than the one before, with a little noise by seed.
FALLING, RISING = (
    {
        seed: Paths(gradients=tuple(q**k * (1 + seed / 100) for k in range(5)), draws=1)
        for seed in range(3)
    }
    for q in (0.1, 10.0)
)


@pytest.mark.parametrize(("found", "expected"), [(FALLING, "confirmed"), (RISING, "refuted")])
def test_the_way_gradients_go(made_up: Callable[..., Any], found: dict[int, Paths], expected: str):
    """Falling with the length, so that short paths bring most; or neither."""
    runs = named.EXPERIMENT.runs
    claims = named._claims(made_up(runs, {}), NET, found)
    assert [expected, expected] == [claim.verdict for claim in claims]
    lacking = named._claims(made_up(runs, {}, seeds=4), NET, found)
    assert {"undecided"} == {each.verdict for each in lacking}
    assert lacking[0].reason.endswith("; 1 of 4 runs are missing")


def test_ours_is_what_is_judged(made_up: Callable[..., Any]):
    """A slope in decades, and a length in units."""
    slope, length = named._claims(made_up(named.EXPERIMENT.runs, {}), NET, FALLING)
    assert [f"{NET}, decades a unit"] == list(slope.ours)
    assert pytest.approx(-1.0) == slope.ours[f"{NET}, decades a unit"].mean
    mean = named._mean_length(FALLING[0])
    assert pytest.approx(mean) == length.ours[f"{NET}, units"].mean
    assert f"mean {mean - 2:+.3g} units" in length.reason


def test_a_net_without_runs_has_its_claims(made_up: Callable[..., Any]):
    """They lack them."""
    claims = named._claims(made_up(named.EXPERIMENT.runs, {}), NET, {})
    assert ["undecided", "undecided"] == [claim.verdict for claim in claims]
    assert [{}, {}] == [claim.ours for claim in claims]


def test_all_lengths_make_the_slope():
    """By hand, for 0, 1 and 2 units: (log g₂ - log g₀) / 2.  What is 0 is 1e-45."""
    assert -1.5 == pytest.approx(named._slope(Paths(gradients=(1.0, 1e-5, 1e-3), draws=1)))
    assert -22.5 == pytest.approx(named._slope(Paths(gradients=(1.0, 1e-5, 0.0), draws=1)))


def test_the_mean_length_by_hand():
    """Four units, all paths alike: the mean of the binomial distribution."""
    even = Paths(gradients=(1.0,) * 5, draws=1)
    assert 2.0 == pytest.approx(named._mean_length(even))
    assert [6.25, 25.0, 37.5, 25.0, 6.25] == pytest.approx(named._percent(even))
