"""Statistics over seeds against the standard library's and printed tables."""

import statistics

import pytest

from residua.studies.stats import (
    over_seeds,
    paired,
    reproduces,
    student_quantile,
    student_share,
    summarise,
)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)]
)
def test_students_quantiles_are_the_printed_ones(freedom: int, quantile: float):
    """Of 0.975, as any table of the distribution has them."""
    assert quantile == pytest.approx(student_quantile(0.975, freedom=freedom), abs=5e-4)


def test_a_summary_of_five():
    """Mean, deviation with n - 1, and the mean's interval."""
    values = [6.43, 6.75, 6.61, 6.52, 6.74]
    found = summarise(values)
    sd = statistics.stdev(values)
    half = 2.7764 * sd / 5**0.5
    assert (5, pytest.approx(6.61), pytest.approx(sd)) == (found.n, found.mean, found.sd)
    assert (pytest.approx(6.61 - half, abs=1e-4), pytest.approx(6.61 + half, abs=1e-4)) == (
        found.interval
    )


def test_one_value_has_no_spread():
    """Nothing is said about what cannot be known."""
    found = summarise([8.75])
    assert (1, 8.75, None, None) == (found.n, found.mean, found.sd, found.interval)


def test_records_are_summarised_error_by_error():
    """An error that a record lacks is left out."""
    records = [
        {"test_error": 8.0, "test_error_tta": 7.0, "val_error": None},
        {"test_error": 9.0, "test_error_tta": 8.0, "val_error": 8.5},
    ]
    found = over_seeds(records)
    assert ["test_error", "test_error_tta", "records"] == list(found)
    assert (8.5, 7.5) == (found["test_error"]["mean"], found["test_error_tta"]["mean"])
    assert records == found["records"]


ONE = {0: 6.43, 1: 6.75, 2: 6.61, 3: 6.52, 4: 6.74}
OTHER = {0: 6.97, 1: 7.02, 2: 6.90, 3: 7.10, 4: 6.88, 7: 1.0}


def test_the_paired_test_is_scipys():
    """Over the seeds that both have, in whatever order."""
    scipy = pytest.importorskip("scipy.stats", reason="comes with scikit-learn")
    seeds = sorted(ONE)
    theirs = scipy.ttest_rel([ONE[s] for s in seeds], [OTHER[s] for s in seeds])
    found = paired(dict(reversed(ONE.items())), OTHER)
    interval = theirs.confidence_interval(0.95)
    assert 5 == found.difference.n
    assert (theirs.statistic, theirs.pvalue) == pytest.approx((found.t, found.p), rel=1e-9)
    assert (interval.low, interval.high) == pytest.approx(found.difference.interval, rel=1e-7)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("t", [-12.0, -1.5, 0.0, 0.3, 2.0, 9.0])
def test_students_distribution_is_scipys(t: float, freedom: int):
    """On both sides of zero, for odd and even degrees of freedom."""
    scipy = pytest.importorskip("scipy.stats", reason="comes with scikit-learn")
    expected = scipy.t.cdf(t, freedom)
    assert expected == pytest.approx(student_share(t, freedom=freedom), abs=1e-12)


def test_equal_differences_have_no_p():
    """A deviation of zero says nothing of chance; one seed has none at all."""
    same = paired({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0})
    assert (1.0, None, None) == (same.difference.mean, same.t, same.p)
    assert (1, None) == (paired({0: 2.0}, {0: 1.0}).difference.n, paired({0: 2.0}, {0: 1.0}).p)


@pytest.mark.parametrize(
    ("values", "printed", "sd", "expected"),
    [
        ([8.6, 8.8, 8.9], 8.75, None, True),  # inside the interval, 8.39 to 9.15
        ([8.6, 8.8, 8.9], 9.50, None, True),  # ours is better
        ([8.6, 8.8, 8.9], 8.30, None, False),  # ours is worse
        ([8.6, 8.8, 8.9], 8.30, 0.16, True),  # but not by more than the paper's own deviation
        ([8.6, 8.8], 8.75, None, None),  # too few
        ([8.6, 9.6, 10.6], 8.75, None, None),  # too wide, 7.12 to 12.08: worse errors lie in it too
        ([8.75], 8.75, 0.5, None),
    ],
)
def test_when_a_printed_error_is_reproduced(
    values: list[float],
    printed: float,
    sd: float | None,
    expected: bool | None,  # noqa: FBT001 - a parameter
):
    """Inside our interval widened by their deviation, or above it; never in a wide one."""
    assert expected is reproduces(summarise(values), printed=printed, printed_sd=sd)
