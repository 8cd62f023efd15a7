"""Rows as questions: by which recipe, which are refused, and what decides."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from residua.arch import rows
from residua.errors import UsageError
from residua.studies.reproduce import (
    Reproduction,
    budget,
    experiment,
    judged,
    recipe,
    reproduction,
)
from residua.studies.stats import summarise

ROW = "he2015/table6/resnet-20/cifar10"


def asked(name: str = ROW, *settings: str, epochs: float | None = None) -> Reproduction:
    """A reproduction on the row's own images."""
    return reproduction(name, epochs=epochs, data=None, settings=settings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (ROW, "he2015"),
        ("he2016/table1/resnet-110/cifar10", "he2016"),
        ("huang2016/table1/sd-resnet-110/cifar100", "huang2016"),
        ("huang2016/table1/sd-resnet-152/svhn", "huang2016-svhn"),
        ("huang2016/text/sd-resnet-1202/cifar10", "huang2016-1202"),
        ("zagoruyko2016/table4/wrn-40-1/cifar10", "zagoruyko2016-zca"),
        ("zagoruyko2016/table5/wrn-40-4/cifar100", "zagoruyko2016"),
        ("zagoruyko2016/table6/wrn-16-4/svhn", "zagoruyko2016-svhn"),
        ("huang2017/table2/densenet-40-12/cifar10", "huang2017"),
        ("huang2017/table2/densenet-40-12+dropout-0.2/cifar10", "huang2017-plain"),
        ("huang2017/table2/densenet-40-12+dropout-0.2/svhn", "huang2017-svhn"),
        ("han2017/pyramidnet/pyramidnet-110-a84/cifar100", "han2017-c100"),
    ],
)
def test_each_row_is_trained_by_its_own_recipe(name: str, expected: str):
    """Data set and note decide between a paper's recipes."""
    assert expected == recipe(rows.row(name)).name


def test_what_a_note_says_of_the_recipe_is_done():
    """No augmentation where the row has none, and its own batch."""
    plain = recipe(rows.row("huang2016/text/sd-resnet-110/cifar10"))
    assert (0, False) == (plain.augment.pad, plain.augment.flip)
    assert 64 == recipe(rows.row("he2016/table4/preresnet-1001-bottleneck/cifar10")).batch_size


def test_every_row_has_a_recipe_or_is_refused():
    """None falls through: a refusal is one line."""
    refused: dict[str, str] = {}
    for name in rows.rows():
        try:
            asked(name)
        except UsageError as error:
            refused[name] = str(error)
    assert {1} == {len(why.splitlines()) for why in refused.values()}
    assert 120 < len(rows.rows()) - len(refused)
    assert not any(name.startswith("zagoruyko2016/table6") for name in refused)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("veit2016/5-quoted/preresnet-110/cifar10", "unverified"),
        ("he2015/tables1-3/resnet-50/imagenet", "ImageNet"),
        ("he2016/table1/resnet-110+scale-0-1/cifar10", "no figure to compare"),
        ("post2018/repository-s-readme/resnet-32/cifar10", "no recipe of ours"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(name: str, why: str):
    """With the reason."""
    with pytest.raises(UsageError, match=why):
        asked(name)


def test_only_the_papers_own_set_up_decides():
    """Another length, limit or recipe shows what happens; precision alone may differ."""
    assert asked().decides
    assert asked(ROW, "recipe.precision=bf16").decides
    assert not asked(ROW, epochs=2).decides
    assert not asked(ROW, "data.train_limit=100").decides
    other = reproduction(ROW, epochs=None, data="synthetic", settings=())
    assert ("data.name is synthetic, not cifar10",) == other.differences


def test_images_are_held_back_where_the_paper_did():
    """huang2016 selects by 5,000 images; the others train on all."""
    assert 5_000 == asked("huang2016/table1/sd-resnet-110/cifar10").ours.data.val_size
    assert 0 == asked().ours.data.val_size


def test_seeds_differ_in_nothing_else():
    """As many runs as seeds, of the row's net."""
    of = asked()
    (runs,) = experiment(of).runs(budget(of), range(3)).values()
    assert [replace(of.theirs, seed=seed) for seed in range(3)] == list(runs)


@pytest.mark.parametrize(
    ("values", "decides", "wanted", "verdict", "reason"),
    [
        ([8.6, 8.8, 8.9], True, 3, "confirmed", "interval 8.39 to 9.15"),
        ([8.1, 8.2, 8.3], True, 3, "confirmed", "ours 8.20"),
        ([9.6, 9.8, 9.9], True, 3, "refuted", "printed 8.75 %"),
        ([8.6, 8.8], True, 2, "undecided", "3 seeds are needed"),
        ([8.6, 9.6, 10.6], True, 3, "undecided", "wider than 10% of the printed error"),
        ([8.6, 8.8, 8.9], True, 4, "undecided", "1 of 4 runs are missing"),
        ([8.6, 8.8, 8.9], False, 3, "undecided", "not trained as the source trained"),
    ],
)
def test_verdicts(
    values: list[float],
    decides: bool,  # noqa: FBT001 - a parameter
    wanted: int,
    verdict: str,
    reason: str,
):
    """By the rule, with the numbers that it was applied to."""
    found = judged(summarise(values), rows.row(ROW), decides=decides, wanted=wanted)
    assert verdict == found[0]
    assert reason in found[1]


def test_what_is_stated_is_what_is_compared(made_up: Callable[..., Any]):
    """Of he2015's best of five and its mean, the mean."""
    of = asked("he2015/table6/resnet-110/cifar10")
    study = experiment(of)
    evidence = made_up(study.runs, {"resnet-110": [(0.0, 6.5), (0.0, 6.6), (0.0, 6.7)]})
    records = evidence.records("resnet-110")
    for record in records.values():
        record["test_error_tta"] = record["test_error"]
    (claim,) = study.analyse(evidence).claims
    assert "cifar/resnet-110 has a test error of 6.61 % on cifar10" == claim.statement
    assert "come to the 6.61 % on" in study.question
    assert "confirmed" == claim.verdict
