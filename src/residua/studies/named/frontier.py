"""Which family errs least for its parameters and for its time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from residua.arch import names
from residua.studies import comparison, named, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment

# One net of each family, all of them in other studies too.
NETS = {
    "smoke": ("resnet-8", "wrn-10-1", "pyramidnet-8-a12"),
    "laptop": (
        *("resnet-20", "preresnet-20", "sd-resnet-32", "wrn-10-2", "densenet-22-12"),
        *("densenet-bc-40-12", "pyramidnet-20-a43"),
    ),
}
FULL = (
    *("resnet-110", "preresnet-110", "sd-resnet-110", "wrn-16-4", "densenet-40-12"),
    *("densenet-bc-100-12", "pyramidnet-110-a48"),
)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    return budget.runs(NETS.get(budget.name, FULL), seeds)


def _analyse(evidence: Evidence) -> Analysis:
    evidence = replace(evidence, runs=_all(evidence))
    labels = [label for label, found in evidence.found.items() if found]
    groups = {label: names.entry(f"cifar/{label}").family for label in labels}
    errors = {label: comparison.over_seeds(evidence, label) for label in labels}
    best, summary = min(
        ((label, found) for label, found in errors.items() if found), key=lambda row: row[1].mean
    )
    return Analysis(
        tables=(
            comparison.table(
                evidence,
                labels,
                title="All nets with records at this budget",
                counterparts={label: Printed(label, "") for label in labels},
            ),
        ),
        figures=(
            comparison.points(
                evidence,
                name="frontier",
                title=f"{best} errs least of {len(labels)} nets: {summary.mean:.1f} %",
                panels=comparison.costs(evidence, groups),
                joined="frontier",
            ),
        ),
        runs=evidence.trained,
    )


def _all(evidence: Evidence) -> Runs:
    """The runs of all studies that had this budget as it is, of nets without variations."""
    budget = evidence.budget
    seeds = [run.seed for run in next(iter(evidence.runs.values()))]
    known = chain.from_iterable(
        other.runs(budget, seeds).items() for other in named.EXPERIMENTS.values()
    )
    return {
        label: runs
        for label, runs in known
        if "+" not in label and runs[0] == budget.run(runs[0].net, runs[0].seed)
    }


EXPERIMENT = Experiment(
    name="frontier",
    question="Which family errs least for its parameters, and for its time?",
    source="all of the families' papers",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
