"""Errors that papers print, beside those of our records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.groups import NBSP, Group, mean_sd
from benchmarks.report import Aim, Sheet
from residua.arch import papers
from residua.arch.papers import Fact
from residua.arch.rows import source

DATA = {"cifar10": "C10", "cifar100": "C100"}
BESIDE = ("recipe", "printed", "ours", "flip view", "n", "epochs", "seconds", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One printed error, with all places where a paper prints it."""

    facts: tuple[Fact, ...]

    @property
    def fact(self) -> Fact:
        """The first of them."""
        return self.facts[0]

    @property
    def paper(self) -> str:
        """The key of the paper that it stands in, or whose authors or readers report it."""
        return source(self.fact)

    @property
    def error(self) -> str:
        """As printed; in brackets what only somebody else says of the paper."""
        error = self.fact.printed_error.replace(" ± ", f"{NBSP}±{NBSP}")
        return f"({error})" if self.fact.confidence == "quoted" else error

    @property
    def where(self) -> str:
        """Tables of its paper, or who else reports it."""
        places = dict.fromkeys(
            fact.where.removeprefix(self.paper).lstrip(", ") for fact in self.facts
        )
        return ", ".join(places)

    def answered_by(self, group: Group) -> bool:
        """Whether runs try to reach this error: of this net, by its paper's recipe or a fast one.

        A fast recipe is free in all but this: images are augmented or not, as the paper's were.
        """
        fact, run, recipe = self.fact, group.first, group.recipe
        plain = not recipe.augment.pad and not recipe.augment.flip
        same_task = (
            (fact.net, fact.dataset) == (run.net, run.data["name"])
            and plain == ("no augmentation" in fact.recipe_note)
            and "drawn anew" not in fact.recipe_note  # a way to train that no recipe has
        )
        whitened = "ZCA" in fact.recipe_note
        small_batch = "batch of 64" in fact.recipe_note
        same_recipe = (
            recipe.name.startswith(self.paper)
            and whitened == (recipe.normalise == "zca")
            and (not small_batch or recipe.batch_size == 64)
        )
        return same_task and (group.fast or same_recipe)


def printed() -> list[Printed]:
    """Every error on CIFAR that is printed, once for each paper and value."""
    found: dict[tuple[str, ...], list[Fact]] = {}
    for fact in papers.tables().facts:
        if fact.dataset in DATA and fact.error:
            what = (source(fact), fact.net, fact.dataset, fact.error)
            found.setdefault(what, []).append(fact)
    return [Printed(facts=tuple(facts)) for facts in found.values()]


def comparison(groups: Iterable[Group], of: str) -> Sheet:
    """Every error of one paper; those that no record stands against stay without ours."""
    groups, rows = list(groups), [row for row in printed() if row.paper == of]
    notes = list(dict.fromkeys(row.fact.recipe_note for row in rows))
    lines: list[tuple[str, ...]] = []
    for row in rows:
        beside = [beside_ours(row, group) for group in groups if row.answered_by(group)]
        nothing = ("", row.error, *("–",) * 5, "")
        where = f"{row.where} ({notes.index(row.fact.recipe_note) + 1})"
        net = (f"`{row.fact.net}`", DATA[row.fact.dataset], where)
        lines += [(*net, *cells) for cells in beside or [nothing]]
    return Sheet(
        headings=("net", "data", "where", *BESIDE),
        rows=tuple(lines),
        note="  \n".join(f"({number}) {note}." for number, note in enumerate(notes, start=1)),
        words=4,
    )


def short(groups: Iterable[Group]) -> Sheet:
    """The errors that records stand against, and no others: for the README."""
    groups = list(groups)
    return Sheet(
        headings=("net", "data", "paper", *BESIDE),
        rows=tuple(
            (f"`{row.fact.net}`", DATA[row.fact.dataset], row.paper, *beside_ours(row, group))
            for row in printed()
            for group in groups
            if row.answered_by(group)
        ),
        words=4,
    )


def time_to_error(groups: Iterable[Group]) -> Sheet:
    """Seconds of the fast recipes, and whether they reached the lowest error that is printed."""
    rows: list[tuple[str | Aim, ...]] = []
    for group in groups:
        errors = [row.fact.error for row in printed() if row.answered_by(group)]
        limits = [float(error) for error in errors if error and error != "fail"]
        if group.fast and limits:
            aim = Aim(value=group.error().mean, limit=min(limits), sense="≤")
            net, flipped = f"`{group.first.net}`", mean_sd(group.error("test_error_tta"))
            length = (str(len(group.records)), f"{group.first.epochs}", seconds(group))
            data = DATA[group.first.data["name"]]
            rows.append((net, data, group.device, *length, flipped, aim))
    headings = ("net", "data", "device", "n", "epochs", "seconds", "flip view", "ours (printed)")
    return Sheet(headings=headings, rows=tuple(rows), words=3)


def finished(groups: Iterable[Group]) -> Sheet:
    """All runs, whether somebody prints an error of their net or not."""
    return Sheet(
        headings=("net", "data", "recipe", *(name for name in BESIDE[1:] if name != "printed")),
        rows=tuple(
            (group.first.net, group.first.data["name"], group.label, *ours(group))
            for group in groups
        ),
        words=3,
    )


def beside_ours(row: Printed, group: Group) -> tuple[str, ...]:
    """The cells under :data:`BESIDE`."""
    return (
        group.label,
        row.error,
        *ours(group),
    )


def ours(group: Group) -> tuple[str, ...]:
    """A group's errors, size, length, time and device."""
    return (
        mean_sd(group.error()),
        mean_sd(group.error("test_error_tta")),
        str(len(group.records)),
        str(group.first.epochs),
        seconds(group),
        group.device,
    )


def seconds(group: Group) -> str:
    """Mean seconds of training, and the share of the device that they were had with."""
    return "; ".join(
        f"{mean:,.0f}" + (f" ({share})" if share else "") for share, mean in group.seconds.items()
    )
