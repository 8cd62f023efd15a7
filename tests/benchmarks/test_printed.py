"""Printed errors: which runs stand beside which, and that none is missing."""

from dataclasses import replace

import pytest

from benchmarks import printed
from benchmarks.groups import NBSP, grouped
from residua.arch import papers
from residua.training import presets
from residua.training.recipes import Augment, rescaled

PM = f"{NBSP}±{NBSP}"
HE2015, WIDE, ZCA, PLAIN = map(
    presets.get, ("he2015", "zagoruyko2016", "zagoruyko2016-zca", "huang2017-plain")
)
FAST = replace(HE2015, name="fast-he2015")


def found(record) -> list[str]:
    """The printed errors that a run stands beside."""
    (group,) = grouped([record])
    return [row.error for row in printed.printed() if row.answered_by(group)]


@pytest.mark.parametrize(
    ("net", "recipe", "expected"),
    [
        ("resnet-20", HE2015, ["8.75"]),
        ("resnet-20", rescaled(HE2015, 16), ["8.75"]),
        ("resnet-20", FAST, ["8.75"]),
        ("resnet-20", presets.get("han2017"), []),
        ("resnet-110", HE2015, [f"6.43 (mean 6.61{PM}0.16)"]),
        ("resnet-110", presets.get("he2016"), ["6.61"]),
        ("resnet-110", FAST, [f"6.43 (mean 6.61{PM}0.16)", "6.61"]),
        ("wrn-16-8", WIDE, ["4.27"]),
        ("wrn-16-8", ZCA, ["4.81"]),
        ("wrn-16-8", FAST, ["4.81", "4.27"]),
        ("densenet-40-12+dropout-0.2", PLAIN, ["7.00"]),
        ("densenet-40-12", PLAIN, []),
        ("densenet-40-12", presets.get("huang2017"), ["5.24"]),
        ("sd-resnet-110", presets.get("huang2016"), ["5.25"]),
        ("sd-resnet-110", replace(FAST, augment=Augment(pad=0, flip=False)), ["11.66"]),
        ("pyramidnet-110-a48", presets.get("han2017"), ["4.62"]),
        ("preresnet-1001-bottleneck", presets.get("he2016"), [f"4.92 (mean 4.89{PM}0.14)"]),
        ("resnet-8", HE2015, []),
    ],
)
def test_runs_stand_beside_what_they_try_to_reach(kept, net, recipe, expected):
    """A paper's recipe beside its own figures for such images, a fast one beside all."""
    assert expected == found(kept(recipe, net=f"cifar/{net}"))


def test_figures_of_another_data_set_are_not_answered(kept):
    """CIFAR-100's stand for themselves."""
    data = {"name": "cifar100", "val_size": 5000, "train_limit": None, "image_size": 32}
    assert ["20.43"] == found(kept(WIDE, net="cifar/wrn-16-8", data=data))


def test_every_error_on_cifar_has_its_row():
    """Once for each source and value, empty where nobody ran it."""
    facts = [fact for fact in papers.tables().facts if fact.dataset in printed.DATA and fact.error]
    rows = printed.printed()
    assert len(facts) == sum(len(row.facts) for row in rows)
    sheets = [printed.comparison([], of=paper.key) for paper in papers.tables().papers]
    assert len(rows) == sum(len(sheet.rows) for sheet in sheets)
    assert all(("–",) * 5 == row[5:10] for sheet in sheets for row in sheet.rows)


def test_what_is_only_quoted_is_never_a_papers_own():
    """It stands in brackets, and says where it is quoted."""
    quoted = [row for row in printed.printed() if row.fact.confidence == "quoted"]
    assert quoted
    for row in quoted:
        assert row.error.startswith("(")
        assert "quoted" in row.where


def test_places_of_one_figure_are_named_together(kept):
    """He et al. 2016 print 6.61 in four tables."""
    (row,) = [
        row
        for row in printed.printed()
        if row.answered_by(grouped([kept(presets.get("he2016"), net="cifar/resnet-110")])[0])
    ]
    assert "Table 1, Table 2, Tables 3-4" == row.where


def test_rows_with_runs_hold_all_that_was_asked(kept):
    """Mean and deviation, the flip view's, number, epochs, seconds, recipe and device."""
    made = [kept(HE2015, seed=seed, test_error=8 + seed, at_once=6) for seed in range(3)]
    cells = (
        *("he2015", "8.75", f"9.00{PM}1.00", f"8.50{PM}0.00"),
        *("3", "16", "1,500 (6 at once)", "A processor, threads: 2"),
    )
    sheet = printed.short(grouped(made))
    assert (("`cifar/resnet-20`", "C10", "he2015", *cells),) == sheet.rows
    page = printed.comparison(grouped(made), of="he2015")
    first, second, *_ = page.rows
    assert cells == first[3:]
    assert ("`cifar/resnet-32`", "Table 6 (1)", "7.51") == (second[0], second[2], second[4])
    assert page.note.startswith("(1) crops and flips, per-pixel mean; 64k iterations")
    assert len(sheet.headings) == len(sheet.rows[0]) == len(first)


def test_time_to_the_lowest_figure(kept):
    """Fast runs alone are judged, against the figure without whitening."""
    groups = grouped(
        [
            kept(replace(FAST, name="fast-2"), net="cifar/wrn-16-8", test_error=4.5),
            kept(FAST, test_error=8.7),
            kept(HE2015),
            kept(FAST, net="cifar/resnet-8"),
            kept(FAST, net="cifar/resnet-110+scale-0-1"),  # printed as fail, which is no number
        ]
    )
    _, *rows = printed.time_to_error(groups).lines()
    assert [("4.5 (≤ 4.27)", "NO"), ("8.7 (≤ 8.75)", "yes")] == sorted(
        (row[-2], row[-1]) for row in rows
    )
