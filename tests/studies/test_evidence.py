"""Evidence: the finished runs by label and seed, and what can be had from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from residua.studies.named import bottleneck, degradation

ERRORS = {"plain-20": [(30.0, 35.0), (32.0, 37.0)], "resnet-20": [(20.0, 25.0)]}


@pytest.fixture
def evidence(made_up: Callable[..., Any]) -> Any:
    """Two finished runs of one net, one of another, none of the rest."""
    return made_up(degradation.EXPERIMENT.runs, ERRORS)


def test_values_by_seed(evidence: Any):
    """Of the finished runs alone."""
    assert {0: 35.0, 1: 37.0} == evidence.values("plain-20", "test_error")
    assert {0: 20.0} == evidence.values("resnet-20", "train_error")
    assert {} == evidence.values("resnet-56", "test_error")


def test_the_finished_runs(evidence: Any):
    """Each once, in short; two labels may share them."""
    twice = replace(evidence, runs=evidence.runs | {"again": evidence.runs["plain-20"]})
    expected = [("cifar/plain-20", 0), ("cifar/plain-20", 1), ("cifar/resnet-20", 0)]
    assert expected == [(run.net, run.seed) for run in twice.trained]
    assert twice.keys == {run.key for run in twice.trained}
    assert [[20.0 + 30.0, 30.0], [20.0 + 32.0, 32.0]] == [
        [epoch["train_error"] for epoch in run] for run in twice.metrics("plain-20")
    ]


def test_the_set_up_in_words(evidence: Any, made_up: Callable[..., Any]):
    """Images and recipes; of a study without runs, the data set."""
    assert "cifar10, 9,000 training images; laptop: 5 epochs" == evidence.setup
    whole = made_up(degradation.EXPERIMENT.runs, {}, budget="paper").setup
    assert "cifar10, all but 5,000 training images; he2015: 64000 iterations" == whole
    assert "none" == made_up(bottleneck.EXPERIMENT.runs, {}).setup


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("runs/one", "runs/two/model.safetensors"), ("one", "two")),
        (("runs/a-m4.75", "runs/a-m4.5"), ("a-m4.75", "a-m4.5")),
        (("x/net.safetensors", "net2.safetensors"), ("net", "net2")),
        (("x/net.safetensors", "y/net", "z"), ("x/net.safetensors", "y/net", "z")),
    ],
)
def test_weights_have_names_of_their_own(
    evidence: Any, paths: tuple[str, ...], expected: tuple[str, ...]
):
    """The run's or the file's; of namesakes, all of the path."""
    given = replace(evidence, runs={}, weights=tuple(map(Path, paths))).given
    assert dict(zip(expected, map(Path, paths), strict=True)) == given
