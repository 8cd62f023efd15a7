"""Studies and their findings in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from residua.studies.findings import Claim, Figure, Findings
from residua.tables.studies import print_findings, print_studies

FOUND = Findings(
    study="degradation",
    question="Does it [really]?",
    source="he2015",
    rule="three seeds",
    budget="laptop",
    data="cifar10",
    claims=(
        Claim(statement="It does.", paper=None, ours={}, verdict="refuted", reason="n = 3 [sic]"),
    ),
    tables=(),
    figures=(Figure(name="curves", kind="lines", title="title", data={}),),
    deviations=(),
    runs=(),
    missing=("cifar/plain-20, seed 2: not trained yet",),
    command="residua study run degradation",
)


def test_findings(printed: Callable[..., list[str]]):
    """Question, each claim with its verdict and reason, what is missing, where the rest lies."""
    assert [
        "Does it [really]?  cifar10",
        "refuted  It does.",
        "         n = 3 [sic]",
        "missing  cifar/plain-20, seed 2: not trained yet",
        "out [old]: report.html, findings.json; as SVG and PNG: curves",
    ] == printed(print_findings, FOUND, Path("out [old]"))


def test_the_list(printed: Callable[..., list[str]]):
    """A line a study; a dash where a budget has no recipe for it."""
    rows = [
        {"name": "lesion", "question": "What[d]?", "source": "s", "runs": 9, "minutes": 26.4},
        {"name": "frontier", "question": "Which?", "source": "s", "runs": None, "minutes": None},
    ]
    title, _, first, second = printed(print_studies, rows, budget="laptop: little")
    assert "At budget laptop: little" == title
    assert ["lesion", "What[d]?", "9", "26"] == first.split()
    assert ["frontier", "Which?", "–", "–"] == second.split()
