"""Linear or uniform survival, and how much of it?  Source: huang2016 §3, §4, Fig. 8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from residua.arch import names
from residua.arch.plan import plan
from residua.studies import budgets, comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.comparison import Printed
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Figure, Paper
from residua.studies.verdicts import Lower

DEPTHS = {"smoke": 8, "laptop": 32}
# The survival probability of the last unit; a net without a suffix has 0.5 by the linear rule.
LINEAR = {0.2: "+linear-0.2", 0.5: "", 0.8: "+linear-0.8", 1.0: "+constant"}
UNIFORM = {0.5: "+uniform-0.5", 0.8: "+uniform-0.8", 1.0: "+constant"}
TABLE = "huang2016 Table 1"


def _net(budget: Budget, suffix: str = "") -> str:
    return f"sd-resnet-{DEPTHS.get(budget.name, 110)}{suffix}"


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    suffixes = dict.fromkeys((*LINEAR.values(), *UNIFORM.values()))
    return budget.runs([_net(budget, suffix) for suffix in suffixes], seeds)


def _claims(budget: Budget) -> tuple[Lower, ...]:
    linear, constant, uniform = (
        _net(budget, suffix) for suffix in ("", "+constant", "+uniform-0.5")
    )
    return (
        Lower(
            statement="Stochastic depth (linear, to 0.5) errs less than constant depth.",
            label=linear,
            than=constant,
            paper=comparison.against(
                Printed("sd-resnet-110", TABLE),
                Printed("sd-resnet-110+constant", TABLE),
                data=budget.data.name,
            ),
        ),
        Lower(
            statement="Survival that falls linearly to 0.5 errs less than 0.5 for all units.",
            label=linear,
            than=uniform,
            paper=Paper(value="so in the curves", where="huang2016, on the decay rule"),
        ),
        Lower(
            statement="Stochastic depth (linear, to 0.5) trains in less time.",
            label=linear,
            than=constant,
            metric="train_seconds",
            unit="seconds of difference",
            paper=Paper(
                value="25 % less on CIFAR-10: 15 h 7 min against 20 h 42 min", where="huang2016"
            ),
        ),
    )


def _analyse(evidence: Evidence) -> Analysis:
    budget, labels = evidence.budget, list(evidence.runs)
    linear, constant = _net(budget), _net(budget, "+constant")
    gain = comparison.change(evidence, linear, since=constant)
    faster = comparison.ratio(evidence, linear, to=constant, metric="train_seconds")
    return Analysis(
        claims=tuple(verdicts.judge(evidence, claim) for claim in _claims(budget)),
        tables=(
            comparison.table(
                evidence,
                labels,
                title="Survival",
                counterparts={
                    label: Printed(label.replace(_net(budget), "sd-resnet-110"), TABLE)
                    for label in labels
                },
            ),
        ),
        figures=(
            Figure(
                name="stochastic-depth",
                kind="lines",
                title=f"Linear survival to 0.5 instead of constant depth: {gain} of error in "
                f"{faster} the training time",
                data={
                    "panels": [
                        _over_survival(evidence, "test_error", "test error, percent of images"),
                        _over_survival(evidence, "train_seconds", comparison.seconds(evidence)),
                        _profile(evidence),
                    ],
                    "note": comparison.note(evidence),
                },
            ),
        ),
        deviations=_shorter(evidence),
    )


def _shorter(evidence: Evidence) -> tuple[str, ...]:
    """What less training than the paper's may change."""
    run = evidence.runs[_net(evidence.budget)][0]
    theirs = budgets.of_paper(names.entry(run.net), run.data.name)
    ours, paper = run.recipe.budget, theirs.budget
    assert ours.unit == paper.unit == "epochs", "so are all recipes of these nets"
    if ours.length >= paper.length:
        return ()
    told = f"The paper trains for {paper.length:g} epochs, we for {ours.length:g}"
    return (f"{told}: a regulariser has less time to pay.",)


def _over_survival(evidence: Evidence, metric: str, shown: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for label, rule in (("linear", LINEAR), ("uniform", UNIFORM)):
        found = {
            final: summary
            for final, suffix in rule.items()
            if (summary := comparison.over_seeds(evidence, _net(evidence.budget, suffix), metric))
        }
        if found:
            lines.append(
                {
                    "label": label,
                    "x": list(found),
                    "y": [each.mean for each in found.values()],
                    "sd": [each.sd or 0.0 for each in found.values()],
                }
            )
    return {
        "title": shown.partition(",")[0],
        "x": "survival probability of the last unit",
        "y": shown,
        "whole": False,
        "lines": lines,
    }


def _profile(evidence: Evidence) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for final, suffix in LINEAR.items():
        rows = plan(names.spec(f"cifar/{_net(evidence.budget, suffix)}"))
        lines.append(
            {
                "label": f"to {final:g}",
                "x": [row.index + 1 for row in rows],
                "y": [row.survival for row in rows],
            }
        )
    return {"title": "the linear rule", "x": "unit", "y": "survival probability", "lines": lines}


EXPERIMENT = Experiment(
    name="stochastic-depth",
    question="Stochastic depth: linear or uniform, how much of it, and what time does it save?",
    source="huang2016 §3 and §4, Table 1",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
