"""Growth, bottlenecks, parameters for an error, and which maps are used.  Source: huang2017 §4."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Figure
from residua.studies.verdicts import Lower

# A dense net of small growth, of larger growth, BC nets, and residual nets to compare with.
NETS = {
    "smoke": ("densenet-10-4", "densenet-10-8", "densenet-bc-10-8", "resnet-8"),
    "laptop": (
        "densenet-22-8",
        "densenet-22-12",
        "densenet-bc-22-12",
        "densenet-bc-40-12",
        "resnet-20",
    ),
}
FULL = ("densenet-40-12", "densenet-100-12", "densenet-bc-100-12", "preresnet-164-bottleneck")
TABLE = "huang2017 Table 2"
GROUPS = {"densenet-bc": "DenseNet-BC", "densenet": "DenseNet"}


def _nets(budget: Budget) -> tuple[str, ...]:
    return NETS.get(budget.name, FULL)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    return budget.runs(_nets(budget), seeds)


def _claims(budget: Budget) -> tuple[Lower, ...]:
    small, large, *_, compact, residual = _nets(budget)
    data = budget.data.name
    return (
        Lower(
            statement=f"{large} errs less than the smaller {small}.",
            label=large,
            than=small,
            paper=comparison.against(
                Printed("densenet-100-12", TABLE), Printed("densenet-40-12", TABLE), data=data
            ),
        ),
        Lower(
            statement=f"{compact} errs less than {residual}, which has more parameters.",
            label=compact,
            than=residual,
            paper=comparison.against(
                Printed("densenet-bc-100-12", TABLE),
                Printed("preresnet-164-bottleneck", "he2016 Table"),
                data=data,
            ),
        ),
    )


def _analyse(evidence: Evidence) -> Analysis:
    labels = list(evidence.runs)
    *_, compact, residual = labels
    groups = {
        label: next((GROUPS[start] for start in GROUPS if label.startswith(start)), "residual")
        for label in labels
    }
    gain = comparison.change(evidence, compact, since=residual)
    fewer = comparison.ratio(evidence, compact, to=residual, metric="params")
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in _claims(evidence.budget)),
        tables=(
            comparison.table(
                evidence,
                labels,
                title="Dense and residual nets",
                counterparts={label: Printed(label, "") for label in labels},
            ),
        ),
        figures=(
            comparison.points(
                evidence,
                name="dense-parameters",
                title=f"{compact}: {gain} of error, {fewer} the parameters of {residual}",
                panels=[comparison.scatter(evidence, groups, x="params", shown="parameters")],
            ),
            *_reuse(evidence, labels[1]),
        ),
    )


def _reuse(evidence: Evidence, label: str) -> list[Figure]:
    """The heat map of one trained net, if it has finished."""
    from residua.studies.measures import reuse

    return [
        Figure(
            name="dense-reuse",
            kind="heat",
            title=f"{label}: which earlier maps each layer reads",
            data={
                "x": "reader",
                "y": "source (0: the block's input)",
                "z": "mean absolute weight, largest of a reader = 1",
                "panels": [
                    {
                        "title": f"block {number}",
                        "rows": [list(row) for row in block.scaled],
                        "last": last,
                    }
                    for number, (block, last) in enumerate(
                        zip(found, [*["transition"] * (len(found) - 1), "classifier"], strict=True),
                        start=1,
                    )
                ],
                "note": f"seed {seed}; {comparison.note(evidence)}",
            },
        )
        for seed, net in itertools.islice(evidence.nets(label), 1)
        for found in [reuse.blocks(net)]
    ]


EXPERIMENT = Experiment(
    name="dense",
    question="What do growth and bottlenecks bring a dense net, and which of its maps are used?",
    source="huang2017 §4 and §5, Table 2, Figs. 4 and 5",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
