"""The papers' figures as data: what was printed, where, and where our counts differ and why.

Everything is read from ``facts.json`` beside this file.  Printed values are kept as printed
("1.7M", "6.43"), so that nothing is gained or lost by rounding.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Literal

from residua.arch import count, names
from residua.errors import UsageError

CLASSES = {"cifar10": 10, "cifar100": 100, "svhn": 10, "imagenet": 1000}
UNITS = {"M": Decimal(10**6), "e6": Decimal(10**6), "e9": Decimal(10**9)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A source of nets.

    Attributes:
        key: What the rest of this project calls it.
        authors: Family names.
        year: Of publication.
        title: As printed.
        arxiv: Its arXiv number, if it has one.
    """

    key: str
    authors: str
    year: int
    title: str
    arxiv: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a source prints about one net on one data set; None where it prints nothing.

    Attributes:
        net: Our name of the net.
        dataset: cifar10, cifar100, svhn or imagenet.
        error: Test error in percent (top-1 on ImageNet), or "fail".
        error_mean: Its mean over runs, where ``error`` is their best or their median instead.
        error_std: Standard deviation over runs.
        error_top5: Top-5 error in percent.
        params: Number of parameters, such as "1.7M".
        macs: Multiply-adds, such as "1.8e9".
        where: Paper and table, or the authors' repository.
        confidence: paper: read in its text; authors' code: in their repository; quoted: by
            somebody else; computed: nothing is printed, only our counts stand here.
        recipe_note: What to know about the training before comparing.
    """

    net: str
    dataset: str
    error: str | None = None
    error_mean: str | None = None
    error_std: str | None = None
    error_top5: str | None = None
    params: str | None = None
    macs: str | None = None
    where: str
    confidence: Literal["paper", "authors' code", "quoted", "computed"]
    recipe_note: str

    @property
    def printed(self) -> bool:
        """Whether the source prints anything about this net."""
        return any((self.error, self.params, self.macs))

    @property
    def printed_error(self) -> str:
        """The error with its deviation, and with the mean that it belongs to if that is another."""
        if self.error is None or self.error_std is None:
            return f"{self.error}"
        if self.error_mean is None:
            return f"{self.error} ± {self.error_std}"
        return f"{self.error} (mean {self.error_mean} ± {self.error_std})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Exact counts of a net with so many classes, found without this package's code.

    Attributes:
        net: Our name of the net.
        num_classes: Outputs of the classifier.
        params: Trainable parameters, BN's included.
        params_no_bn: Those of convolutions and classifier alone.
        macs: Multiply-adds of convolutions and classifier for one image.
        out_features: Channels that reach the classifier.
    """

    net: str
    num_classes: int
    params: int
    params_no_bn: int | None = None
    macs: int | None = None
    out_features: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The parameters of a net that others build under the same name.

    Attributes:
        net: Our name of the net.
        num_classes: Outputs of the classifier.
        params: Trainable parameters of theirs.
        difference: biases: every convolution has a bias; floor: widths are rounded down.
    """

    net: str
    num_classes: int
    params: int
    difference: Literal["biases", "floor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Why a printed value is not our net's, rounded to the printed digits.

    Attributes:
        metric: What deviates; depth is the one in the name.
        nets: Our names of the nets.
        dataset: The data set, or None for all.
        why: The reason.
    """

    metric: Literal["params", "macs", "depth"]
    nets: tuple[str, ...]
    dataset: str | None = None
    why: str


@dataclass(frozen=True, slots=True)
class Tables:
    """All of ``facts.json``; ``widths`` holds the inner width of every unit of some nets."""

    papers: tuple[Paper, ...]
    facts: tuple[Fact, ...]
    counts: tuple[Counts, ...]
    elsewhere: tuple[Elsewhere, ...]
    deviations: tuple[Deviation, ...]
    widths: dict[str, list[int]]


@functools.cache
def tables() -> Tables:
    """Read ``facts.json``, once."""
    content = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))
    return Tables(
        papers=tuple(Paper(**row) for row in content["papers"]),
        facts=tuple(Fact(**row) for row in content["facts"]),
        counts=tuple(Counts(**row) for row in content["counts"]),
        elsewhere=tuple(Elsewhere(**row) for row in content["elsewhere"]),
        deviations=tuple(
            Deviation(nets=tuple(row.pop("nets")), **row) for row in content["deviations"]
        ),
        widths=content["widths"],
    )


def paper(key: str) -> Paper:
    """A paper by its key.

    Raises:
        UsageError: No such paper.
    """
    known = {paper.key: paper for paper in tables().papers}
    if key not in known:
        raise UsageError(f"no paper {key!r}; there are {', '.join(known)}")
    return known[key]


def facts(name: str) -> tuple[Fact, ...]:
    """What is printed about a net, in the order of the sources."""
    return _by_net().get(name, ())


def errors(name: str, dataset: str) -> tuple[Fact, ...]:
    """The errors printed about a net on a data set, in the order of the sources."""
    return tuple(fact for fact in facts(name) if fact.dataset == dataset and fact.error is not None)


def deviation(name: str, dataset: str | None = None, *, metric: str) -> Deviation | None:
    """Why a net has another value than the printed one, if it has."""
    for row in tables().deviations:
        if row.metric == metric and name in row.nets and row.dataset in {None, dataset}:
            return row
    return None


def rounded(value: int, *, like: str) -> str:
    """A count in the unit and with the digits of a printed one: 1727962 like "1.7M" is "1.7M"."""
    digits = like.rstrip("M").partition("e")[0]
    unit = like.removeprefix(digits)
    exact = Decimal(value) / UNITS[unit]
    return f"{exact.quantize(Decimal(digits), rounding=ROUND_HALF_UP)}{unit}"


def listing(family: str | None = None) -> list[dict[str, Any]]:
    """The named nets with the papers' figures, as ``residua list --json`` prints them.

    Raises:
        UsageError: No such family.
    """
    rows: list[dict[str, Any]] = []
    for name in names.names(family):
        entry = names.entry(name)
        totals = count.totals(entry.spec)
        rows.append(
            {
                "name": name,
                "paper": entry.paper,
                "depth": entry.depth,
                "params": totals.params,
                "macs": totals.macs,
                "facts": [_listed(fact) for fact in facts(name) if fact.printed],
            }
        )
    return rows


def _listed(fact: Fact) -> dict[str, str | float | None]:
    return {
        "dataset": fact.dataset,
        "error": _number(fact.error),
        "error_std": _number(fact.error_std),
        "params_printed": fact.params,
        "where": fact.where,
        "recipe_note": fact.recipe_note + (f", mean {fact.error_mean}" if fact.error_mean else ""),
    }


def _number(printed: str | None) -> str | float | None:
    """A printed value as a number; "fail" stays what it is."""
    return printed if printed is None or printed == "fail" else float(printed)


@functools.cache
def _by_net() -> dict[str, tuple[Fact, ...]]:
    found: dict[str, list[Fact]] = {}
    for fact in tables().facts:
        found.setdefault(fact.net, []).append(fact)
    return {net: tuple(rows) for net, rows in found.items()}
