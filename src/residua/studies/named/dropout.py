"""Does dropout inside wide units help?  Source: zagoruyko2016 §2.4, Table 6."""

from __future__ import annotations

from collections.abc import Sequence

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Paper
from residua.studies.verdicts import Lower

NETS = {"smoke": ("wrn-10-1",), "laptop": ("wrn-10-3", "wrn-16-2")}
FULL = ("wrn-16-4", "wrn-28-10")
TABLE = "zagoruyko2016 Table 6"


def _nets(budget: Budget) -> tuple[str, ...]:
    return NETS.get(budget.name, FULL)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    return budget.runs([f"{net}{end}" for net in _nets(budget) for end in ("", "-dropout")], seeds)


def _printed(net: str, data: str) -> Paper | None:
    with_dropout, without = Printed(f"{net}-dropout", TABLE), Printed(net, TABLE)
    return comparison.against(with_dropout, without, data=data)


def _analyse(evidence: Evidence) -> Analysis:
    nets, labels, data = _nets(evidence.budget), list(evidence.runs), evidence.budget.data.name
    claims = (
        Lower(
            statement=f"Dropout of 0.3 inside its units lowers the error of {net}.",
            label=f"{net}-dropout",
            than=net,
            paper=_printed(net, data) or _printed("wrn-28-10", data),
        )
        for net in nets
    )
    counterparts = {label: Printed(label, TABLE) for label in labels}
    changes = ", ".join(
        f"{comparison.change(evidence, f'{net}-dropout', since=net)} in {net}" for net in nets
    )
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in claims),
        tables=(
            comparison.table(
                evidence, labels, title="With and without dropout", counterparts=counterparts
            ),
        ),
        figures=(
            comparison.bars(
                evidence,
                labels,
                name="dropout",
                title=f"Dropout of 0.3 inside the units: {changes}",
                counterparts=counterparts,
            ),
        ),
    )


EXPERIMENT = Experiment(
    name="dropout",
    question="Does dropout inside wide units help?",
    source="zagoruyko2016 §2.4, Table 6",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
