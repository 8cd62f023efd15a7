"""How long are the paths that bring a residual net its gradient?  Source: veit2016 §5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Claim, Figure, Paper, Table
from residua.studies.named import lesion
from residua.studies.stats import summarise

if TYPE_CHECKING:
    from residua.studies.measures.paths import Paths

DRAWS = {"smoke": 2, "laptop": 100}
MOST_DRAWS = 1_000  # as in the paper


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    """The lesions' nets, but for the plain one, which is a single path."""
    stepped, pyramid, _ = lesion.nets(budget)
    trained = lesion.runs(budget, seeds)
    return {label: trained[label] for label in (stepped, pyramid)}


def _analyse(evidence: Evidence) -> Analysis:
    found = {label: _measured(evidence, label) for label in evidence.runs}
    found = {label: paths for label, paths in found.items() if paths}
    label, paths = next(iter(found.items()))
    first = paths[min(paths)]
    low, high = first.effective
    return Analysis(
        claims=tuple(
            claim
            for label, paths in found.items()
            for claim in _claims(label, list(paths.values()), decides=evidence.budget.decides)
        ),
        tables=(_table(found),),
        figures=(
            Figure(
                name="paths",
                kind="lines",
                title=f"{label}: 95 % of the gradient comes by paths of {low} to {high} of "
                f"{len(first.counts) - 1} units, {first.effective_share:.1%} of all paths",
                data={
                    "panels": _panels({label: paths[min(paths)] for label, paths in found.items()}),
                    "note": f"{first.draws} paths of each length; {comparison.note(evidence)}",
                },
            ),
        ),
    )


def _measured(evidence: Evidence, label: str) -> dict[int, Paths]:
    from residua import weights
    from residua.studies.measures import paths

    images = evidence.test_images()
    draws = DRAWS.get(evidence.budget.name, MOST_DRAWS)
    return {
        seed: paths.measure(net, images, weights.normalisation(net.meta), draws=draws, seed=seed)
        for seed, net in evidence.nets(label)
        if net.meta is not None
    }


def _claims(label: str, found: list[Paths], *, decides: bool) -> list[Claim]:
    judged = (
        (
            f"In {label}, the gradient of a path falls with its length.",
            [math.log10(paths.gradients[-1] / paths.gradients[1]) for paths in found],
            Paper(value="exponentially", where="veit2016 §5"),
            "decades from one unit to all",
        ),
        (
            f"In {label}, gradient comes by paths that are shorter than the mean path.",
            [_mean_length(paths) - (len(paths.counts) - 1) / 2 for paths in found],
            Paper(value="5 to 17 of 54 units, where the mean is 27", where="veit2016 §5"),
            "units",
        ),
    )
    ours = {label: summarise([_mean_length(paths) for paths in found])}
    return [
        Claim(statement=statement, paper=paper, ours=ours, verdict=reached, reason=reason)
        for statement, differences, paper, unit in judged
        for reached, reason in [verdicts.verdict(differences, decides=decides, unit=unit)]
    ]


def _mean_length(paths: Paths) -> float:
    """Mean length of paths, each by its share of the gradient."""
    return sum(length * share for length, share in enumerate(paths.shares))


def _table(found: dict[str, dict[int, Paths]]) -> Table:
    return Table(
        title="Effective paths",
        columns=(
            *("net", "seed", "units", "shortest", "longest", "share of all paths, %"),
            *("mean length by gradient", "mean length"),
        ),
        rows=tuple(
            (
                *(label, seed, len(paths.counts) - 1, *paths.effective),
                round(100 * paths.effective_share, 3),
                round(_mean_length(paths), 2),
                (len(paths.counts) - 1) / 2,
            )
            for label, by_seed in found.items()
            for seed, paths in by_seed.items()
        ),
        note="Effective: the shortest run of lengths that brings 95 % of the gradient.",
    )


def _panels(found: dict[str, Paths]) -> list[dict[str, Any]]:
    shown = (
        ("how many", "paths", "y", lambda paths: paths.counts),
        ("what each brings", "gradient at the input by one path", "y", lambda p: p.gradients),
        ("what all bring", "share of the gradient, percent", "", _percent),
    )
    return [
        {
            "title": title,
            "x": "length of the path, units",
            "y": y,
            "log": log,
            "lines": [
                {"label": label, "x": list(range(len(paths.counts))), "y": list(of(paths))}
                for label, paths in found.items()
            ],
        }
        for title, y, log, of in shown
    ]


def _percent(paths: Paths) -> list[float]:
    return [100 * share for share in paths.shares]


EXPERIMENT = Experiment(
    name="paths",
    question="How long are the paths that bring a residual net its gradient?",
    source="veit2016 §5",
    rule=verdicts.RULE,
    runs=_runs,
    analyse=_analyse,
)
