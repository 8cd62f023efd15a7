"""What a study's analysis may look at: the finished runs in a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua.arch import papers
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.studies.budgets import Budget, Runs
from residua.studies.findings import Trained

if TYPE_CHECKING:
    from residua.data.images import DataSet, Images
    from residua.nets.build import Net


def finished(store: Path, run: Run) -> RunDirectory | None:
    """The directory of a run in a store, if the run has finished.

    Raises:
        RunError: Its record is damaged.
    """
    directory = RunDirectory(store / run.slug)
    return directory if directory.record() is not None else None


def loaded(path: Path) -> Net:
    """A trained net, where this machine computes fastest.

    Raises:
        UsageError: There are no weights at ``path``.
        RunError: They are damaged.
    """
    from residua import weights  # noqa: PLC0415 - most studies need no torch for their analysis
    from residua.training.runtime import Runtime  # noqa: PLC0415 - as above

    return weights.load(path).to(Runtime().device)


def _short(path: Path) -> str:
    """What a reader calls weights: in a run directory they all have one name."""
    path = path.absolute()
    of = path.parent if path == RunDirectory(path.parent).weights else path
    return of.name.removesuffix(".safetensors")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The runs of a study by label, as far as they have finished, and what can be had from them.

    Attributes:
        budget: What they were given.
        runs: All that the study asked for.
        store: Where they lie.
        data_dir: Where the data set lies; None for the usual place.
        weights: Files of weights, or run directories, to look at instead of the study's runs.
    """

    budget: Budget
    runs: Runs
    store: Path
    data_dir: Path | None = None
    weights: tuple[Path, ...] = ()

    @property
    def num_classes(self) -> int:
        """Of the data set; those that papers use need not be here for it."""
        return papers.CLASSES.get(self.budget.data.name) or len(self.data.classes)

    @property
    def given(self) -> dict[str, Path]:
        """The weights by a name: the run directory's or the file's, the whole path of namesakes."""
        short = {path: _short(path) for path in self.weights}
        counts = Counter(short.values())
        found = {f"{path}" if counts[name] > 1 else name: path for path, name in short.items()}
        assert len(found) == len(short), "paths differ"
        return found

    @property
    def setup(self) -> str:
        """What the runs were given, in words; of weights that are given, the images to test."""
        runs = list(chain.from_iterable(self.runs.values()))
        if not runs:
            return self.budget.data.name if self.weights else "none"
        given = runs[0].data
        recipes = {run.recipe.name: run.recipe.budget for run in runs}
        words = (f"{name}: {each.length:g} {each.unit}" for name, each in recipes.items())
        images = f"all but {given.val_size:,}" if given.val_size else "all"
        if given.train_limit is not None:
            images = f"{given.train_limit:,}"
        return f"{given.name}, {images} training images; {', '.join(words)}"

    @cached_property
    def found(self) -> dict[str, dict[int, RunDirectory]]:
        """The finished runs of each label, by seed."""
        return {
            label: {run.seed: at for run in runs if (at := finished(self.store, run)) is not None}
            for label, runs in self.runs.items()
        }

    def values(self, label: str, metric: str) -> dict[int, float]:
        """A value of the records of a label, by seed."""
        return {seed: record[metric] for seed, record in self.records(label).items()}

    def records(self, label: str) -> dict[int, dict[str, Any]]:
        """The records of a label, by seed."""
        return self._records[label]

    @cached_property
    def _records(self) -> dict[str, dict[int, dict[str, Any]]]:
        return {
            label: {seed: record for seed, at in found.items() if (record := at.record())}
            for label, found in self.found.items()
        }

    def devices(self, *labels: str) -> list[str]:
        """What the finished runs of some labels were trained on; times on two do not compare."""
        return sorted({each["device"] for at in labels for each in self.records(at).values()})

    def metrics(self, label: str) -> list[list[dict[str, Any]]]:
        """The epochs of each finished run of a label."""
        return [at.metrics() for at in self.found[label].values()]

    def nets(self, label: str) -> Iterator[tuple[int, Net]]:
        """Each trained net of a label with its seed, loaded when it is asked for."""
        for seed, at in self.found[label].items():
            yield seed, loaded(at.path)

    @cached_property
    def data(self) -> DataSet:
        """The budget's data set.

        Raises:
            RunError: It is missing or damaged.
        """
        from residua.data import sets  # noqa: PLC0415 - as above

        return sets.load(self.budget.data.name, self.data_dir)

    def test_images(self, most: int | None = None) -> Images:
        """The data set's test images, or the first of them."""
        import torch  # noqa: PLC0415 - as above

        from residua.data.images import Images  # noqa: PLC0415 - as above

        test = self.data.test
        assert isinstance(test, Images), "a study's images lie in memory"
        return test if most is None else test.take(torch.arange(min(most, len(test))))

    @property
    def keys(self) -> set[str]:
        """The keys of the finished runs."""
        return {
            run.key
            for label, runs in self.runs.items()
            for run in runs
            if run.seed in self.found[label]
        }

    @property
    def trained(self) -> tuple[Trained, ...]:
        """The finished runs, in short, each once."""
        found = {
            record["key"]: record for label in self.runs for record in self.records(label).values()
        }
        return tuple(
            Trained(
                key=key,
                net=record["net"],
                recipe=record["recipe"]["name"],
                seed=record["seed"],
                test_error=record["test_error"],
                train_seconds=record["train_seconds"],
                device=record["device"],
            )
            for key, record in found.items()
        )
