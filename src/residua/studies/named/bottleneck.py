"""Does a bottleneck have 22 % fewer weights?  By arithmetic, for every input width."""

from __future__ import annotations

from collections.abc import Sequence

from residua.studies.budgets import Budget, Runs
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Claim, Figure, Paper, Table
from residua.studies.measures import bottleneck

SHOWN = (32, 64, 128, 256)


def _runs(_budget: Budget, _seeds: Sequence[int]) -> Runs:
    return {}


def _analyse(_evidence: Evidence) -> Analysis:
    compared = bottleneck.comparisons()
    alone = bottleneck.holds(compared, projected=False)
    projected = bottleneck.holds(compared, projected=True)
    fig5 = bottleneck.compare(4 * bottleneck.WIDTH)
    claim = Claim(
        statement="A bottleneck has about 22 % fewer weights than two 3×3 convolutions.",
        paper=Paper(value="about 22 % fewer", where="a post of 2022 on ResNet"),
        ours={},
        verdict="refuted",
        reason=f"exact, with {bottleneck.WIDTH} channels inside: of the input widths 1 to "
        f"{len(compared)}, the branch alone has so many fewer at {_ranges(alone)}, with a "
        f"projection at {_ranges(projected)}; he2015 Fig. 5's unit of {fig5.c_in} channels has "
        f"{-fig5.branch_pct:.1f} % fewer",
    )
    return Analysis(
        claims=(claim,),
        tables=(
            Table(
                title=f"A bottleneck of {bottleneck.WIDTH} channels inside against two 3×3",
                columns=(
                    *("input channels", "two 3×3", "bottleneck", "projection"),
                    *("change, %", "change with projection, %"),
                ),
                rows=tuple(
                    (
                        *(each.c_in, each.basic, each.branch, each.projection),
                        *(round(each.branch_pct, 1), round(each.unit_pct, 1)),
                    )
                    for each in compared
                    if each.c_in in SHOWN
                ),
                note="Weights of convolutions; no training, no seeds.",
            ),
        ),
        figures=(_figure(compared),),
    )


def _ranges(widths: Sequence[int]) -> str:
    return f"{widths[0]} to {widths[-1]}" if widths else "none"


def _figure(compared: Sequence[bottleneck.Comparison]) -> Figure:
    widths = [each.c_in for each in compared]
    return Figure(
        name="bottleneck",
        kind="lines",
        title=f"22 % fewer weights only near {bottleneck.WIDTH} input channels, without projection",
        data={
            "panels": [
                {
                    "title": f"{bottleneck.WIDTH} channels inside, {4 * bottleneck.WIDTH} out",
                    "x": "input channels",
                    "y": "weights against two 3×3 convolutions, percent",
                    "lines": [
                        {
                            "label": "branch alone",
                            "x": widths,
                            "y": [each.branch_pct for each in compared],
                        },
                        {
                            "label": "with projection",
                            "x": widths,
                            "y": [each.unit_pct for each in compared],
                        },
                    ],
                    "marks": [{"label": "the post's 22 %", "y": bottleneck.CLAIMED_PCT}],
                }
            ],
        },
    )


EXPERIMENT = Experiment(
    name="bottleneck",
    question="Does a bottleneck have 22 % fewer weights than two 3×3 convolutions?",
    source="a post of 2022 on ResNet, of he2015 Fig. 5",
    rule="Exact arithmetic for every input width; the claim is confirmed if it holds for all.",
    runs=_runs,
    analyse=_analyse,
)
