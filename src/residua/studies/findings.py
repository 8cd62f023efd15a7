"""What a study found: claims with their verdicts, tables and figures, as one JSON document."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from residua.errors import RunError, UsageError
from residua.runs.config import typed
from residua.runs.files import write_json
from residua.studies.stats import Summary

FILE = "findings.json"

Verdict = Literal["confirmed", "refuted", "undecided"]
Cell = str | int | float | None
# How a figure is drawn: residua.studies.figures.drawing has a function for each.
Kind = Literal["bars", "heat", "lines", "points", "units"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A figure as it is printed, and where."""

    value: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim of the source and what came of it.

    Attributes:
        statement: What is claimed, in a sentence that can be false.
        paper: What the source prints about it; None where it prints no number.
        ours: Our values, each a summary over seeds.
        verdict: By the study's rule, which was written down before the runs.
        reason: The numbers that the rule was applied to, with n, or what they lack.
    """

    statement: str
    paper: Paper | None
    ours: dict[str, Summary]
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; None where there is no value."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as data, so that it can be drawn again from this file alone.

    Attributes:
        name: Its file's name, without the suffix.
        kind: How it is drawn.
        title: A sentence that says what is to be seen.
        data: What the function of that kind draws, as plain JSON values.
    """

    name: str
    kind: Kind
    title: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished run, in short; error in percent."""

    key: str
    net: str
    recipe: str
    seed: int
    test_error: float
    train_seconds: float
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a study came to.

    Attributes:
        study: Its name.
        question: What it asks.
        source: Whose claims these are.
        rule: What decides between confirmed, refuted and undecided.
        budget: The budget's name.
        data: The images that were trained on, in words.
        claims: What came of each claim.
        tables: The numbers.
        figures: The pictures.
        deviations: What differs from the source's own set-up.
        runs: The finished runs that this rests on.
        missing: The runs that it lacks, each with the reason.
        command: What makes it anew.
        environment: Versions, device, system and commit.
    """

    study: str
    question: str
    source: str
    rule: str
    budget: str
    data: str
    claims: tuple[Claim, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    deviations: tuple[str, ...]
    runs: tuple[Trained, ...]
    missing: tuple[str, ...]
    command: str
    environment: dict[str, Any] = field(default_factory=dict)


def to_json(findings: Findings) -> dict[str, Any]:
    """Findings as plain JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(findings)))


def from_json(content: object) -> Findings:
    """Findings from what :func:`to_json` made.

    Raises:
        RunError: A key is unknown or missing, or a value has the wrong type.
    """
    return cast("Findings", typed(Findings, content, what="study's findings"))


def write(folder: Path, findings: Findings) -> None:
    """Put ``findings.json`` into a folder.

    Raises:
        OSError: It cannot be written to.
    """
    write_json(folder / FILE, to_json(findings))


def read(folder: Path) -> Findings:
    """The findings in a study's folder.

    Raises:
        UsageError: There are none.
        RunError: The file is damaged.
    """
    file = folder / FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{folder} is no study's folder: {FILE}: {error.strerror}") from None
    try:
        return from_json(json.loads(content))
    except (RunError, ValueError, RecursionError) as error:
        raise RunError(f"{file} is damaged ({error}): run the study again") from None
