"""Signals on made-up gradients: which claim falls when they vanish, and which when they explode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from residua.studies.measures.signal import Layer, Signal, Unit
from residua.studies.named import signal


def signals(first: float, last: float) -> dict[int, Signal]:
    """Three seeds of a net of two units, with gradients at their outputs."""
    return {
        seed: Signal(
            loss=2.3,
            layers=tuple(
                Layer(name=name, gradient=10 * gradient, response=0.5)
                for name, gradient in (("stem.conv1", first), ("units.0.branch.conv1", last))
            ),
            units=tuple(
                Unit(std=1.0, gradient=gradient * (1 + seed / 50), shrunk=0.0)
                for gradient in (first, last * (1 + seed / 50))
            ),
        )
        for seed in range(3)
    }


@pytest.mark.parametrize(
    ("first", "vanish", "explode"),
    [
        (1.0, "confirmed", "confirmed"),
        (0.001, "refuted", "confirmed"),
        (1000.0, "confirmed", "refuted"),
    ],
)
def test_vanishing_and_exploding(
    made_up: Callable[..., Any], first: float, vanish: str, explode: str
):
    """Within a decade both are denied; beyond it one of them is found."""
    evidence = made_up(signal.EXPERIMENT.runs, {})
    moments = {moment: signals(first, 1.0) for moment in signal.MOMENTS}
    claims = signal._healthy(evidence, {"plain-56": moments})
    assert [*[vanish, explode] * 2, *["undecided"] * 4] == [claim.verdict for claim in claims]
    assert ["no seed has finished on both sides"] * 4 == [claim.reason for claim in claims[4:]]
    assert claims[1].statement == (
        "In plain-56, new, gradients do not explode: at the first unit they are less than ten "
        "times the last's."
    )


def test_the_figure_has_the_three_moments(made_up: Callable[..., Any]):
    """Its title says how gradients of new nets change on their way back."""
    evidence = made_up(signal.EXPERIMENT.runs, {})
    moments = {moment: signals(100.0, 1.0) for moment in signal.MOMENTS}
    figure = signal._gradients(evidence, {"plain-56": moments})
    assert figure.title.startswith(
        "Gradients of new nets with BN, from the last convolution to the first: ×100 in plain-56"
    )
    assert list(signal.MOMENTS) == [panel["title"] for panel in figure.data["panels"]]
    assert [1000.0, 10.0] == figure.data["panels"][1]["lines"][0]["y"]
    responses = signal._responses(evidence, {"plain-56": moments})
    assert responses.title.endswith("mean standard deviation: 0.50 in plain-56")
    assert [0.5, 0.5] == responses.data["panels"][2]["lines"][0]["y"]


def test_a_seed_that_is_missing_decides_nothing(made_up: Callable[..., Any]):
    """Three of four nets are healthy: who knows of the fourth."""
    evidence = made_up(signal.EXPERIMENT.runs, {}, seeds=4)
    moments = {moment: signals(1.0, 1.0) for moment in signal.MOMENTS}
    claim, *_ = signal._healthy(evidence, {"plain-56": moments})
    assert "undecided" == claim.verdict
    assert claim.reason.endswith("; 1 of 4 runs are missing")


def test_one_exact_example_refutes_the_post():
    """Whatever was measured, and also where nothing was."""
    (claim,) = signal._at_least_one({})
    assert "refuted" == claim.verdict
    assert "H'(1) = 0" in claim.reason
    assert {} == claim.ours
