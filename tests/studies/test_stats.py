"""Statistics over seeds against the standard library's and printed tables."""

import statistics

import pytest

from residua.studies.stats import over_seeds, student_quantile, summarise


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
