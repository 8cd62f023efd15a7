"""The page of a study: its question, what the paper prints beside ours, and the verdicts."""

from __future__ import annotations

import re
from collections import Counter

from residua.reports.charts import intervals
from residua.reports.comparison import between, spread
from residua.reports.page import Cell, Chart, Code, Grid, Page, Section, Text, duration
from residua.runs.config import by_path
from residua.studies.findings import Claim, Figure, Findings
from residua.studies.stats import Summary, summarise

# An error as a claim's paper prints it: alone, with its deviation, or before the mean of its runs.
ERROR = re.compile(r"(?:\S+ \(mean )?(\d+(?:\.\d+)?)(?: ±|$)")


def page(found: Findings, drawings: dict[str, str]) -> Page:
    """The page of a study.

    Args:
        found: What it came to.
        drawings: Its figures as SVG, by name; those that could not be drawn are absent.
    """
    sections = (
        Section(
            title="Missing", blocks=tuple(Text(text=line, mark="missing") for line in found.missing)
        ),
        Section(title="Verdicts", blocks=_verdicts(found)),
        Section(title="Figures", blocks=tuple(_drawn(each, drawings) for each in found.figures)),
        Section(title="Numbers", blocks=_tables(found)),
        Section(title="Set-up", blocks=_set_up(found)),
        Section(title="Runs", blocks=_runs(found)),
        Section(title="To do it again", blocks=(Code(text=found.command),)),
        Section(title="Environment", blocks=_environment(found)),
    )
    return Page(
        title=f"{found.study}: {found.question}",
        lead=_lead(found),
        sections=tuple(section for section in sections if section.blocks),
    )


def _lead(found: Findings) -> str:
    counts = Counter(claim.verdict for claim in found.claims)
    verdicts = ", ".join(f"{counts[name]} {name}" for name in ("confirmed", "refuted", "undecided"))
    of = "claim" if len(found.claims) == 1 else "claims"
    runs = "run is" if len(found.missing) == 1 else "runs are"
    missing = f" Half done: {len(found.missing)} {runs} missing." if found.missing else ""
    if not found.claims:
        alone = "Figures and numbers alone: no claim is put to these nets."
        return f"After {found.source}. {alone}{missing}"
    return f"{len(found.claims)} {of} of {found.source}: {verdicts}.{missing}"


def _verdicts(found: Findings) -> tuple[Text | Grid | Chart, ...]:
    blocks: list[Text | Grid | Chart] = [
        Text(text=f"{index}. {claim.statement} ({claim.reason}.)", mark=claim.verdict)
        for index, claim in enumerate(found.claims, 1)
    ]
    rows = tuple(
        row for index, claim in enumerate(found.claims, 1) for row in _compared(index, claim)
    )
    if rows:
        columns = ("claim", "ours", "mean ± sd", "95 % interval", "the paper prints", "in")
        blocks.append(Grid(title="Paper and ours", columns=columns, rows=rows))
    if drawn := _intervals(found):
        svg = intervals(drawn, x="test error, %")
        blocks.append(Chart(name="intervals", title="Every seed, beside what is printed", svg=svg))
    blocks.append(Text(text=f"The rule: {found.rule}"))
    return tuple(blocks)


def _intervals(found: Findings) -> list[tuple[str, list[float], Summary, float | None]]:
    """The claims' values that are test errors of the runs, each once, with one printed error."""
    errors: dict[str, list[float]] = {}
    for run in found.runs:
        errors.setdefault(run.net.partition("/")[2], []).append(run.test_error)
    rows: dict[str, tuple[str, list[float], Summary, float | None]] = {}
    for claim in found.claims:
        for label, summary in claim.ours.items():
            values = errors.get(label, [])
            if values and summarise(values) == summary:
                number = ERROR.match(claim.paper.value) if claim.paper else None
                rows[label] = (label, values, summary, float(number[1]) if number else None)
    return list(rows.values())


def _compared(index: int, claim: Claim) -> list[tuple[Cell, ...]]:
    """Our values of a claim; what the paper prints stands beside the first."""
    value, where = (claim.paper.value, claim.paper.where) if claim.paper else ("no number", "–")
    return [
        (index, label, spread(summary), between(summary), *(("", "") if later else (value, where)))
        for later, (label, summary) in enumerate(claim.ours.items())
    ]


def _drawn(figure: Figure, drawings: dict[str, str]) -> Chart | Text:
    if figure.name not in drawings:
        return Text(mark="missing", text=f"{figure.title}: drawn with pip install 'residua[plots]'")
    return Chart(name=figure.name, title=figure.title, svg=drawings[figure.name], wide=True)


def _tables(found: Findings) -> tuple[Grid, ...]:
    return tuple(
        Grid(title=table.title, columns=table.columns, rows=table.rows, note=table.note)
        for table in found.tables
        if table.rows
    )


def _set_up(found: Findings) -> tuple[Grid, ...]:
    rows = (("budget", found.budget), ("images", found.data), ("source", found.source))
    if not found.deviations:
        return (Grid(rows=rows),)
    notes = Grid(
        title="What differs from the source", rows=tuple((line,) for line in found.deviations)
    )
    return (Grid(rows=rows), notes)


def _runs(found: Findings) -> tuple[Grid, ...]:
    if not found.runs:
        return ()
    columns = ("net", "recipe", "seed", "test error, %", "training time", "device", "run")
    rows = tuple(
        (
            run.net,
            run.recipe,
            run.seed,
            run.test_error,
            duration(run.train_seconds),
            run.device,
            run.key,
        )
        for run in found.runs
    )
    return (Grid(columns=columns, rows=rows),)


def _environment(found: Findings) -> tuple[Grid, ...]:
    rows = tuple((name, str(value)) for name, value in by_path(found.environment).items())
    return (Grid(rows=rows),) if rows else ()
