"""Ideas: recipes told apart by their own values, and differences with their intervals."""

import json
from dataclasses import replace

import pytest

from benchmarks import ideas
from benchmarks.groups import NBSP, grouped
from benchmarks.records import RECORDS, read
from residua.training import fast, presets
from residua.training.recipes import Augment, Budget, rescaled

PM = f"{NBSP}±{NBSP}"
WHOLE = replace(
    rescaled(presets.get("he2015"), 16),
    name="fast-of-mine",
    rescaled_from=None,
    label_smoothing=0.05,
    ema=0.99,
    augment=Augment(flip="alternating"),
)


def seeds(kept, recipe, *errors, **more) -> list:
    """Records of one recipe, a seed for each error; the flip view's is one lower."""
    return [
        kept(recipe, seed=seed, test_error=error, test_error_tta=error - 1, **more)
        for seed, error in enumerate(errors)
    ]


def test_ablation_names_what_was_changed(kept):
    """The whole first, then the ideas by what they bring; each row says its change by itself."""
    made = [
        *seeds(kept, replace(WHOLE, ema=0.0), 9.0, 9.4, val_size=0),
        *seeds(kept, WHOLE, 8.8, 9.0, val_size=0),
        *seeds(kept, WHOLE, 9.3, 9.7),
        *seeds(kept, replace(WHOLE, augment=Augment()), 8.7, 8.9, val_size=0),
    ]
    (sheet,) = ideas.ablations(grouped(made))
    changed = [row[0] for row in sheet.rows]
    assert [
        "nothing (fast-of-mine, all images)",
        "val_size 5,000, not 0",
        "ema 0, not 0.99",
        "augment.flip yes, not alternating",
    ] == changed
    assert (f"8.90{PM}0.14", "", f"7.90{PM}0.14", "", "2") == sheet.rows[0][1:]
    assert "`cifar/resnet-20` on cifar10, epochs: 16" in sheet.note


def test_difference_and_interval_by_hand(kept):
    """Variances 0.02 and 0.08 pooled are 0.05; t of two degrees is 4.303, times 0.2236."""
    made = [
        *seeds(kept, WHOLE, 8.8, 9.0),
        *seeds(kept, replace(WHOLE, ema=0.0), 9.0, 9.4),
    ]
    whole, without = sorted(grouped(made), key=lambda group: group.error().mean)
    found = ideas.difference(whole, without, "test_error", among=(whole, without))
    assert "+0.30 (-0.66 … +1.26)" == found


def test_single_runs_have_no_interval(kept):
    """Nothing is known of their spread."""
    made = [kept(WHOLE, test_error=9.0), kept(replace(WHOLE, ema=0.0), test_error=8.5)]
    low, high = sorted(grouped(made), key=lambda group: group.error().mean)
    assert "-0.50" == ideas.difference(high, low, "test_error", among=(low, high))


def test_of_two_the_whole_is_what_its_name_says(kept):
    """A recipe that is as it is named, and one that is not."""
    named = presets.get("he2015")
    groups = grouped([kept(replace(named, ema=0.5)), kept(named)])
    assert 0.0 == ideas.whole_of(groups).recipe.ema


def test_other_nets_and_lengths_have_their_own_tables(kept):
    """Only what shares net and epochs is compared."""
    made = [
        kept(WHOLE),
        kept(WHOLE, net="cifar/resnet-32"),
        kept(replace(WHOLE, budget=Budget(length=8)), epochs=8),
    ]
    assert [1, 1, 1] == [len(sheet.rows) for sheet in ideas.ablations(grouped(made))]


def test_fast_beside_the_papers_recipe_cut_to_as_many_epochs(kept):
    """Neither the whole recipe nor one that was cut to another length."""
    cut = rescaled(presets.get("he2015"), 16)
    made = [
        *seeds(kept, WHOLE, 8.6, 8.8),
        *seeds(kept, cut, 10.0, 10.2, 10.4),
        kept(presets.get("he2015"), test_error=8.0),
        kept(rescaled(presets.get("he2015"), 8), epochs=8),
        kept(WHOLE, net="cifar/resnet-32", test_error=7.0),
    ]
    first, second = sorted(ideas.beside_cut(grouped(made)).rows)
    assert first == (
        *("`cifar/resnet-20`", "cifar10", "16"),
        *("fast-of-mine", "he2015, cut from 64000 iterations"),
        *(f"8.70{PM}0.14", f"10.20{PM}0.20", f"7.70{PM}0.14", f"9.20{PM}0.20", "2", "3"),
    )
    assert ("`cifar/resnet-32`", "–", "7.00", "–") == (second[0], second[4], second[5], second[6])


def test_each_idea_is_worth_what_its_removal_costs(kept):
    """Found by its recipe, whatever order the records come in; to two digits."""
    paper = presets.get("he2015")
    made = seeds(kept, rescaled(fast.fast(paper), 3), 15.0, 15.2, epochs=3)
    for more, idea in enumerate(fast.ideas(paper)):
        recipe = rescaled(fast.fast(paper, without=idea.name), 3)
        made += seeds(kept, recipe, 15.0 + more, 15.2 + more, epochs=3)
    found = ideas.brought(grouped(reversed(made)))
    assert ("cifar/resnet-20", 3, 2) == (found["net"], found["epochs"], found["seeds"])
    assert list(range(7)) == [found["ideas"][idea.name]["points"] for idea in fast.ideas(paper)]
    # Every deviation is 0.1414 of 2 seeds, with 8 degrees of freedom: 2.306 times 0.1414.
    assert all(each["half_interval"] == pytest.approx(0.33) for each in found["ideas"].values())


def test_what_is_said_of_each_idea_is_from_the_records():
    """`recipes diff` reads a file that this command would write anew as it is."""
    written = json.loads(fast.BROUGHT.read_text(encoding="utf-8"))
    assert ideas.brought(grouped(read(RECORDS / "ablation"))) == written
