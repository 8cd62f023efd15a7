"""The post's 22 %, as a finding: exact, at any budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from residua.studies.named.bottleneck import EXPERIMENT


def test_where_it_holds_and_where_not(made_up: Callable[..., Any]):
    """At 64 input channels without a projection, not with one, and not for Fig. 5's 256."""
    found = EXPERIMENT.analyse(made_up(EXPERIMENT.runs, {}, budget="smoke"))
    (claim,) = found.claims
    assert "refuted" == claim.verdict
    assert "1 to 256, the branch alone has so many fewer at 61 to 72" in claim.reason
    assert "256 channels has 5.6 % fewer" in claim.reason
    rows = {row[0]: row[1:] for row in found.tables[0].rows}
    assert (73_728, 57_344, 16_384, -22.2, 0.0) == rows[64]
    assert (73_728, 69_632, 0, -5.6, -5.6) == rows[256]
