"""What ideas are worth: recipes without one of them, and papers' recipes as short as ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain, groupby

from benchmarks.groups import Error, Group, apart, mean_sd
from benchmarks.report import Sheet
from residua.studies.stats import LEVEL, student_quantile
from residua.training.presets import leaves

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
            "; ".join(removals(whole, group)) or "on " + group.first.device,
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
        headings=(*("changed", "error", "difference", "flip view", "its difference", "n"),),
        rows=(all_ideas, *rows),
        note=(
            f"`{first.net}` on {first.data['name']}, epochs: "
            f"{first.epochs}, on {first.device}. Differences to the first row, in brackets their "
            f"{100 * LEVEL:.0f} % interval by Student's t, one variance for all rows."
        ),
    )


def difference(whole: Group, without: Group, name: Error, *, among: Sequence[Group]) -> str:
    """How much higher an error is without an idea, and in brackets the interval of that.

    The deviation is that of all recipes together, for a few seeds of one tell little of theirs.
    """
    means = [group.error(name).mean for group in (whole, without)]
    found = f"{means[1] - means[0]:+.2f}"
    freedom = sum(len(group.records) - 1 for group in among)
    if not freedom:
        return found
    squares = sum((group.error(name).sd or 0) ** 2 * (len(group.records) - 1) for group in among)
    spread = math.sqrt(squares / freedom * sum(1 / len(g.records) for g in (whole, without)))
    half = student_quantile((1 + LEVEL) / 2, freedom=freedom) * spread
    return f"{found} ({means[1] - means[0] - half:+.2f} … {means[1] - means[0] + half:+.2f})"


def beside_cut(groups: Iterable[Group]) -> Sheet:
    """Each fast recipe beside papers' recipes that were cut to as many epochs."""
    groups = list(groups)
    rows: list[tuple[str, ...]] = []
    for fast in (group for group in groups if group.fast):
        net, data, epochs = task(fast)
        cut = [g for g in groups if not g.fast and g.recipe.rescaled_from and task(g) == task(fast)]
        cells = [_cells(group) for group in cut] or [("–",) * 4]
        rows += [
            (
                f"`{net}`",
                data,
                f"{epochs}",
                *chain(*zip(_cells(fast), each, strict=True)),
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
