"""Evidence made up of records that nobody measured, and nets that are worth taking apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch

import residua
from residua.arch import count, names
from residua.nets.build import Net
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.studies import budgets, evidence
from residua.studies.budgets import Budget
from residua.studies.evidence import Evidence

Make = Callable[..., Evidence]


@dataclass(frozen=True)
class Fake(RunDirectory):
    """A finished run's directory, as far as an analysis reads it."""

    of: Run
    train_error: float
    test_error: float
    device: str = "none"

    def record(self) -> dict[str, Any]:
        """The fields that analyses read."""
        run = self.of
        return {
            "key": run.key,
            "net": run.net,
            "recipe": {"name": run.recipe.name},
            "seed": run.seed,
            "params": count.totals(names.spec(run.net)).params,
            "train_error": self.train_error,
            "test_error": self.test_error,
            "train_seconds": 10.0 + run.seed,
            "device": self.device,
        }

    def metrics(self) -> list[dict[str, Any]]:
        """Two epochs, the second of which ends at the record's errors."""
        return [
            {
                "epoch": epoch,
                "train_error": self.train_error + more,
                "val_error": self.test_error + more,
            }
            for epoch, more in ((1, 20.0), (2, 0.0))
        ]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A maker of evidence: training and test error by label and seed; those not named lack.

    By label too, what was trained on another device than the rest.
    """

    def make(
        runs: Callable[[Budget, Sequence[int]], budgets.Runs],
        errors: Mapping[str, Sequence[tuple[float, float]]],
        *,
        budget: str = "laptop",
        data: str | None = None,
        seeds: int = 3,
        devices: Mapping[str, str] = MappingProxyType({}),
    ) -> Evidence:
        def finished(_store: Path, run: Run) -> Fake | None:
            label = run.net.removeprefix("cifar/")
            found = errors.get(label, ())
            if run.seed >= len(found):
                return None
            return Fake(Path("none"), run, *found[run.seed], device=devices.get(label, "none"))

        monkeypatch.setattr(evidence, "finished", finished)
        chosen = budgets.get(budget)
        if data:
            chosen = chosen.on(data, num_train=50_000, val_size=5_000)
        return Evidence(budget=chosen, runs=runs(chosen, range(seeds)), store=Path("none"))

    return make


@pytest.fixture(scope="session")
def lively() -> Callable[[str], Net]:
    """By name, a net whose predictions differ from image to image and hang on every unit."""

    def make(name: str) -> Net:
        torch.manual_seed(0)
        net = residua.create(name).train()
        for parameter in net.parameters():
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter)
        for _ in range(3):
            net(0.8 * torch.rand(16, 3, 1, 1) + 0.2 * torch.rand(16, 3, 16, 16))
        return net

    return make
