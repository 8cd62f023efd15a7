"""The rule on made-up numbers: on which side of the margin the interval lies, and with what n."""

from collections.abc import Callable
from typing import Any

import pytest

from residua.studies.named import degradation
from residua.studies.verdicts import Lower, judge, verdict


@pytest.mark.parametrize(
    ("differences", "margin", "expected"),
    [
        ((-2.0, -2.1, -1.9), 0.0, "confirmed"),
        ((2.0, 2.1, 1.9), 0.0, "refuted"),
        ((-2.0, 2.0, 0.1), 0.0, "undecided"),
        ((0.2, 0.3, 0.25), 0.5, "confirmed"),
        ((0.2, 0.3, 0.25), 0.0, "refuted"),
        ((-2.0, -2.1), 0.0, "undecided"),  # two seeds agree by chance
        ((-2.0,), 0.0, "undecided"),
        ((), 0.0, "undecided"),
    ],
)
def test_the_interval_decides(differences: tuple[float, ...], margin: float, expected: str):
    """Wholly below the margin, wholly above it, around it, or of too few seeds."""
    reached, _ = verdict(differences, decides=True, margin=margin)
    assert expected == reached


def test_a_budget_that_decides_nothing_says_so():
    """However clear the numbers are."""
    reached, reason = verdict((-2.0, -2.1, -1.9), decides=False)
    assert "undecided" == reached
    assert reason.endswith("; this budget decides nothing")


def test_the_reason_has_the_numbers():
    """Mean, unit, n, and Student's interval: half its width is 4.303 · 0.1 / √3."""
    _, reason = verdict((-2.0, -2.1, -1.9), decides=True, unit="seconds")
    expected = "mean -2 seconds, n = 3, 95% interval -2.25 to -1.75, margin +0"
    assert expected == reason


def test_what_is_lacking_is_told():
    """Seeds, or any run at all."""
    assert "no seed has finished on both sides" == verdict((), decides=True)[1]
    assert verdict((1.0,), decides=True)[1].endswith("n = 1; 3 seeds are needed")


PLAIN = [(30.0, 35.0), (31.0, 36.0), (30.5, 35.5)]
RESIDUAL = [(20.0, 25.1), (21.0, 26.0), (20.5, 25.4)]
CLEAR = Lower(statement="It is.", label="resnet-20", than="plain-20")


def test_all_seeds_that_were_asked_for_are_needed(made_up: Callable[..., Any]):
    """What one of four runs lacks, the other three do not decide."""
    errors = {"plain-20": [*PLAIN, (30.2, 35.2)], "resnet-20": RESIDUAL}
    runs = degradation.EXPERIMENT.runs
    whole = judge(made_up(runs, errors, seeds=3), CLEAR)
    half = judge(made_up(runs, errors, seeds=4), CLEAR)
    assert ["confirmed", "undecided"] == [whole.verdict, half.verdict]
    assert half.reason.endswith("; 1 of 8 runs are missing")


def test_times_are_compared_on_one_device(made_up: Callable[..., Any]):
    """Another device, or another number of threads, makes another time; errors compare."""
    time = Lower(statement="It is.", label="resnet-20", than="plain-20", metric="train_seconds")
    errors = {"plain-20": PLAIN, "resnet-20": RESIDUAL}
    evidence = made_up(degradation.EXPERIMENT.runs, errors, devices={"plain-20": "a GPU"})
    found = judge(evidence, time)
    expected = ("undecided", "trained on different devices: a GPU; none")
    assert expected == (found.verdict, found.reason)
    assert ["resnet-20, training seconds", "plain-20, training seconds"] == list(found.ours)
    assert "confirmed" == judge(evidence, CLEAR).verdict
    same = judge(made_up(degradation.EXPERIMENT.runs, errors), time)
    assert "different" not in same.reason
