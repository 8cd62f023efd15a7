"""Records that differ in nothing but their seeds, and what their recipe is."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from benchmarks.records import Kept
from residua.reports.page import plain
from residua.runs.config import differing
from residua.studies.stats import Summary, summarise
from residua.training.fast import PREFIX
from residua.training.presets import RECIPES, leaves
from residua.training.recipes import Recipe, rescaled

MOST_CHANGES = 4  # that a label lists
NBSP = "\N{NO-BREAK SPACE}"  # a mean stays beside its deviation
Error = Literal["test_error", "test_error_tta"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Runs of one net with one recipe on one kind of device; seeds differ, and maybe threads."""

    records: tuple[Kept, ...]

    @property
    def first(self) -> Kept:
        """The record that speaks for all that they share."""
        return self.records[0]

    @property
    def recipe(self) -> Recipe:
        """How all of them were trained."""
        return self.first.typed_recipe

    @property
    def fast(self) -> bool:
        """Whether the recipe is a fast one and no paper's."""
        return self.recipe.name.startswith(PREFIX)

    def error(self, name: Error = "test_error") -> Summary:
        """An error in percent over the seeds."""
        return summarise([getattr(record, name) for record in self.records])

    @property
    def device(self) -> str:
        """What they were trained on."""
        devices = {record.device for record in self.records}
        return devices.pop() if len(devices) == 1 else processor(self.first)

    @property
    def seconds(self) -> dict[str, float]:
        """Mean time in training steps, by the share of the device that a run had."""
        shares: dict[tuple[str, int], list[float]] = {}
        for record in self.records:
            share = record.device.removeprefix(processor(record)).removeprefix(", ")
            shares.setdefault((share, record.at_once), []).append(record.train_seconds)
        one_device = len({share for share, _ in shares}) == 1
        found: dict[str, float] = {}
        for (share, at_once), times in sorted(shares.items()):
            words = [] if one_device else [share]
            words += [f"{at_once} at once"] if at_once > 1 else []
            found[", ".join(words)] = statistics.fmean(times)
        return found

    @property
    def changes(self) -> list[str]:
        """Where the recipe is not the named one, cut to the same length."""
        recipe = self.recipe
        named = RECIPES.get(recipe.name, recipe)
        if recipe.rescaled_from:
            named = rescaled(named, recipe.budget.length)
        return apart(leaves(named), leaves(recipe))

    @property
    def label(self) -> str:
        """The recipe in words: its name, what it was cut from, and every other change."""
        recipe, data = self.recipe, self.first.data
        parts = [recipe.name]
        if recipe.rescaled_from:
            parts.append(f"cut from {recipe.rescaled_from}")
        changes = self.changes
        many = len(changes) > MOST_CHANGES
        parts += [f"{len(changes)} settings changed"] if many else changes
        if data["train_limit"]:
            parts.append(f"{data['train_limit']:,} images")
        elif not data["val_size"]:
            parts.append("all images")
        return ", ".join(parts)


def grouped(records: Iterable[Kept]) -> list[Group]:
    """Groups by net, data, recipe and device."""

    def shared(record: Kept) -> str:
        same = (record.net, record.data, record.recipe, processor(record), record.devices)
        return json.dumps(same, sort_keys=True)

    return [
        Group(records=tuple(members))
        for _, members in groupby(sorted(records, key=shared), key=shared)
    ]


def processor(record: Kept) -> str:
    """A record's device; of a CPU without the threads, which change no more than rounding."""
    return record.device.partition(", threads")[0]


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What sets others' settings, by dotted path, apart from ours: ``optim.lr 0.1, not 0.3``.

    Of a part that is of another kind, that alone.
    """
    found = [row for row in differing(ours, theirs) if row[0] not in {"name", "rescaled_from"}]
    kinds = [path.removesuffix("kind") for path, _, _ in found if path.endswith(".kind")]
    return [
        f"{path.removesuffix('.kind')} {plain(there)}, not {plain(here)}"
        for path, here, there in found
        if not any(path.startswith(kind) and path != f"{kind}kind" for kind in kinds)
    ]


def mean_sd(summary: Summary) -> str:
    """``8.61 ± 0.12``; the mean alone where there is no more."""
    deviation = "" if summary.sd is None else f"{NBSP}±{NBSP}{summary.sd:.2f}"
    return f"{summary.mean:.2f}{deviation}"
