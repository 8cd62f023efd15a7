"""Additive or multiplicative widening, zero-padding or projection?  Source: han2017."""

from __future__ import annotations

from collections.abc import Sequence

from residua.arch import names
from residua.arch.plan import plan
from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Figure, Paper
from residua.studies.verdicts import Lower

# An additive and a multiplicative pyramid and a net of two steps, of about equal parameters.
NETS = {
    "smoke": ("pyramidnet-8-a12", "pyramidnet-8-m2", "preresnet-8"),
    "laptop": ("pyramidnet-20-a43", "pyramidnet-20-m4.25", "preresnet-20"),
}
FULL = ("pyramidnet-110-a48", "pyramidnet-110-m4.75", "preresnet-110")
PROJECTED = ("+project", "+project-halving")
AUTHORS = "authors' repository"


def _nets(budget: Budget) -> tuple[str, str, str]:
    return NETS.get(budget.name, FULL)


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    additive, *others = _nets(budget)
    return budget.runs([additive, *others, *(f"{additive}{end}" for end in PROJECTED)], seeds)


def _claims(budget: Budget) -> tuple[Lower, ...]:
    additive, multiplicative, stepped = _nets(budget)
    data, printed = budget.data.name, Printed("pyramidnet-110-a48", AUTHORS)
    return (
        Lower(
            statement="A pyramid errs less than pre-activation units whose width doubles twice, "
            "at about equal parameters.",
            label=additive,
            than=stepped,
            paper=comparison.against(printed, Printed("preresnet-110", "he2016 Table"), data=data),
        ),
        Lower(
            statement="Additive widening errs less than multiplicative widening.",
            label=additive,
            than=multiplicative,
            paper=comparison.against(printed, Printed("pyramidnet-110-m4.75", AUTHORS), data=data),
        ),
        Lower(
            statement="Zero-padding shortcuts err less than projections in every widening unit.",
            label=additive,
            than=f"{additive}+project",
            paper=Paper(value="by more than 2 points", where="post2018"),
        ),
    )


def _analyse(evidence: Evidence) -> Analysis:
    labels = list(evidence.runs)
    additive, multiplicative, stepped = _nets(evidence.budget)
    counterparts = {
        **{label: Printed(label, AUTHORS) for label in labels},
        additive: Printed("pyramidnet-110-a48", AUTHORS),
        multiplicative: Printed("pyramidnet-110-m4.75", AUTHORS),
        stepped: Printed("preresnet-110", "he2016 Table"),
    }
    gain = comparison.change(evidence, additive, since=stepped)
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in _claims(evidence.budget)),
        tables=(
            comparison.table(
                evidence, labels, title="Ways to widen a net", counterparts=counterparts
            ),
        ),
        figures=(
            _widths(_nets(evidence.budget)),
            comparison.bars(
                evidence,
                labels,
                name="pyramid-errors",
                title=f"A pyramid instead of two steps: {gain} of test error",
                counterparts=counterparts,
            ),
        ),
        deviations=(
            "Whether the authors' projections had a BN is not known; ours have none.",
            "han2017's own errors with projections are not among our facts.",
        ),
    )


def _widths(nets: tuple[str, str, str]) -> Figure:
    shown = dict(zip(nets, ("additive", "multiplicative", "two steps"), strict=True))
    widths = {
        way: [row.c_out for row in plan(names.spec(f"cifar/{net}"))] for net, way in shown.items()
    }
    return Figure(
        name="pyramid-widths",
        kind="lines",
        title="A pyramid widens in every unit, a residual net in two",
        data={
            "panels": [
                {
                    "title": ", ".join(nets),
                    "x": "unit",
                    "y": "width, channels",
                    "lines": [
                        {
                            "label": way,
                            "x": list(range(1, len(values) + 1)),
                            "y": values,
                            "style": "steps" if way == "two steps" else "solid",
                        }
                        for way, values in widths.items()
                    ],
                }
            ],
        },
    )


EXPERIMENT = Experiment(
    name="pyramid",
    question="Additive or multiplicative widening, zero-padding or projection, and against steps?",
    source="han2017 §3; the authors' README",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
