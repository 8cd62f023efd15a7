"""Wide or deep, at about equal parameters?  Source: zagoruyko2016 Tables 5 and 6, Fig. 4."""

from __future__ import annotations

from collections.abc import Sequence

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Paper
from residua.studies.verdicts import Lower

# A wide net and a deep one of about as many parameters.
PAIRS = {
    "smoke": (("wrn-10-2", "wrn-22-1"),),
    "laptop": (("wrn-10-2", "wrn-28-1"), ("wrn-10-3", "wrn-40-1")),
}
FULL = (("wrn-16-4", "wrn-40-2"), ("wrn-16-8", "wrn-40-4"))
BETWEEN = {"laptop": ("wrn-16-1", "wrn-16-2")}
TABLES = ("zagoruyko2016 Table 5", "zagoruyko2016 Table 6")
FIGURE = Paper(
    value="512 ms for a batch of 32 in a thin net of 1001 layers, 164 ms in WRN-16-10",
    where="zagoruyko2016 Fig. 4",
)


def _pairs(budget: Budget) -> tuple[tuple[str, str], ...]:
    return PAIRS.get(budget.name, FULL)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    nets = [net for pair in _pairs(budget) for net in pair]
    return budget.runs([*nets, *BETWEEN.get(budget.name, ())], seeds)


def _claims(budget: Budget) -> list[Lower]:
    claims: list[Lower] = []
    for wide, deep in _pairs(budget):
        claims += [
            Lower(
                statement=f"{wide} errs no more (than 0.5 points) than {deep}, which is deeper.",
                label=wide,
                than=deep,
                margin=0.5,
                paper=comparison.against(
                    Printed(wide, TABLES), Printed(deep, TABLES), data=budget.data.name
                ),
            ),
            Lower(
                statement=f"{wide} trains in less time than {deep}.",
                label=wide,
                than=deep,
                metric="train_seconds",
                unit="seconds of difference",
                paper=FIGURE,
            ),
        ]
    return claims


def _analyse(evidence: Evidence) -> Analysis:
    labels = list(evidence.runs)
    claims = tuple(verdicts.judge(evidence, claim) for claim in _claims(evidence.budget))
    groups = {label: f"widened ×{label.rpartition('-')[2]}" for label in labels}
    wide, deep = _pairs(evidence.budget)[-1]
    change = comparison.change(evidence, wide, since=deep)
    faster = comparison.ratio(evidence, deep, to=wide, metric="train_seconds")
    return Analysis(
        claims=claims,
        tables=(
            comparison.table(
                evidence,
                labels,
                title="Width and depth",
                counterparts={label: Printed(label, TABLES) for label in labels},
            ),
        ),
        figures=(
            comparison.points(
                evidence,
                name="width-or-depth",
                title=f"{wide} instead of {deep}: {change} of error, {faster} the speed",
                panels=comparison.costs(evidence, groups),
            ),
        ),
        deviations=("Errors of Table 4, with ZCA whitening, are left out: ours are without.",),
    )


EXPERIMENT = Experiment(
    name="width-or-depth",
    question="Wide or deep: which errs less and trains faster at about equal parameters?",
    source="zagoruyko2016 §3, Tables 5 and 6, Fig. 4",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
