"""What holds of every study on made-up errors; what else they measure is tested apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from residua.studies import budgets
from residua.studies.figures import drawing
from residua.studies.named import EXPERIMENTS
from residua.studies.named.dense import NETS

# These look at trained nets, which no record has.
LOOKING = {"bottleneck", "dense", "lesion", "paths", "signal"}
BY_RECORDS = sorted(EXPERIMENTS.keys() - LOOKING)


def labels(name: str) -> list[str]:
    """The nets of a study at laptop."""
    return list(EXPERIMENTS[name].runs(budgets.get("laptop"), range(1)))


@pytest.mark.parametrize("name", BY_RECORDS)
def test_equal_nets_confirm_nothing(made_up: Callable[..., Any], name: str):
    """Where all err alike but for chance, nothing is found out but what has a margin."""
    errors = {label: [(30.0, 35.0), (31.0, 36.0), (29.5, 34.5)] for label in labels(name)}
    found = EXPERIMENTS[name].analyse(made_up(EXPERIMENTS[name].runs, errors))
    strict = [claim for claim in found.claims if "margin +0.5" not in claim.reason]
    assert {"undecided"} >= {claim.verdict for claim in strict}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_RECORDS)
def test_figures_are_drawn_from_their_data(made_up: Callable[..., Any], tmp_path: Path, name: str):
    """Each figure's data alone is enough, also where a net has not finished."""
    present = labels(name)[:-1]
    errors = {
        label: [(30.0 + at, 35.0 + at), (31.0 + at, 36.0 + at)] for at, label in enumerate(present)
    }
    found = EXPERIMENTS[name].analyse(made_up(EXPERIMENTS[name].runs, errors))
    for figure in found.figures:
        for file in drawing.draw(figure, tmp_path):
            assert file.stat().st_size > 5_000


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_rule_is_written_down(name: str):
    """Every study says by what it decides, after whom, and asks a question."""
    study = EXPERIMENTS[name]
    assert study.question.endswith("?")
    assert study.source
    assert "confirmed" in study.rule


def test_dense_nets_have_their_places():
    """The claims take the first two and the last two nets of each budget."""
    for small, large, *_, compact, residual in NETS.values():
        assert small.startswith("densenet-")
        assert large.startswith("densenet-")
        assert compact.startswith("densenet-bc-")
        assert residual.startswith("resnet-")
