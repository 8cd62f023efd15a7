"""Runs to report: two small nets on synthetic images, three seeds of each."""

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from residua.reports.reporting import Report, report
from residua.reports.sources import Finished
from residua.runs.config import DataChoice, Run
from residua.runs.records import RunDirectory
from residua.studies import budgets, runner
from residua.training import presets


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of six finished runs."""
    place = tmp_path_factory.mktemp("store")
    budget = budgets.get("smoke")
    found = budget.runs(("resnet-8", "plain-8"), range(3))
    runs = [run for each in found.values() for run in each]
    failed = runner.complete(
        runs, store=place, data_dir=None, engine=runner.in_turn, say=lambda _: None
    )
    assert {} == failed
    return place


@pytest.fixture(scope="session")
def run_dir(store: Path) -> Path:
    """One of them."""
    return next(store.glob("cifar-resnet-8--*--s0--*"))


@pytest.fixture
def told() -> Callable[..., Finished]:
    """A function that gives a run that nobody made, of one epoch."""

    def of(net: str, *, seed: int = 0, image_size: int = 32, **record: Any) -> Finished:
        data = DataChoice(name="cifar10", val_size=0, image_size=image_size)
        run = Run(net=net, data=data, recipe=presets.get("he2015"), seed=seed)
        usual = {"net": net, "seed": seed, "key": run.key, "params": 269_722, "epochs": 1}
        usual |= {"steps": 1, "test_error": 8.0, "test_error_tta": 8.0, "val_error": None}
        usual |= {"train_loss": 1.0, "train_seconds": 1.0, "images_per_second": 1.0}
        usual |= {"device": "a CPU", "devices": 1, "bn_group": None, "versions": {}}
        epoch = {"epoch": 1, "lr": 0.1, "train_error": 8.0, "val_error": None}
        epoch |= {"train_loss": 1.0, "val_loss": None, "images_per_second": 1.0}
        place = RunDirectory(Path(run.slug))
        return Finished(directory=place, run=run, record=usual | record, metrics=[epoch], env={})

    return of


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Report]:
    """A report into a folder of the test's own."""

    def made(*paths: Path) -> Report:
        return report(paths, data_dir=None, out=tmp_path / "report", say=lambda _: None)

    return made


class Reader(HTMLParser):
    """What a page loads, and what it shows outside of drawings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.shown: list[str] = []
        self.unseen = 0
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note whatever a browser would fetch or follow."""
        self.tags.add(tag)
        self.unseen += tag in {"style", "svg", "code", "title"}
        names = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}
        self.loads += [value or "" for name, value in attrs if name in names]

    def handle_endtag(self, tag: str) -> None:
        """Note that a drawing is over."""
        self.unseen -= tag in {"style", "svg", "code", "title"}

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        if not self.unseen:
            self.shown.append(data)


@pytest.fixture(scope="session")
def read() -> Callable[[str], Reader]:
    """A reader of pages."""
    return Reader


def numbers(value: Any) -> Iterator[float]:
    """Every number of a JSON document, those inside its texts too."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(key)
            yield from numbers(part)
    elif isinstance(value, list | tuple):
        yield float(len(value))
        for part in value:
            yield from numbers(part)
    elif isinstance(value, str):
        for found in map(float, re.findall(r"-?\d+(?:\.\d+)?", value.replace("−", "-"))):
            yield from (found, abs(found))  # a hyphen is no minus
    elif isinstance(value, int | float):
        yield float(value)


@pytest.fixture(scope="session")
def unfounded() -> Callable[[str, Any], list[str]]:
    """A finder of the numbers in a text that no value of a document rounds to."""

    def found(text: str, document: Any) -> list[str]:
        written = json.dumps(document)
        known = list(numbers(json.loads(written)))
        token = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w])")
        given = set(token.findall(written))  # as a commit that happens to have digits alone
        tokens = token.findall(text.replace("−", "-").replace(",", ""))
        return [each for each in tokens if each not in given and not _stands_for_one(each, known)]

    return found


def _stands_for_one(token: str, known: list[float]) -> bool:
    digits = len(token.partition(".")[2])
    return any(token in {f"{value:.{digits}f}", f"{value:.3g}"} for value in known)
