"""In which order should BN, ReLU and convolutions stand?  Source: he2016 §4, han2017."""

from __future__ import annotations

from collections.abc import Sequence

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Figure
from residua.studies.verdicts import Lower

SIZES = {"smoke": (8, 4), "laptop": (20, 24)}  # layers, and alpha of the pyramid
FULL = (110, 48)
TABLE = "he2016 Table 2"
ORDERS = ("+bn-after-addition", "+relu-before-addition", "+relu-only")


def _resnets(budget: Budget) -> list[str]:
    depth, _ = SIZES.get(budget.name, FULL)
    return [
        f"resnet-{depth}",
        *(f"resnet-{depth}{order}" for order in ORDERS),
        f"preresnet-{depth}",
    ]


def _pyramids(budget: Budget) -> list[str]:
    depth, alpha = SIZES.get(budget.name, FULL)
    adopted = f"pyramidnet-{depth}-a{alpha}"
    return [*(f"{adopted}+unit-{unit}" for unit in "abc"), adopted]


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    return budget.runs(_resnets(budget) + _pyramids(budget), seeds)


def _claims(budget: Budget) -> tuple[Lower, ...]:
    original, bn_after, relu_before, _, full = _resnets(budget)
    unit_a, *_, unit_d = _pyramids(budget)
    base, data = Printed("resnet-110", TABLE), budget.data.name
    return (
        Lower(
            statement="Full pre-activation errs less than the original order.",
            label=full,
            than=original,
            paper=comparison.against(Printed("preresnet-110", TABLE), base, data=data),
        ),
        Lower(
            statement="The original order errs less than BN after the addition.",
            label=original,
            than=bn_after,
            paper=comparison.against(
                base, Printed("resnet-110+bn-after-addition", TABLE), data=data
            ),
        ),
        Lower(
            statement="The original order errs less than ReLU before the addition.",
            label=original,
            than=relu_before,
            paper=comparison.against(
                base, Printed("resnet-110+relu-before-addition", TABLE), data=data
            ),
        ),
        Lower(
            statement="PyramidNet's unit (d), with a last BN and no first ReLU, errs less than "
            "pre-activation (a).",
            label=unit_d,
            than=unit_a,
        ),
    )


def _analyse(evidence: Evidence) -> Analysis:
    budget = evidence.budget
    resnets, pyramids = _resnets(budget), _pyramids(budget)
    printed = {label: Printed(label.replace(resnets[0], "resnet-110"), TABLE) for label in resnets}
    printed[resnets[-1]] = Printed("preresnet-110", TABLE)
    gain = comparison.change(evidence, resnets[-1], since=resnets[0])
    gain_d = comparison.change(evidence, pyramids[-1], since=pyramids[0])
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in _claims(budget)),
        tables=(
            comparison.table(
                evidence, resnets + pyramids, title="Orders within a unit", counterparts=printed
            ),
        ),
        figures=(
            comparison.bars(
                evidence,
                resnets,
                name="units-resnet",
                title=f"Full pre-activation instead of the original order: {gain}",
                counterparts=printed,
            ),
            comparison.bars(
                evidence,
                pyramids,
                name="units-pyramid",
                title=f"PyramidNet's unit (d) instead of pre-activation (a): {gain_d}",
                counterparts={},
            ),
            _curves(evidence, resnets, pyramids),
        ),
        deviations=("han2017's own errors of the units (a) to (d) are not among our facts.",),
    )


def _curves(evidence: Evidence, resnets: list[str], pyramids: list[str]) -> Figure:
    return Figure(
        name="units-curves",
        kind="lines",
        title="Training error with each order of the same components",
        data={
            "panels": [
                comparison.curves(evidence, resnets, title="residual nets"),
                comparison.curves(evidence, pyramids, title="pyramidal nets"),
            ],
            "note": comparison.note(evidence),
        },
    )


EXPERIMENT = Experiment(
    name="units",
    question="In which order should BN, ReLU and convolutions stand within a unit?",
    source="he2016 §4, Table 2; han2017's units (a) to (d)",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
