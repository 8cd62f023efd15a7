"""The page of several runs: nets beside each other, over seeds, with paired tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from statistics import fmean
from typing import Any

from residua.arch import papers
from residua.errors import UsageError
from residua.reports import charts
from residua.reports.charts import Line
from residua.reports.page import Cell, Chart, Code, Grid, Page, Section, Text
from residua.reports.sources import Finished
from residua.runs.config import by_path, to_json
from residua.studies import commands
from residua.studies.stats import LEVEL, MIN_SEEDS, Paired, Summary, paired, summarise

Groups = dict[str, list[Finished]]  # a name, and the runs that differ in nothing but the seed
MOST_CURVES = len(charts.COLOURS)
MOST_PAIRED = 28  # tests that can still be read: of eight nets


def grouped(runs: Sequence[Finished]) -> Groups:
    """Runs that differ in nothing but the seed together, named by what tells the groups apart.

    Raises:
        UsageError: They are of different data sets, so that their errors say nothing of each other.
    """
    first = runs[0]
    for other in runs:
        one, two = (f"{x.run.data.name} ({x.run.data.image_size} pixels)" for x in (first, other))
        if one != two:
            raise UsageError(
                f"runs on different images cannot be compared: {first.directory.path} is on {one}, "
                f"{other.directory.path} on {two}"
            )
    together: dict[str, list[Finished]] = {}
    for run in {run.run.key: run for run in runs}.values():
        together.setdefault(json.dumps(_values(run)), []).append(run)
    values = [_values(runs_[0]) for runs_ in together.values()]
    differing = [
        path
        for path in dict.fromkeys(path for each in values for path in each)
        if len({str(each.get(path)) for each in values}) > 1
    ]
    short = [path for path in differing if path == "recipe.name" or not path.startswith("recipe.")]
    labels = [_label(each, short) for each in values]
    if len(set(labels)) < len(labels):
        labels = [_label(each, differing) for each in values]
    return dict(zip(labels, together.values(), strict=True))


def _values(found: Finished) -> dict[str, Any]:
    return {path: value for path, value in by_path(to_json(found.run)).items() if path != "seed"}


def _label(values: dict[str, Any], paths: Sequence[str]) -> str:
    more = [
        str(values[path]) if path == "recipe.name" else f"{path} {values.get(path)}"
        for path in paths
        if path != "net"
    ]
    return ", ".join([values["net"], *more])


def page(groups: Groups, *, missing: Sequence[str]) -> Page:
    """The page of some groups of runs, at least one.

    Args:
        groups: As :func:`grouped` returns them.
        missing: What else was asked for and why it is not there, a line each.
    """
    summaries = {label: summarise(list(errors(runs).values())) for label, runs in groups.items()}
    best = min(summaries, key=lambda label: summaries[label].mean)
    first = next(iter(groups.values()))[0]
    sections = [
        Section(title="Missing", blocks=tuple(Text(text=line, mark="missing") for line in missing)),
        _errors(groups, summaries),
        _paired(groups),
        _curves(groups),
        _commands(groups),
    ]
    several = len(groups) > 1
    of = f"{len(groups)} set-ups" if several else next(iter(groups))
    num_runs = sum(map(len, groups.values()))
    return Page(
        title=f"{of} on {first.run.data.name}, {num_runs} runs",
        lead=f"{'Lowest mean test error' if several else 'Test error'} in percent: "
        f"{spread(summaries[best])}{f', of {best}' if several else ''}.",
        sections=tuple(section for section in sections if section.blocks),
    )


def summary(groups: Groups, *, missing: Sequence[str]) -> dict[str, Any]:
    """What the page rests on, as JSON values."""
    return {
        "groups": {
            label: {
                "test_error": asdict(summarise(list(errors(runs).values()))),
                "records": [run.record for run in runs],
            }
            for label, runs in groups.items()
        },
        "paired": [
            {"one": one, "other": other, **asdict(test)} for one, other, test in tests(groups)
        ],
        "missing": list(missing),
    }


def errors(runs: Sequence[Finished]) -> dict[int, float]:
    """Test errors by seed."""
    return {run.run.seed: run.record["test_error"] for run in runs}


def tests(groups: Groups) -> list[tuple[str, str, Paired]]:
    """The paired test of each two groups that share a seed."""
    return [
        (one, other, paired(errors(groups[one]), errors(groups[other])))
        for one, other in combinations(groups, 2)
        if errors(groups[one]).keys() & errors(groups[other]).keys()
    ]


def spread(found: Summary) -> str:
    """A mean with its deviation, as the papers print it."""
    sd = "" if found.sd is None else f" ± {found.sd:.2f}"
    return f"{found.mean:.2f}{sd} (n = {found.n})"


def between(found: Summary) -> str:
    """An interval, or why there is none."""
    if found.interval is None:
        return "one seed has none"
    low, high = (f"{end:.2f}".replace("-", "−") for end in found.interval)
    return f"{low} to {high}".replace(" ", "\N{NO-BREAK SPACE}")


def _printed(runs: Sequence[Finished]) -> tuple[str, float | None]:
    """The errors that papers print about a net, and the first of them, or its mean, as a number."""
    run = runs[0].run
    found = [fact for fact in papers.errors(run.net, run.data.name) if fact.error != "fail"]
    if not found:
        return "–", None
    shown = ", ".join(dict.fromkeys(fact.printed_error for fact in found))
    return shown, float(found[0].error_mean or found[0].error or "nan")


def _errors(groups: Groups, summaries: dict[str, Summary]) -> Section:
    columns = (
        *("set-up", "seeds", "test error, %", "sd", "95 % interval of the mean"),
        *("printed in papers, %", "parameters", "images/s"),
    )
    means = tuple(_means(label, runs, summaries[label]) for label, runs in groups.items())
    chart = charts.intervals(
        [
            (label, list(errors(runs).values()), summaries[label], _printed(runs)[1])
            for label, runs in groups.items()
        ],
        x="test error, %",
    )
    seeds: tuple[tuple[Cell, ...], ...] = tuple(
        (label, run.run.seed, run.record["test_error"], run.record["val_error"], run.run.key)
        for label, runs in groups.items()
        for run in sorted(runs, key=lambda run: run.run.seed)
    )
    return Section(
        title="Test error",
        blocks=(
            Grid(columns=columns, rows=means),
            Chart(name="intervals", title="Every seed, means and their intervals", svg=chart),
            Grid(columns=("set-up", "seed", "test, %", "validation, %", "run"), rows=seeds),
        ),
    )


def _means(label: str, runs: Sequence[Finished], found: Summary) -> tuple[Cell, ...]:
    speed = fmean(run.record["images_per_second"] for run in runs)
    return (
        *(label, found.n, found.mean, found.sd, between(found)),
        *(_printed(runs)[0], runs[0].record["params"], speed),
    )


def _paired(groups: Groups) -> Section:
    found = tests(groups)
    rows = tuple(
        (
            f"{one} minus {other}",
            test.difference.n,
            test.difference.mean,
            between(test.difference),
            test.t,
            test.p,
            _said(test),
        )
        for one, other, test in found[:MOST_PAIRED]
    )
    columns = ("difference", "seeds of both", "points", "95 % interval", "t", "p", "so")
    note = (
        f"Student's paired t-test, seed by seed; it takes {MIN_SEEDS} seeds. With several tests "
        f"side by side, one in twenty is below p = 0.05 by chance alone."
    )
    if len(found) > MOST_PAIRED:
        note += f" {len(found) - MOST_PAIRED} more pairs are left out: name fewer runs to see them."
    blocks = (Grid(columns=columns, rows=rows, note=note),) if rows else ()
    return Section(title="Differences, seed by seed", blocks=blocks)


def _said(test: Paired) -> str:
    if test.difference.n < MIN_SEEDS:
        return f"undecided: {MIN_SEEDS} seeds are needed"
    if test.p is None:
        return "the same for every seed"
    if test.p >= 1 - LEVEL:
        return "not told apart"
    return "the first is better" if test.difference.mean < 0 else "the second is better"


def _curves(groups: Groups) -> Section:
    """Mean errors over the epochs, of no more set-ups than there are colours."""
    blocks: list[Chart | Text] = []
    for name, label in (
        ("train_error", "Training error, augmented"),
        ("val_error", "Validation error"),
    ):
        curves: list[Line] = []
        for group, runs in groups.items():
            columns = list(zip(*(run.metrics for run in runs), strict=False))
            if columns and all(epoch[name] is not None for epochs in columns for epoch in epochs):
                means = [fmean(epoch[name] for epoch in epochs) for epochs in columns]
                curves.append(Line(group, range(1, len(means) + 1), means))
        if len(curves) > MOST_CURVES:
            few = f"{MOST_CURVES} curves can be told apart: name fewer runs to see them"
            blocks.append(Text(text=f"{label}: {len(curves)} curves are left out. {few}."))
        elif curves:
            svg = charts.lines(curves, x="epoch", y="error, %")
            blocks.append(Chart(name=name, title=f"{label}, mean over seeds", svg=svg))
    return Section(title="Learning", blocks=tuple(blocks))


def _commands(groups: Groups) -> Section:
    runs = [run for group in groups.values() for run in group]
    text = "\n".join(commands.train(run.run) for run in runs)
    devices = ", ".join(dict.fromkeys(run.record["device"] for run in runs))
    return Section(
        title="To do it again", blocks=(Code(text=text), Text(text=f"Computed on {devices}."))
    )
