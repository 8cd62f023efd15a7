"""The command that makes a run anew."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

from residua.arch import names
from residua.runs.config import Run, to_json
from residua.training import presets, recipes


def train(run: Run) -> str:
    """The ``residua train`` of a run, for a shell."""
    return shlex.join(words(run))


def words(run: Run) -> list[str]:
    """The ``residua train`` of a run: a recipe's name, the data's parts, and all that differs."""
    length = run.recipe.budget.length
    usual = presets.RECIPES.get(run.recipe.name) or presets.default(names.entry(run.net))
    found = ["residua", "train", run.net, "--data", run.data.name, "--recipe", usual.name]
    if run.recipe.rescaled_from:
        found += ["--epochs", f"{length:g}" if float(f"{length:g}") == length else f"{length!r}"]
        usual = recipes.rescaled(usual, length)
    before, after = to_json(replace(run, recipe=usual)), to_json(run)
    settings = [
        f"data.{name}={json.dumps(value)}"
        for name, value in after["data"].items()
        if name != "name" and value is not None and (name, value) != ("image_size", 32)
    ]
    found += ["--seed", f"{run.seed}"]
    for setting in settings + _differences(before["recipe"], after["recipe"], "recipe."):
        found += ["--set", setting]
    return found


def _differences(before: dict[str, Any], after: dict[str, Any], prefix: str) -> list[str]:
    """``path=value`` wherever two nested dictionaries differ."""
    found: list[str] = []
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict) and value.keys() == old.keys():
            found += _differences(old, value, f"{prefix}{name}.")
        elif value != old:
            shown = value if isinstance(value, str) else json.dumps(value)
            found.append(f"{prefix}{name}={shown}")
    return found
