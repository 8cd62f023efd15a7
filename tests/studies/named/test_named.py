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


def test_what_is_shown_is_among_the_runs(made_up: Callable[..., Any]):
    """The frontier looks at other studies' runs too, and names them all."""
    errors = {label: [(30.0, 35.0)] for label in (*labels("frontier"), "resnet-56")}
    found = EXPERIMENTS["frontier"].analyse(made_up(EXPERIMENTS["frontier"].runs, errors, seeds=1))
    shown = {row[0] for row in found.tables[0].rows}
    assert "resnet-56" in shown
    assert {f"cifar/{label}" for label in shown} == {run.net for run in found.runs}


def test_titles_count_what_was_decided(made_up: Callable[..., Any]):
    """Nothing is confirmed where nothing has been trained."""
    runs = EXPERIMENTS["shortcuts"].runs
    (figure,) = EXPERIMENTS["shortcuts"].analyse(made_up(runs, {})).figures
    expected = "Identity shortcuts against 5 other kinds: confirmed better than 0, 5 undecided"
    assert expected == figure.title


@pytest.mark.parametrize(
    ("name", "budget", "index", "expected"),
    [
        ("pyramid", "paper", 1, "4.62 (pyramidnet-110-a48) against 4.62 (pyramidnet-110-m4.75)"),
        ("width-or-depth", "paper", 0, None),  # one of them with ZCA whitening alone
        ("width-or-depth", "paper", 2, "4.27 (wrn-16-8) against 4.53 (wrn-40-4)"),
        ("degradation", "laptop", 2, "6.97 (resnet-56) against 8.75 (resnet-20)"),
    ],
)
def test_claims_have_the_figures_of_their_nets(
    made_up: Callable[..., Any], name: str, budget: str, index: int, expected: str | None
):
    """Both from sources that trained alike, and only on the data set that they are printed for."""
    study = EXPERIMENTS[name]
    for data, printed in (("cifar10", expected), ("svhn", None)):
        evidence = made_up(study.runs, {}, budget=budget, data=data)
        paper = study.analyse(evidence).claims[index].paper
        assert printed == (paper and paper.value)


def test_fewer_epochs_are_told_where_they_are_fewer(made_up: Callable[..., Any]):
    """At laptop, and not at paper."""
    study = EXPERIMENTS["stochastic-depth"]
    laptop, paper = (
        study.analyse(made_up(study.runs, {}, budget=budget)).deviations
        for budget in ("laptop", "paper")
    )
    expected = "The paper trains for 500 epochs, we for 5: a regulariser has less time to pay."
    assert ((expected,), ()) == (laptop, paper)


def test_dense_nets_have_their_places():
    """The claims take the first two and the last two nets of each budget."""
    for small, large, *_, compact, residual in NETS.values():
        assert small.startswith("densenet-")
        assert large.startswith("densenet-")
        assert compact.startswith("densenet-bc-")
        assert residual.startswith("resnet-")
