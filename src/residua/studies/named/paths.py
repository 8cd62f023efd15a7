"""How long are the paths that bring a residual net its gradient?  Source: veit2016 §5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import linear_regression
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
LEAST = 1e-45  # of a single-precision number: a gradient below it is 0, and falls no less steeply
SUM = "95 % of the paths' summed gradient norms"


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    """The lesions' nets, but for the plain one, which is a single path."""
    stepped, pyramid, _ = lesion.nets(budget)
    trained = lesion.runs(budget, seeds)
    return {label: trained[label] for label in (stepped, pyramid)}


def _analyse(evidence: Evidence) -> Analysis:
    measured = {label: _measured(evidence, label) for label in evidence.runs}
    found = {label: paths for label, paths in measured.items() if paths}
    label, paths = next(iter(found.items()))
    first = paths[min(paths)]
    low, high = first.effective
    note = comparison.note(evidence)
    return Analysis(
        claims=tuple(
            claim for label, paths in measured.items() for claim in _claims(evidence, label, paths)
        ),
        tables=(_table(found),),
        figures=(
            Figure(
                name="paths",
                kind="lines",
                title=f"{label}: {SUM} are of paths of {low} to {high} of "
                f"{len(first.counts) - 1} units, {first.effective_share:.1%} of all paths",
                data={
                    "panels": _panels({label: paths[min(paths)] for label, paths in found.items()}),
                    "note": f"{first.draws} paths of each length; first seed; {note}",
                },
            ),
        ),
        deviations=(f"Gradients are those of test images, the first {first.draws} of them.",),
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


def _claims(evidence: Evidence, label: str, found: dict[int, Paths]) -> list[Claim]:
    slopes = [_slope(paths) for paths in found.values()]
    lengths = [_mean_length(paths) for paths in found.values()]
    middles = [(len(paths.counts) - 1) / 2 for paths in found.values()]
    judged = (
        (
            f"In {label}, the gradient of a path falls with its length.",
            *(slopes, slopes, "decades a unit"),
            Paper(value="exponentially", where="veit2016 §5"),
        ),
        (
            f"In {label}, paths weighted by their gradients' norms are shorter than the mean path.",
            lengths,
            *([one - other for one, other in zip(lengths, middles, strict=True)], "units"),
            Paper(value="5 to 17 of 54 units, where the mean is 27", where="veit2016 §5"),
        ),
    )
    return [
        Claim(
            statement=statement,
            paper=paper,
            ours={f"{label}, {unit}": summarise(ours)} if ours else {},
            verdict=reached,
            reason=reason,
        )
        for statement, ours, differences, unit, paper in judged
        for reached, reason in [
            verdicts.verdict(
                differences,
                decides=evidence.budget.decides,
                unit=unit,
                missing=verdicts.missing(evidence, {label: found}),
            )
        ]
    ]


def _slope(paths: Paths) -> float:
    """Least squares: by how many decades the norm changes with each unit more."""
    logs = [math.log10(max(norm, LEAST)) for norm in paths.gradients]
    return linear_regression(range(len(logs)), logs).slope


def _mean_length(paths: Paths) -> float:
    """Mean length of paths, each by its share of all norms' sum."""
    return sum(length * share for length, share in enumerate(paths.shares))


def _table(found: dict[str, dict[int, Paths]]) -> Table:
    return Table(
        title="Effective paths",
        columns=(
            *("net", "seed", "units", "shortest", "longest", "share of all paths, %"),
            *("mean length by norm", "mean length"),
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
        note=f"Effective: the shortest run of lengths that has {SUM}.",
    )


def _panels(found: dict[str, Paths]) -> list[dict[str, Any]]:
    shown = (
        ("how many", "paths", "y", lambda paths: paths.counts),
        ("what each brings", "gradient at the input by one path", "y", lambda p: p.gradients),
        ("what all bring", "share of the norms' sum, percent", "", _percent),
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
