"""Papers: printed values are kept as printed, the listing is the contract's."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua import UsageError
from residua.arch import count, names, papers


def test_papers_are_found_by_their_key():
    """Authors, year, title and arXiv number."""
    paper = papers.paper("he2015")
    assert ("Deep Residual Learning for Image Recognition", 2015) == (paper.title, paper.year)
    assert "1512.03385" == paper.arxiv
    with pytest.raises(UsageError, match="no paper 'he2014'; there are he2015, he2016, "):
        papers.paper("he2014")


def test_a_post_has_no_arxiv_number():
    """Not every source is a paper."""
    assert None is papers.paper("post2018").arxiv


def test_every_net_has_a_known_source():
    """The paper of each named net is in the table."""
    assert {names.entry(name).paper for name in names.names()} <= {
        paper.key for paper in papers.tables().papers
    }


def test_facts_of_a_net_are_as_printed():
    """ResNet-110's first fact, field by field."""
    fact = papers.facts("cifar/resnet-110")[0]
    assert ("6.43", "0.16", "1.7M") == (fact.error, fact.error_std, fact.params)
    assert ("cifar10", "he2015 Table 6", "paper") == (fact.dataset, fact.where, fact.confidence)
    assert "best of five" in fact.recipe_note
    assert fact.printed


@pytest.mark.parametrize(
    ("net", "place", "shown"),
    [
        ("cifar/resnet-20", "he2015 Table 6", "8.75"),
        ("cifar/resnet-110", "he2015 Table 6", "6.43 (mean 6.61 ± 0.16)"),
        ("cifar/pyramidnet-110-a270", "authors' repository", "3.73 ± 0.04"),
    ],
)
def test_a_deviation_stands_beside_its_mean(net: str, place: str, shown: str):
    """Some sources print the best or the median of runs, and the deviation of them all."""
    (fact,) = (fact for fact in papers.errors(net, "cifar10") if fact.where.startswith(place))
    assert shown == fact.printed_error


def test_a_mean_is_told_where_the_error_is_another_statistic():
    """In the note, for the listing has no room of its own for it."""
    (row,) = (row for row in papers.listing("resnet") if row["name"] == "cifar/resnet-110")
    assert row["facts"][0]["recipe_note"].endswith("best of five runs, mean 6.61")


def test_a_net_that_nobody_reports_has_no_facts():
    """Any legal name may be asked."""
    assert () == papers.facts("cifar/resnet-14")


def test_what_is_computed_is_not_printed():
    """He 2015 has no CIFAR-100: such a row holds nothing but its place."""
    computed = [fact for fact in papers.tables().facts if fact.confidence == "computed"]
    assert 6 == len(computed)
    assert [] == [fact for fact in computed if fact.printed]


@pytest.mark.parametrize(
    ("value", "like", "expected"),
    [
        (269_722, "0.27M", "0.27M"),
        (1_727_962, "1.7M", "1.7M"),
        (1_772_706, "1.7M", "1.8M"),
        (1_750_000, "1.7M", "1.8M"),
        (1_749_999, "1.7M", "1.7M"),
        (55_841_754, "56e6", "56e6"),
        (11_282_415_616, "11.3e9", "11.3e9"),
        (15_049_999, "15.0M", "15.0M"),
    ],
)
def test_counts_are_rounded_to_the_printed_digits(value: int, like: str, expected: str):
    """Half up, in the printed unit, with the printed decimals."""
    assert expected == papers.rounded(value, like=like)


@given(value=st.integers(0, 10**12), like=st.sampled_from(["0.27M", "1.7M", "56e6", "3.6e9"]))
def test_rounding_is_within_half_a_digit(value: int, like: str):
    """The rounded text is a number no further away than half of its last digit."""
    text = papers.rounded(value, like=like)
    unit = 1e9 if like.endswith("e9") else 1e6
    decimals = len(like.rstrip("M").partition("e")[0].partition(".")[2])
    number = float(text.rstrip("M").partition("e")[0]) * unit
    assert abs(number - value) <= unit / 10**decimals / 2 * (1 + 1e-9)


def test_a_deviation_belongs_to_a_net_and_its_data_set():
    """Printed once for ten classes: the count of a hundred deviates, that of ten does not."""
    net = "cifar/wrn-40-4"
    deviation = papers.deviation(net, "cifar100", metric="params")
    assert deviation
    assert "ten classes" in deviation.why
    assert None is papers.deviation(net, "cifar10", metric="params")
    assert None is papers.deviation(net, "cifar100", metric="macs")
    assert papers.deviation("imagenet/densenet-264", metric="depth")


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """The listing of all nets."""
    return papers.listing()


def test_the_listing_has_the_contracts_shape(rows: list[dict]):
    """One row a named net, with these keys and no others, and counts of our own."""
    assert list(names.names()) == [row["name"] for row in rows]
    for row in rows:
        assert ["name", "paper", "depth", "params", "macs", "facts"] == list(row)
        for fact in row["facts"]:
            assert [
                *("dataset", "error", "error_std"),
                *("params_printed", "where", "recipe_note"),
            ] == list(fact)
    row = next(row for row in rows if row["name"] == "cifar/resnet-20")
    spec = names.spec("cifar/resnet-20")
    assert (20, count.params(spec), count.macs(spec)) == (row["depth"], row["params"], row["macs"])
    assert [("cifar10", 8.75, "0.27M")] == [
        (fact["dataset"], fact["error"], fact["params_printed"]) for fact in row["facts"]
    ]


def test_the_listing_holds_every_printed_fact(rows: list[dict]):
    """Nothing that a paper prints is lost on the way."""
    listed = sum(len(row["facts"]) for row in rows)
    assert sum(fact.printed for fact in papers.tables().facts) == listed


def test_the_listing_of_a_family():
    """Only its nets; an unknown one is refused."""
    assert list(names.names("wrn")) == [row["name"] for row in papers.listing("wrn")]
    with pytest.raises(UsageError, match="no family 'vgg'"):
        papers.listing("vgg")


def test_tables_are_read_once():
    """The same object again: reading is not repeated."""
    assert papers.tables() is papers.tables()
    with pytest.raises(dataclasses.FrozenInstanceError):
        papers.tables().facts = ()  # type: ignore[misc]
