"""Nets beside each other: what is printed of them, and what the figures' words are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from residua.studies import comparison
from residua.studies.comparison import Printed
from residua.studies.findings import Paper
from residua.studies.named import degradation

ERRORS = {"plain-20": [(30.0, 35.0), (32.0, 37.0)], "resnet-20": [(20.0, 25.0)]}


@pytest.fixture
def evidence(made_up: Callable[..., Any]) -> Any:
    """Two finished runs of one net, one of another, none of the rest."""
    return made_up(degradation.EXPERIMENT.runs, ERRORS)


def test_an_error_is_found_by_net_and_place():
    """Two tables of one paper may print two errors of one net; some nets have none."""
    expected = Paper(value="6.43", where="he2015 Table 6")
    assert expected == Printed("resnet-110", "he2015").paper("cifar10")
    expected = Paper(value="6.61", where="he2016 Table 2")
    assert expected == Printed("resnet-110", "he2016 Table 2").paper("cifar10")
    assert Printed("plain-20", "he2015").paper("cifar10") is None


def test_an_error_is_of_one_data_set():
    """On another, another is printed, or none."""
    net = Printed("preresnet-164-bottleneck", "he2016 Table")
    found = [net.paper(data) for data in ("cifar10", "cifar100", "svhn", "synthetic")]
    assert ["5.46", "24.33", None, None] == [paper and paper.value for paper in found]


def test_whitened_images_are_another_matter():
    """zagoruyko2016's Table 4 is left out, so no claim mixes it with the others."""
    whitened, plain = Printed("wrn-40-2", "zagoruyko2016"), Printed("wrn-16-8", "zagoruyko2016")
    assert whitened.paper("cifar10") is None
    assert Paper(value="4.27", where="zagoruyko2016 Table 5") == plain.paper("cifar10")
    assert comparison.against(plain, whitened, data="cifar10") is None


def test_two_printed_errors():
    """Both with their nets, and the place once if it is one."""
    found = comparison.against(
        Printed("preresnet-110", "he2016 Table 2"),
        Printed("resnet-110", "he2016 Table 2"),
        data="cifar10",
    )
    expected = "6.37 (preresnet-110) against 6.61 (resnet-110)"
    assert Paper(value=expected, where="he2016 Table 2") == found
    plain, residual = Printed("plain-20", ""), Printed("resnet-20", "")
    assert comparison.against(plain, residual, data="cifar10") is None


def test_words_for_titles(evidence: Any):
    """A change in points with its sign, a ratio; or that they are not known."""
    assert "-11.0 points" == comparison.change(evidence, "resnet-20", since="plain-20")
    assert "not yet known" == comparison.change(evidence, "resnet-56", since="plain-20")
    assert "0.95 times" == comparison.ratio(
        evidence, "resnet-20", to="plain-20", metric="train_seconds"
    )


def test_times_of_two_devices_do_not_compare(made_up: Callable[..., Any]):
    """Neither in a title nor on an axis; other values do."""
    evidence = made_up(degradation.EXPERIMENT.runs, ERRORS, devices={"resnet-20": "other"})
    expected = "an unknown multiple of"
    assert expected == comparison.ratio(
        evidence, "resnet-20", to="plain-20", metric="train_seconds"
    )
    assert comparison.seconds(evidence).endswith("(different devices)")
    assert "1.00" in comparison.ratio(evidence, "resnet-20", to="plain-20", metric="params")


def test_a_row_is_of_the_data_set(made_up: Callable[..., Any]):
    """ResNet-20 has 5,850 weights more for 100 classes, and nothing is printed of it there."""
    evidence = made_up(degradation.EXPERIMENT.runs, ERRORS, data="cifar100")
    counterparts = {"resnet-20": Printed("resnet-20", "he2015")}
    table = comparison.table(evidence, ["resnet-20"], title="t", counterparts=counterparts)
    (row,) = table.rows
    assert (275_572, None, None) == (row[1], row[-2], row[-1])


def test_bars(evidence: Any):
    """Only nets with records; the deviation is unknown with one seed; "fail" is no number."""
    figure = comparison.bars(
        evidence,
        list(evidence.runs),
        name="bars",
        title="title",
        counterparts={
            "plain-20": Printed("resnet-110+dropped-0.5", ""),
            "resnet-20": Printed("resnet-20", "he2015"),
        },
    )
    plain, residual = figure.data["bars"]
    assert ("plain-20", 36.0, None, True) == tuple(
        plain[key] for key in ("label", "value", "paper", "base")
    )
    assert 2**0.5 == pytest.approx(plain["sd"])
    assert ("resnet-20", 25.0, None, 8.75) == tuple(
        residual[key] for key in ("label", "value", "sd", "paper")
    )
    assert "printed for the paper's larger nets, trained in full" == figure.data["paper"]


def test_a_papers_own_nets_are_not_larger(evidence: Any):
    """Where ours have their names."""
    counterparts = {"resnet-20": Printed("resnet-20", "he2015")}
    figure = comparison.bars(
        evidence, ["resnet-20"], name="bars", title="title", counterparts=counterparts
    )
    assert "printed for the paper's nets, trained in full" == figure.data["paper"]


def test_the_note_says_how_it_was_made(evidence: Any):
    """Budget, images, recipe, and between how many seeds."""
    expected = "budget laptop: cifar10, 9,000 training images; laptop: 5 epochs; seeds: 0–2"
    assert expected == comparison.note(evidence)
