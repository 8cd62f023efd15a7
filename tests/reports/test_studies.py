"""The page of a study."""

from dataclasses import replace

import pytest

from residua.reports import studies
from residua.studies.findings import Paper
from residua.studies.stats import summarise

from .test_reporting import STUDY


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("5.33", 5.33),
        ("3.73 ± 0.04", 3.73),
        ("6.43 (mean 6.61 ± 0.16)", 6.61),
        ("5.33 against 5.59", None),
        ("about 22 %", None),
    ],
)
def test_a_printed_error_is_read(
    monkeypatch: pytest.MonkeyPatch, printed: str, expected: float | None
):
    """Of the best of some runs beside their mean, the mean: it is what ours is compared with."""
    drawn = []
    monkeypatch.setattr(studies, "intervals", lambda rows, **_: drawn.extend(rows) or "")
    claim = replace(
        STUDY.claims[0],
        paper=Paper(value=printed, where="somewhere"),
        ours={"wrn-10-1": summarise([8.5])},
    )
    run = replace(STUDY.runs[0], net="cifar/wrn-10-1")
    studies.page(replace(STUDY, claims=(claim,), runs=(run,)), {})
    assert [expected] == [row[3] for row in drawn]
