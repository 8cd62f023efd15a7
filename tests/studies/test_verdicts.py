"""The rule on made-up numbers: on which side of the margin the interval lies, and with what n."""

import pytest

from residua.studies.verdicts import verdict


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
