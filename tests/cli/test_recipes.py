"""The verbs about recipes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from residua.training import presets

Residua = Callable[..., Any]


def test_list_names_every_recipe(residua: Residua):
    """For people and as JSON."""
    rows = json.loads(residua("recipes", "list", "--json").out)
    assert list(presets.RECIPES) == [row["name"] for row in rows]
    shown = residua("recipes", "list").out
    assert [] == [name for name in presets.RECIPES if name not in shown]


@pytest.mark.parametrize("name", ["han2017", "zagoruyko2016-zca"])
def test_show_prints_every_value_with_its_source(residua: Residua, name: str):
    """One row a value: its path, what it is, and where it comes from; nothing is left out."""
    recipe = presets.get(name)
    rows = json.loads(residua("recipes", "show", name, "--json").out)
    leaves = presets.leaves(recipe)
    named = {"name", "rescaled_from", "optim.kind", "schedule.kind"}
    assert leaves.keys() - named == {row["path"] for row in rows}
    for row in rows:
        assert json.loads(json.dumps(leaves[row["path"]])) == row["value"]
        assert row["source"]

    lines = residua("recipes", "show", name).out.splitlines()
    shown = " ".join(" ".join(lines).split())
    for row in rows:
        (line,) = [line for line in lines if line.startswith(f"{row['path']} ")]
        assert row["source"].split()[0] in line.split()
    assert "unstated; fp32: the usual precision of the time" in shown


def test_diff_prints_what_differs_alone(residua: Residua):
    """Whitening is all that sets the two apart."""
    arguments = ("recipes", "diff", "zagoruyko2016", "zagoruyko2016-zca")
    (row,) = json.loads(residua(*arguments, "--json").out)
    why = row.pop("why")
    assert why.startswith("ZCA whitening: zagoruyko2016 Tables 2 to 4")
    expected = {"path": "normalise", "zagoruyko2016": "mean_std", "zagoruyko2016-zca": "zca"}
    assert expected == row
    printed = " ".join(residua(*arguments).out.split())
    assert "normalise mean_std zca ZCA whitening:" in printed
