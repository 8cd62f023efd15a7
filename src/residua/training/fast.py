"""The fast recipes: a paper's recipe, and the ideas that make a tenth of its epochs do.

Each idea is a list of settings with a reason, and can be taken out again, so that a table can say
what it brings.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from residua.training.recipes import Budget, Knots, Muon, Recipe, Sgd

PREFIX = "fast-"
BROUGHT = Path(__file__).with_name("brought.json")  # written by benchmarks/ideas.py from records


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """One change of a recipe.

    Attributes:
        name: What it is called in tables.
        settings: The recipe's new values by their dotted path.
        reason: Why it makes training faster.
    """

    name: str
    settings: dict[str, Any]
    reason: str


RISE = 0.2  # of the budget
SHORTEST = 20  # epochs: with fewer, ResNet-20 stays above the error that its paper prints

MUON = Idea(
    name="Muon",
    settings={
        "optim": Muon(
            lr=0.08, rest=Sgd(nesterov=True, weight_decay=5e-4, decay_norms=False), momentum=0.95
        )
    },
    reason="steps of one size in every direction of a filter bank, where gradients favour a few; "
    "it takes about half the epochs of SGD",
)
FLIP = Idea(
    name="alternating flips",
    settings={"augment.flip": "alternating"},
    reason="two epochs show each image both ways, which chance does for half of them",
)
PADDING = Idea(
    name="shifts of 2 pixels",
    settings={"augment.pad": 2},
    reason="in few epochs a small net underfits, so it gains from less augmentation",
)
REFLECTION = Idea(
    name="reflected borders",
    settings={"augment.padding": "reflect"},
    reason="a shifted image keeps the statistics of an image",
)
BF16 = Idea(
    name="bf16",
    settings={"precision": "bf16"},
    reason="half the bytes and, where the machine has the instructions, twice the operations",
)
CONSTANTS = Idea(
    name="mean and deviation",
    settings={"normalise": "mean_std"},
    reason="inputs of one scale, so that one set of learning rates serves every family",
)


def ideas(paper: Recipe) -> tuple[Idea, ...]:
    """What is changed in a paper's recipe so that a tenth of its epochs will do."""
    epochs = _epochs(paper)
    schedule = Idea(
        name="one rise and fall",
        settings={
            "schedule": Knots(at=(0, RISE * epochs, epochs), values=(RISE, 1, 0)),
            "warm_up": None,
        },
        reason="no step of few is spent at a rate too small, and the last ones settle",
    )
    everything = (MUON, schedule, FLIP, PADDING, REFLECTION, CONSTANTS, BF16)
    return tuple(changed for idea in everything if (changed := _changes(idea, paper)).settings)


def fast(paper: Recipe, *, without: str | None = None) -> Recipe:
    """A paper's recipe in a tenth of its epochs.

    Args:
        paper: The recipe.
        without: The name of an idea to leave out.
    """
    epochs = _epochs(paper)
    recipe = replace(
        paper,
        name=PREFIX + paper.name,
        budget=Budget(length=epochs),
        schedule=paper.schedule.stretched(epochs / paper.budget.length),
    )
    for idea in ideas(paper):
        if idea.name == without:
            continue
        for path, value in idea.settings.items():
            recipe = _with(recipe, path, value)
    return recipe


def reasons(paper: Recipe) -> dict[str, str]:
    """Why each value differs from the paper's and what that brought, by its path."""
    changes = {
        path: idea.reason + brought(idea.name) for idea in ideas(paper) for path in idea.settings
    }
    return {"budget": f"a tenth of the paper's epochs, at least {SHORTEST}", **changes}


def brought(name: str) -> str:
    """What the error rose by in a short run without an idea, in words that follow its reason.

    With half of the difference's 95 % interval; empty for an idea that was not taken out.
    """
    measured = _measured()
    found = measured["ideas"].get(name)
    if found is None:
        return ""
    half = "" if found["half_interval"] is None else f" ± {found['half_interval']:.2f}"
    where = f"{measured['net']}, {measured['epochs']:g} epochs, n = {measured['seeds']}"
    return f"; without it {found['points']:+.2f}{half} points of test error ({where})"


@functools.cache
def _measured() -> dict[str, Any]:
    return json.loads(BROUGHT.read_text(encoding="utf-8"))


def _changes(idea: Idea, paper: Recipe) -> Idea:
    """What of an idea a paper does not have already."""
    settings = {
        path: value for path, value in idea.settings.items() if attrgetter(path)(paper) != value
    }
    return replace(idea, settings=settings)


def _epochs(paper: Recipe) -> float:
    """A tenth of the paper's epochs, of its iterations as with 45,000 images; at least 20."""
    length = paper.budget.length
    if paper.budget.unit == "iterations":
        length *= paper.batch_size / 45_000
    return max(SHORTEST, round(length / 10))


def _with(value: Any, path: str, new: object) -> Any:  # noqa: ANN401 - recipes and their parts
    """A frozen value with something at a dotted path replaced."""
    name, _, rest = path.partition(".")
    return replace(value, **{name: _with(getattr(value, name), rest, new) if rest else new})
