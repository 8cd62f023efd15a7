"""Degradation on made-up errors: which verdict follows, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from residua.studies.named import degradation

Errors = dict[str, list[tuple[float, float]]]


def spread(train: float, test: float) -> list[tuple[float, float]]:
    """Three seeds around two errors."""
    return [(train + off, test + off) for off in (-0.1, 0.0, 0.1)]


# Training and test errors as the paper has them: the plain nets' rise, the residual ones' fall.
AS_PRINTED: Errors = {
    **{f"plain-{d}": spread(30 + d / 10, 35 + d / 10) for d in (20, 32, 44, 56)},
    **{f"resnet-{d}": spread(30 - d / 10, 35 - d / 10) for d in (20, 32, 44, 56)},
}
RISING: Errors = {**AS_PRINTED, "resnet-56": spread(40, 45)}
FEW_SEEDS: Errors = {label: seeds[:2] for label, seeds in AS_PRINTED.items()}
WITHOUT: Errors = {label: seeds for label, seeds in AS_PRINTED.items() if label != "plain-56"}


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (AS_PRINTED, ["confirmed", "confirmed", "confirmed"]),
        (RISING, ["confirmed", "refuted", "refuted"]),
        (FEW_SEEDS, ["undecided", "undecided", "undecided"]),
        (WITHOUT, ["undecided", "confirmed", "confirmed"]),
    ],
)
def test_verdicts(made_up: Callable[..., Any], errors: Errors, expected: list[str]):
    """By the rule, whichever way the numbers fall, and undecided where they are too few."""
    evidence = made_up(degradation.EXPERIMENT.runs, errors)
    found = degradation.EXPERIMENT.analyse(evidence)
    assert expected == [claim.verdict for claim in found.claims]


def test_the_figure_has_the_curves(made_up: Callable[..., Any]):
    """Two panels; for each depth a dashed line of training, a solid one of validation errors."""
    evidence = made_up(degradation.EXPERIMENT.runs, AS_PRINTED)
    (figure,) = degradation.EXPERIMENT.analyse(evidence).figures
    assert figure.title == (
        "56 layers instead of 20: training error +3.6 points in plain nets, -3.6 points in "
        "residual ones"
    )
    plain, residual = figure.data["panels"]
    assert ["plain nets", "residual nets"] == [plain["title"], residual["title"]]
    solid = [line for line in plain["lines"] if line["label"]]
    dashed = [line for line in plain["lines"] if not line["label"]]
    assert [f"{depth} layers" for depth in (20, 32, 44, 56)] == [line["label"] for line in solid]
    assert [57.0, 37.0] == pytest.approx(solid[0]["y"])
    assert [52.0, 32.0] == pytest.approx(dashed[0]["y"])
    assert {"dashed"} == {line["style"] for line in dashed}
    assert [line["colour"] for line in dashed] == [line["colour"] for line in solid]


def test_the_table_has_what_is_printed(made_up: Callable[..., Any]):
    """Table 6's errors stand beside ours; of plain nets it prints none."""
    evidence = made_up(degradation.EXPERIMENT.runs, AS_PRINTED)
    (table,) = degradation.EXPERIMENT.analyse(evidence).tables
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    resnet, plain = rows["resnet-20"], rows["plain-20"]
    assert (269_722, 33.0, 0.1, 3) == tuple(
        resnet[key] for key in ("parameters", "test error, %", "± sd", "n")
    )
    assert ("8.75", "he2015 Table 6") == (resnet["printed error, %"], resnet["where"])
    assert plain["printed error, %"] is None
