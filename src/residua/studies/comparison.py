"""Nets beside each other: their errors over seeds as a table, as bars, as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from residua.arch import count, names, papers, rows
from residua.studies.evidence import Evidence
from residua.studies.findings import Cell, Figure, Paper, Table
from residua.studies.stats import Summary, summarise

COLUMNS = (
    *("net", "parameters", "multiply-adds, M", "training error, %", "test error, %", "± sd", "n"),
    *("training, s", "printed for", "printed error, %", "where"),
)


@dataclass(frozen=True, slots=True)
class Printed:
    """Where a source prints an error: its net (without ``cifar/``), and how its place begins.

    Several places are equally good.  Figures of whitened images are left out: no study whitens, and
    zagoruyko2016's with and without do not compare.
    """

    net: str
    where: str | tuple[str, ...]

    def paper(self, data: str) -> Paper | None:
        """The error printed on a data set, if there is one."""
        for fact in papers.errors(f"cifar/{self.net}", data):
            if fact.where.startswith(self.where) and rows.ZCA not in fact.recipe_note:
                return Paper(value=f"{fact.error}", where=fact.where)
        return None


def against(one: Printed, other: Printed, *, data: str) -> Paper | None:
    """Two printed errors that a claim compares, on one data set."""
    left, right = one.paper(data), other.paper(data)
    if left is None or right is None:
        return None
    places = dict.fromkeys((left.where, right.where))
    return Paper(
        value=f"{left.value} ({one.net}) against {right.value} ({other.net})",
        where="; ".join(places),
    )


def over_seeds(evidence: Evidence, label: str, metric: str = "test_error") -> Summary | None:
    """A value of a label's records over its seeds; None while it has none."""
    values = list(evidence.values(label, metric).values())
    return summarise(values) if values else None


def change(evidence: Evidence, label: str, *, since: str, metric: str = "test_error") -> str:
    """By how much the mean of a label differs from that of another, in words for a title."""
    one, other = (over_seeds(evidence, each, metric) for each in (label, since))
    if one is None or other is None:
        return "not yet known"
    return f"{one.mean - other.mean:+.1f} points"


def ratio(evidence: Evidence, label: str, *, to: str, metric: str) -> str:
    """How many times the mean of another label the mean of one is, in words for a title."""
    one, other = (over_seeds(evidence, each, metric) for each in (label, to))
    strange = metric == "train_seconds" and len(evidence.devices(label, to)) > 1
    if one is None or other is None or strange:
        return "an unknown multiple of"
    return f"{one.mean / other.mean:.2f} times"


def table(
    evidence: Evidence, labels: Sequence[str], *, title: str, counterparts: Mapping[str, Printed]
) -> Table:
    """A row for each label, with what is printed for its counterpart among the papers' nets."""
    return Table(
        title=title,
        columns=COLUMNS,
        rows=tuple(_row(evidence, label, counterparts.get(label)) for label in labels),
        note=f"{evidence.setup}. Training error is that of the last epoch, on augmented images."
        + (" Times are of different devices." if len(evidence.devices(*labels)) > 1 else ""),
    )


def _row(evidence: Evidence, label: str, counterpart: Printed | None) -> tuple[Cell, ...]:
    spec = names.spec(evidence.runs[label][0].net)
    totals = count.totals(replace(spec, num_classes=evidence.num_classes))
    paper = counterpart.paper(evidence.budget.data.name) if counterpart else None
    test = over_seeds(evidence, label)
    train, seconds = (
        over_seeds(evidence, label, metric) for metric in ("train_error", "train_seconds")
    )
    return (
        label,
        totals.params,
        round(totals.macs / 1e6, 1),
        _rounded(train and train.mean),
        _rounded(test and test.mean),
        _rounded(test and test.sd),
        test.n if test else 0,
        round(seconds.mean) if seconds else None,
        counterpart.net if counterpart and paper else None,
        paper.value if paper else None,
        paper.where if paper else None,
    )


def bars(
    evidence: Evidence,
    labels: Sequence[str],
    *,
    name: str,
    title: str,
    counterparts: Mapping[str, Printed],
) -> Figure:
    """The test error of each label; the first one is what the others are compared with."""
    drawn: list[dict[str, Any]] = []
    for label in labels:
        found = over_seeds(evidence, label)
        if found is not None:
            counterpart = counterparts.get(label)
            paper = counterpart.paper(evidence.budget.data.name) if counterpart else None
            drawn.append(
                {
                    "label": label,
                    "value": found.mean,
                    "sd": found.sd,
                    "paper": _number(paper),
                    "base": label == labels[0],
                }
            )
    same = all(counterpart.net == label for label, counterpart in counterparts.items())
    return Figure(
        name=name,
        kind="bars",
        title=title,
        data={
            "x": "test error, percent of images (whiskers: ± sd over seeds)",
            "bars": drawn,
            "paper": f"printed for the paper's {'' if same else 'larger '}nets, trained in full",
            "note": note(evidence),
        },
    )


def scatter(evidence: Evidence, groups: Mapping[str, str], *, x: str, shown: str) -> dict[str, Any]:
    """A panel of test errors over another value of the records.

    Args:
        evidence: The runs.
        groups: Each label's group.
        x: A field of the records.
        shown: What it is, with its unit.
    """
    members: list[dict[str, Any]] = []
    for label, group in groups.items():
        place, error = over_seeds(evidence, label, x), over_seeds(evidence, label)
        if place and error:
            members.append(
                {"label": label, "group": group, "x": place.mean, "y": error.mean, "sd": error.sd}
            )
    return {"x": shown, "y": "test error, percent of images", "log": "x", "points": members}


def costs(evidence: Evidence, groups: Mapping[str, str]) -> list[dict[str, Any]]:
    """Panels of test errors over parameters and over the time of training."""
    return [
        scatter(evidence, groups, x="params", shown="parameters"),
        scatter(evidence, groups, x="train_seconds", shown=seconds(evidence)),
    ]


def seconds(evidence: Evidence) -> str:
    """What an axis of training times shows; on several devices they do not compare."""
    several = len(evidence.devices(*evidence.runs)) > 1
    return f"training, seconds{' (different devices)' if several else ''}"


def points(
    evidence: Evidence, *, name: str, title: str, panels: Sequence[dict[str, Any]], **how: str
) -> Figure:
    """Panels of :func:`scatter`; ``how`` is what else the kind "points" is told."""
    return Figure(
        name=name,
        kind="points",
        title=title,
        data={"panels": list(panels), "note": note(evidence), **how},
    )


def note(evidence: Evidence) -> str:
    """What stands below a figure: how it was made."""
    if evidence.weights:
        return f"{evidence.setup}; weights: {', '.join(evidence.given)}"
    seeds = {len(runs) for runs in evidence.found.values()}
    counts = "–".join(f"{n}" for n in sorted({min(seeds, default=0), max(seeds, default=0)}))
    return f"budget {evidence.budget.name}: {evidence.setup}; seeds: {counts}"


def _number(paper: Paper | None) -> float | None:
    """A printed error; none where the paper says that training failed."""
    return None if paper is None or paper.value == "fail" else float(paper.value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def curves(
    evidence: Evidence, labels: Sequence[str], *, title: str, metric: str = "train_error"
) -> dict[str, Any]:
    """A panel with an error over the epochs, a mean over seeds for each label."""
    drawn: list[dict[str, Any]] = []
    for label in labels:
        runs = evidence.metrics(label)
        if runs:
            epochs = list(zip(*runs, strict=True))
            drawn.append(
                {
                    "label": label.rpartition("+")[2],
                    "x": [epoch[0]["epoch"] for epoch in epochs],
                    "y": [fmean(each[metric] for each in epoch) for epoch in epochs],
                }
            )
    return {"title": title, "x": "epoch", "y": "error, percent of images", "lines": drawn}
