"""Does a deeper plain net train worse, and a deeper residual net not?  Source: he2015 Fig. 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Figure, Paper
from residua.studies.verdicts import Lower

DEPTHS = {"smoke": (8, 14), "laptop": (20, 32, 44, 56)}
FULL = (20, 32, 44, 56)
KINDS = {"plain": "plain nets", "resnet": "residual nets"}
FIGURE = "he2015 Fig. 6"


def _depths(budget: Budget) -> tuple[int, ...]:
    return DEPTHS.get(budget.name, FULL)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    depths = _depths(budget)
    # The shortest first: an early look at the store shows both kinds.
    return budget.runs([f"{kind}-{depth}" for depth in depths for kind in KINDS], seeds)


def _claims(budget: Budget) -> tuple[Lower, ...]:
    low, *_, high = _depths(budget)
    return (
        Lower(
            statement=f"A plain net of {low} layers has a lower training error than one of {high}.",
            label=f"plain-{low}",
            than=f"plain-{high}",
            metric="train_error",
            paper=Paper(value="so in the curves of 20 and 56 layers", where=FIGURE),
        ),
        Lower(
            statement=f"The training error of a residual net does not rise from {low} to {high} "
            f"layers (by more than 0.5 points).",
            label=f"resnet-{high}",
            than=f"resnet-{low}",
            metric="train_error",
            margin=0.5,
            paper=Paper(value="so in the curves of 20 to 110 layers", where=FIGURE),
        ),
        Lower(
            statement=f"The test error of a residual net is lower with {high} layers than with "
            f"{low}.",
            label=f"resnet-{high}",
            than=f"resnet-{low}",
            paper=comparison.against(
                Printed("resnet-56", "he2015"),
                Printed("resnet-20", "he2015"),
                data=budget.data.name,
            ),
        ),
    )


def _analyse(evidence: Evidence) -> Analysis:
    low, *_, high = _depths(evidence.budget)
    labels = list(evidence.runs)
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in _claims(evidence.budget)),
        tables=(
            comparison.table(
                evidence,
                labels,
                title="Depth, plain and residual",
                counterparts={label: Printed(label, "he2015") for label in labels},
            ),
        ),
        figures=(_curves(evidence, low, high),),
    )


def _curves(evidence: Evidence, low: int, high: int) -> Figure:
    plain, residual = (
        comparison.change(evidence, f"{kind}-{high}", since=f"{kind}-{low}", metric="train_error")
        for kind in KINDS
    )
    return Figure(
        name="degradation",
        kind="lines",
        title=f"{high} layers instead of {low}: training error {plain} in plain nets, {residual} "
        "in residual ones",
        data={
            "panels": [_panel(evidence, kind, title) for kind, title in KINDS.items()],
            "note": "solid: validation; dashed: training, on augmented images; means over seeds. "
            f"{comparison.note(evidence)}",
        },
    )


def _panel(evidence: Evidence, kind: str, title: str) -> dict[str, Any]:
    """Training and validation error of one kind, a colour for each depth."""
    labels = [f"{kind}-{depth}" for depth in _depths(evidence.budget)]
    train, val = (
        comparison.curves(evidence, labels, title=title, metric=metric)
        for metric in ("train_error", "val_error")
    )
    for colour, (dashed, solid) in enumerate(zip(train["lines"], val["lines"], strict=True)):
        dashed |= {"label": "", "style": "dashed", "colour": colour}
        solid |= {"label": f"{solid['label'].partition('-')[2]} layers", "colour": colour}
    return {**val, "lines": train["lines"] + val["lines"]}


EXPERIMENT = Experiment(
    name="degradation",
    question="Does a deeper plain net train worse, and a deeper residual net not?",
    source="he2015 §4.2, Fig. 6 and Table 6",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
