"""Verdicts on paths, on made-up gradients by length."""

from __future__ import annotations

import pytest

from residua.studies.measures.paths import Paths
from residua.studies.named import paths as named

# Each length brings so much less, or more, than the one before, with a little noise by seed.
FALLING, RISING = (
    [
        Paths(gradients=tuple(q**k * (1 + seed / 100) for k in range(5)), draws=1)
        for seed in range(3)
    ]
    for q in (0.1, 10.0)
)


@pytest.mark.parametrize(("found", "expected"), [(FALLING, "confirmed"), (RISING, "refuted")])
def test_the_way_gradients_go(found: list[Paths], expected: str):
    """Falling with the length, so that short paths bring most; or neither."""
    claims = named._claims("net", found, decides=True)
    assert [expected, expected] == [claim.verdict for claim in claims]
    assert {"undecided"} == {claim.verdict for claim in named._claims("net", found, decides=False)}


def test_the_mean_length_by_hand():
    """Four units, all paths alike: the mean of the binomial distribution."""
    even = Paths(gradients=(1.0,) * 5, draws=1)
    assert 2.0 == pytest.approx(named._mean_length(even))
    assert [6.25, 25.0, 37.5, 25.0, 6.25] == pytest.approx(named._percent(even))
