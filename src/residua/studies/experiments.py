"""A study as a value: a question, the runs that it takes, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from residua.studies.budgets import Budget, Runs
from residua.studies.evidence import Evidence
from residua.studies.findings import Claim, Figure, Table, Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a study makes of its runs; the fields are those of its findings.

    Attributes:
        runs: The finished runs that it rests on beside the study's own.
    """

    claims: tuple[Claim, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    deviations: tuple[str, ...] = ()
    runs: tuple[Trained, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question to trained nets.

    Attributes:
        name: What it is asked for by.
        question: What it asks, in a sentence.
        source: Whose claims it looks into, with section, table or figure.
        rule: What decides between confirmed, refuted and undecided, in words.
        runs: Maps a budget and seeds to the runs of each label.
        analyse: Maps what has been run to tables, figures and claims.
        takes_weights: Whether it can look at any trained nets in place of its runs'.
    """

    name: str
    question: str
    source: str
    rule: str
    runs: Callable[[Budget, Sequence[int]], Runs]
    analyse: Callable[[Evidence], Analysis]
    takes_weights: bool = False
