"""How long runs will take."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from residua.studies import budgets, estimates, runner
from residua.studies.budgets import EVALUATION, TEST_VIEWS
from residua.studies.reproduce import reproduction
from residua.training.runtime import Runtime


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> float:
    """A machine of 200 images a second."""
    monkeypatch.setattr(estimates, "throughput", lambda _run, _runtime: 200.0)
    return 200.0


@pytest.mark.parametrize(
    ("settings", "epochs", "images", "looked_at"),
    [
        ((), None, 64_000 * 128, 0),
        ((), 2, 2 * 390 * 128, 0),
        (("data.train_limit=1280",), 3, 3 * 1280, 0),
        (("data.val_size=5000",), 2, 2 * 351 * 128, 2 * 5_000),
    ],
)
def test_images_are_counted_in_whole_batches(
    fixed: float,
    tmp_path: Path,
    settings: tuple[str, ...],
    epochs: float | None,
    images: int,
    looked_at: int,
):
    """Validation and test take their part of the time."""
    row = "he2015/table6/resnet-20/cifar10"
    of = reproduction(row, epochs=epochs, data=None, settings=settings)
    found = estimates.estimate(of.ours, store=tmp_path, data_dir=None)
    assert images == found.images_per_run
    seconds = (images + EVALUATION * (looked_at + TEST_VIEWS)) / fixed
    assert seconds == pytest.approx(found.seconds_per_run)


def test_records_of_the_same_net_here_are_better_than_a_guess(fixed: float, tmp_path: Path):
    """Those of another device, precision or batch say nothing."""
    run = budgets.get("smoke").run("cifar/resnet-8", 0)
    runner.complete([run], store=tmp_path, data_dir=None, engine=runner.in_turn, say=print)
    record = json.loads((tmp_path / run.slug / "record.json").read_text())
    expected = record["images_per_second"], "the mean of 1 records"
    assert expected == estimates.recorded(run, tmp_path, Runtime())
    other = replace(run, recipe=replace(run.recipe, precision="bf16"))
    assert estimates.recorded(other, tmp_path, Runtime()) is None
    found = estimates.estimate(other, store=tmp_path, data_dir=None)
    assert (fixed, "measured now, in a few steps") == (found.images_per_second, found.measured)


def test_a_throughput_is_measured_in_seconds(monkeypatch: pytest.MonkeyPatch):
    """On noise, so without any data set; BN's groups and whitening play no part."""
    monkeypatch.setattr(estimates, "AT_LEAST_S", 0.05)
    run = budgets.get("smoke").run("cifar/resnet-8", 0)
    recipe = replace(run.recipe, normalise="zca", bn_group=4)
    assert 0 < estimates.throughput(replace(run, recipe=recipe), Runtime())
