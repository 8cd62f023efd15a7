"""What ideas are worth: recipes without one of them, and papers' recipes as short as ours.

python -m benchmarks.ideas

That writes what ``residua recipes diff`` says of each idea, from ``records/ablation``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import Any

from benchmarks.groups import Error, Group, apart, grouped, mean_sd
from benchmarks.records import RECORDS, read
from benchmarks.report import Sheet
from residua.runs.files import write_json
from residua.studies.stats import LEVEL, student_quantile
from residua.training import fast
from residua.training.presets import RECIPES, leaves
from residua.training.recipes import rescaled

ERRORS: tuple[Error, Error] = ("test_error", "test_error_tta")


def removals(whole: Group, without: Group) -> list[str]:
    """What sets two groups apart, in recipe and data."""
    return apart(*({**leaves(each.recipe), **each.first.data} for each in (whole, without)))


def whole_of(groups: Sequence[Group]) -> Group:
    """The recipe with all ideas: nearest to all others, and of two the nearer to its name."""

    def distance(group: Group) -> tuple[int, int]:
        return sum(len(removals(group, other)) for other in groups), len(group.changes)

    return min(groups, key=distance)


def ablations(groups: Iterable[Group]) -> list[Sheet]:
    """A table for each net, data set and number of epochs."""
    return [_ablation(list(some)) for _, some in groupby(sorted(groups, key=task), key=task)]


def _ablation(groups: list[Group]) -> Sheet:
    whole = whole_of(groups)
    others = [group for group in groups if group is not whole]
    others.sort(key=lambda group: -group.error().mean)
    rows = [
        (
            "; ".join(removals(whole, group)) or "on " + group.device,
            *chain.from_iterable(
                (mean_sd(group.error(name)), difference(whole, group, name, among=groups))
                for name in ERRORS
            ),
            str(len(group.records)),
        )
        for group in others
    ]
    first = whole.first
    all_ideas = (
        f"nothing ({whole.label})",
        *chain.from_iterable((mean_sd(whole.error(name)), "") for name in ERRORS),
        str(len(whole.records)),
    )
    return Sheet(
        headings=("changed", "error", "difference", "flip view", "its difference", "n"),
        rows=(all_ideas, *rows),
        note=(
            f"`{first.net}` on {first.data['name']}, epochs: "
            f"{first.epochs}, on {whole.device}. Differences to the first row, in brackets their "
            f"{100 * LEVEL:.0f} % interval by Student's t, one variance for all rows."
        ),
    )


def difference(whole: Group, without: Group, name: Error, *, among: Sequence[Group]) -> str:
    """How much higher an error is without an idea, and in brackets the interval of that."""
    found, half = gap(whole, without, name, among=among)
    if half is None:
        return f"{found:+.2f}"
    return f"{found:+.2f} ({found - half:+.2f} … {found + half:+.2f})"


def gap(
    whole: Group, without: Group, name: Error, *, among: Sequence[Group]
) -> tuple[float, float | None]:
    """How much higher an error is without an idea, and half of that difference's interval.

    The deviation is that of all recipes together, for a few seeds of one tell little of theirs;
    None where each has a single seed.
    """
    found = without.error(name).mean - whole.error(name).mean
    freedom = sum(len(group.records) - 1 for group in among)
    if not freedom:
        return found, None
    squares = sum((group.error(name).sd or 0) ** 2 * (len(group.records) - 1) for group in among)
    spread = math.sqrt(squares / freedom * sum(1 / len(g.records) for g in (whole, without)))
    return found, student_quantile((1 + LEVEL) / 2, freedom=freedom) * spread


def brought(groups: Sequence[Group]) -> dict[str, Any]:
    """What each idea of a fast recipe is worth, from runs of that recipe and of it without one."""
    whole = whole_of(groups)
    epochs = whole.recipe.budget.length
    paper = RECIPES[whole.recipe.name.removeprefix(fast.PREFIX)]
    worth: dict[str, dict[str, float | None]] = {}
    for idea in fast.ideas(paper):
        recipe = rescaled(fast.fast(paper, without=idea.name), epochs)
        (without,) = (group for group in groups if group.recipe == recipe)
        found, half = gap(whole, without, "test_error", among=groups)
        worth[idea.name] = {
            "points": round(found, 2),
            "half_interval": None if half is None else round(half, 2),
        }
    return {
        "net": whole.first.net,
        "epochs": epochs,
        "seeds": len(whole.records),
        "ideas": worth,
    }


def beside_cut(groups: Iterable[Group]) -> Sheet:
    """Each fast recipe beside papers' recipes that were cut to as many epochs."""
    groups = list(groups)
    rows: list[tuple[str, ...]] = []
    for quick in (group for group in groups if group.fast):
        net, data, epochs = task(quick)
        slow = (group for group in groups if not group.fast and task(group) == task(quick))
        cut = [group for group in slow if group.recipe.rescaled_from]
        cells = [_cells(group) for group in cut] or [("–",) * 4]
        rows += [
            (
                f"`{net}`",
                data,
                f"{epochs}",
                *chain(*zip(_cells(quick), each, strict=True)),
            )
            for each in cells
        ]
    return Sheet(
        headings=(
            *("net", "data", "epochs", "fast recipe", "paper's, cut"),
            *("fast", "paper's", "fast, flip view", "paper's, flip view", "fast, n", "paper's, n"),
        ),
        rows=tuple(rows),
        words=5,
    )


def task(group: Group) -> tuple[str, str, int]:
    """Net, data set and epochs: what recipes are compared on."""
    return group.first.net, group.first.data["name"], group.first.epochs


def _cells(group: Group) -> tuple[str, ...]:
    errors = (mean_sd(group.error(name)) for name in ERRORS)
    return (group.label, *errors, str(len(group.records)))


if __name__ == "__main__":
    write_json(fast.BROUGHT, brought(grouped(read(RECORDS / "ablation"))))
