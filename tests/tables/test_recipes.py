"""Recipes in the terminal."""

from __future__ import annotations

from collections.abc import Callable

from residua.tables.recipes import COLUMNS, print_difference, print_explained, print_recipes
from residua.training import presets
from residua.training.presets import Explained


def test_a_recipe_in_short(printed: Callable[..., list[str]]):
    """Rates stand beside the optimiser that they are of; a terminal of 80 columns cuts nothing."""
    *heads, he2015, fast = printed(
        print_recipes, map(presets.get, ("he2015", "fast-he2015")), width=80
    )
    assert set(" ".join(COLUMNS).split()) == set(" ".join(heads).split())
    assert "he2015 64,000 iterations 128 sgd 0.1 0.0001 per pixel mean" == " ".join(he2015.split())
    assert "fast-he2015 20 epochs 128 muon 0.08 0 mean std" == " ".join(fast.split())


def test_brackets_are_no_markup(printed: Callable[..., list[str]]):
    """Neither in a value nor in its source."""
    row = Explained(path="a", value="[b]", source="[sic]")
    assert ["a", "[b]", "[sic]"] == printed(print_explained, (row,))[-1].split()
    rows = [{"path": "a", "one": "[b]", "other": None, "why": "[sic]"}]
    line = printed(print_difference, rows, "one", "other")[-1]
    assert ["a", "[b]", "none", "[sic]"] == line.split()
