"""The papers' figures against our closed form: integers, printed digits, stated deviations."""

import dataclasses
import functools
from fractions import Fraction

import pytest

from residua.arch import count, names, papers
from residua.arch.layers import walk
from residua.arch.papers import Counts, Deviation, Elsewhere, Fact
from residua.arch.plan import plan
from residua.arch.spec import Additive, ResidualSpec, Spec

TABLES = papers.tables()


def spec_of(net: str, num_classes: int) -> Spec:
    """A named net with so many classes."""
    return dataclasses.replace(names.spec(net), num_classes=num_classes)


@functools.cache
def counted(net: str, num_classes: int) -> count.Totals:
    """Our exact counts, once for each net."""
    return count.totals(spec_of(net, num_classes))


def ours(fact: Fact, metric: str) -> int:
    """Our exact count of what a fact prints."""
    return getattr(counted(fact.net, papers.CLASSES[fact.dataset]), metric)


PRINTED = [
    (fact, metric)
    for fact in TABLES.facts
    for metric in ("params", "macs")
    if getattr(fact, metric) is not None
]


@pytest.mark.parametrize("row", TABLES.counts, ids=lambda row: f"{row.net}-{row.num_classes}")
def test_exact_integers_are_ours(row: Counts):
    """Parameters, those without BN, multiply-adds and features, where they are known."""
    spec = spec_of(row.net, row.num_classes)
    totals = counted(row.net, row.num_classes)
    found = {**dataclasses.asdict(totals), "out_features": count.out_features(spec)}
    known = {key: getattr(row, key) for key in found if getattr(row, key) is not None}
    assert known == {key: found[key] for key in known}


@pytest.mark.parametrize(
    ("fact", "metric"),
    PRINTED,
    ids=[f"{fact.net}-{fact.dataset}-{metric}-{fact.where}" for fact, metric in PRINTED],
)
def test_printed_counts_are_ours_rounded_or_deviate_for_a_reason(fact: Fact, metric: str):
    """Rounded to the printed digits ours is the printed one, unless a deviation says why not."""
    value = getattr(fact, metric)
    deviation = papers.deviation(fact.net, fact.dataset, metric=metric)
    assert (deviation is None) == (value == papers.rounded(ours(fact, metric), like=value))


@pytest.mark.parametrize("deviation", TABLES.deviations, ids=lambda row: row.why)
def test_every_deviation_is_about_printed_values(deviation: Deviation):
    """Each of its nets has a fact that prints what it excuses; the reason is said."""
    assert deviation.why
    if deviation.metric == "depth":
        assert {names.entry(net).name for net in deviation.nets} <= set(names.names())
        return
    for net in deviation.nets:
        facts = [fact for fact, metric in PRINTED if metric == deviation.metric]
        assert [
            fact for fact in facts if fact.net == net and deviation.dataset in {None, fact.dataset}
        ]


def test_no_value_has_two_deviations():
    """Each net, data set and metric is excused at most once."""
    excused = [
        (row.metric, net, dataset)
        for row in TABLES.deviations
        for net in row.nets
        for dataset in ([row.dataset] if row.dataset else papers.CLASSES)
    ]
    assert len(set(excused)) == len(excused)


def test_a_fact_is_about_a_listed_net_and_says_where():
    """Its net is in the public list, its source is known, its figures are numbers or a failure."""
    listed = set(names.names())
    for fact in TABLES.facts:
        assert fact.net in listed
        assert (fact.dataset == "imagenet") == fact.net.startswith("imagenet/")
        assert fact.where
        assert fact.recipe_note
        assert fact.confidence in {"paper", "authors' code", "quoted", "computed"}
        for figure in (fact.error, fact.error_mean, fact.error_std, fact.error_top5):
            assert figure is None or figure == "fail" or 0 < float(figure) < 100


def test_only_what_is_known_is_printed():
    """Every error of a paper's own table names a paper of ours."""
    keys = {paper.key for paper in TABLES.papers}
    for fact in TABLES.facts:
        if fact.confidence == "paper":
            assert fact.where.split()[0].rstrip(",") in keys, fact.where


@pytest.mark.parametrize("net", TABLES.widths)
def test_widths_are_the_authors(net: str):
    """The inner width of every unit of a PyramidNet, as the authors' code has it."""
    assert TABLES.widths[net] == [row.c_mid for row in plan(names.spec(net))]


class Floored(Additive):
    """Additive widths rounded down."""

    def width(self, index: int, *, stage: int, num_units: int, start: int) -> int:  # noqa: ARG002 - one signature for all rules
        """Width of a unit."""
        return start + int(Fraction(self.alpha) * (index + 1) / num_units)


def elsewhere(spec: Spec, difference: str) -> int:
    """Parameters of a net that differs from ours in one thing."""
    assert isinstance(spec, ResidualSpec)
    if difference == "biases":
        biases = [layer.c_out for layer, _ in walk(spec) if layer.kind == "conv"]
        return count.params(spec) + sum(biases)
    assert isinstance(spec.widths, Additive)
    return count.params(dataclasses.replace(spec, widths=Floored(alpha=spec.widths.alpha)))


@pytest.mark.parametrize(
    "row", TABLES.elsewhere, ids=lambda row: f"{row.net}-{row.num_classes}-{row.difference}"
)
def test_other_nets_of_the_name_differ_in_what_is_said(row: Elsewhere):
    """With that one difference ours has their count, without it another."""
    spec = spec_of(row.net, row.num_classes)
    assert row.params == elsewhere(spec, row.difference)
    assert row.params != counted(row.net, row.num_classes).params
