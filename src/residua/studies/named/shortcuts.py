"""What do projections, scaling, gates and dropout on the shortcut bring?  Source: he2016 §3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Paper
from residua.studies.verdicts import Lower

DEPTHS = {"smoke": 8, "laptop": 20}
TABLE = "he2016 Table 1"
# What is done to every shortcut, and what he2016 calls it.
CHANGES = {
    "-c": "a 1×1 convolution on every shortcut",
    "+scale-0.5-0.5": "both paths scaled by one half",
    "+gate-exclusive-6": "an exclusive gate",
    "+gate-shortcut-6": "a gate on the shortcut alone",
    "+dropped-0.5": "dropout on the shortcut",
}


def _net(budget: Budget, suffix: str = "") -> str:
    return f"resnet-{DEPTHS.get(budget.name, 110)}{suffix}"


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    return budget.runs([_net(budget, suffix) for suffix in ("", "-b", *CHANGES)], seeds)


def _claims(budget: Budget) -> list[Lower]:
    identity = _net(budget)
    projections = Lower(
        statement="Projections where the dimensions change (B) err less than zero-padding (A).",
        label=_net(budget, "-b"),
        than=identity,
        paper=Paper(value="slightly so, on ImageNet", where="he2015 §4.1, Table 3"),
    )
    return [
        projections,
        *(
            Lower(
                statement=f"Identity shortcuts err less than {change}.",
                label=identity,
                than=_net(budget, suffix),
                paper=comparison.against(
                    Printed("resnet-110", TABLE),
                    Printed(f"resnet-110{suffix}", TABLE),
                    data=budget.data.name,
                ),
            )
            for suffix, change in CHANGES.items()
        ),
    ]


def _analyse(evidence: Evidence) -> Analysis:
    budget, labels = evidence.budget, list(evidence.runs)
    claims = tuple(verdicts.judge(evidence, claim) for claim in _claims(budget))
    counterparts = {
        label: Printed(label.replace(_net(budget), "resnet-110"), TABLE) for label in labels
    }
    verdict = Counter(claim.verdict for claim in claims[1:])
    return Analysis(
        claims=claims,
        tables=(
            comparison.table(
                evidence, labels, title="What is on the shortcut", counterparts=counterparts
            ),
        ),
        figures=(
            comparison.bars(
                evidence,
                labels,
                name="shortcuts",
                title=f"Identity shortcuts against {len(CHANGES)} other kinds: confirmed better "
                f"than {verdict['confirmed']}, {verdict['undecided']} undecided",
                counterparts=counterparts,
            ),
        ),
        deviations=("A gate's bias starts at -6, the paper's best for exclusive gates.",),
    )


EXPERIMENT = Experiment(
    name="shortcuts",
    question="What do the options A, B and C cost and bring, and what else on the shortcut?",
    source="he2015 §4.1, Table 3; he2016 §3, Table 1",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
