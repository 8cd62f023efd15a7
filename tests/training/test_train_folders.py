"""Runs on images that are decoded as they are asked for: as those on images in memory."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from residua import weights
from residua.data import imagenet, sets
from residua.data.sets import DataSet
from residua.errors import UsageError
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.training.evaluate import evaluate
from residua.training.loop import Fit, train_step
from residua.training.progress import Watcher
from residua.training.ranks import Ranks
from residua.training.runtime import Runtime
from residua.training.train import prepare, train

from .conftest import PowerCut, without_times

MakeRun = Callable[..., Run]
Directory = Callable[..., RunDirectory]


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Forty training and ten test images of 16x16 that are decoded as they are asked for."""
    image = pytest.importorskip("PIL.Image")
    root = tmp_path_factory.mktemp("imagenet")
    rng = np.random.default_rng(0)
    for part, number in (("train", 40), ("val", 10)):
        for index in range(number):
            folder = root / part / ("n01", "n02")[index % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(256, size=(20, 24, 3), dtype=np.uint8)
            image.fromarray(pixels).save(folder / f"{index}.JPEG")
    data = sets.load(f"imagenet:{root}", image_size=16)
    return dataclasses.replace(
        data,
        **{
            part: dataclasses.replace(getattr(data, part), num_workers=0)
            for part in ("train", "test")
        },
    )


STREAMED = (
    *("recipe.augment.pad=0", "recipe.batch_size=8", "data.val_size=8", "data.train_limit=24"),
    "data.image_size=16",
)


def prepared(run: Run, data: DataSet, **runtime) -> Fit:
    """Return a run before its first step, on the CPU."""
    return prepare(run, data, Runtime(device=torch.device("cpu"), **runtime))


def test_a_streamed_run_ends_as_an_uninterrupted_one(
    make_run: MakeRun, directory: Directory, streamed: DataSet
):
    """Three steps an epoch, stopped in the second; weights, metrics and record are equal."""
    run = make_run(*STREAMED)
    whole, parts = directory(run, "whole"), directory(run, "parts")
    expected = train(prepared(run, streamed), streamed, whole, Watcher())
    with pytest.raises(KeyboardInterrupt):
        train(prepared(run, streamed, checkpoint_s=0), streamed, parts, PowerCut(5))
    found = train(prepared(run, streamed), streamed, parts, Watcher())

    assert whole.weights.read_bytes() == parts.weights.read_bytes()
    assert [*map(without_times, whole.metrics())] == [*map(without_times, parts.metrics())]
    records = [without_times(dataclasses.asdict(record)) for record in (expected, found)]
    assert records[0] == records[1]
    assert (6, 2) == (expected.steps, expected.epochs)
    net = weights.load(parts.path)
    assert net.meta is not None
    assert (16, ("n01", "n02")) == (net.meta.image_size, net.meta.classes)
    normalised = weights.normalisation(net.meta)
    assert evaluate(net, streamed.test, normalised).error == expected.test_error


def test_ranks_stream_their_own_images(
    make_run: MakeRun, streamed: DataSet, monkeypatch: pytest.MonkeyPatch
):
    """Two ranks' nets see the batch of one, and each rank opens half of its files."""
    seen: list[str] = []
    opened = imagenet.opened
    monkeypatch.setattr(imagenet, "opened", lambda path: (seen.append(path.name), opened(path))[1])
    run = make_run(*STREAMED)
    whole, _ = prepared(run, streamed).batches.batch(1)
    seen.clear()
    for rank in range(2):
        ranks = Ranks(rank=rank, count=2)
        x, _ = prepared(run, streamed, ranks=ranks).batches.batch(1)
        assert torch.equal(whole[ranks.part(8)], x[ranks.part(8)])
        assert 4 * (rank + 1) == len(seen)
    assert 8 == len(set(seen))


@pytest.mark.parametrize(
    ("setting", "count", "message"),
    [
        ("recipe.augment.pad=4", 1, "set recipe.augment.pad to 0"),
        ("recipe.augment.flip=alternating", 1, "recipe.augment.flip to true or false"),
        ("recipe.augment.mixup=0.2", 2, "on several devices has neither mixup nor cutmix"),
        ("recipe.augment.cutmix=1", 2, "on several devices has neither mixup nor cutmix"),
        ("recipe.normalise=per_pixel_mean", 1, "per_pixel_mean is for images in memory"),
        ("recipe.normalise=zca", 1, "zca is for images in memory"),
    ],
)
def test_what_streamed_images_cannot_have_is_refused(
    make_run: MakeRun, streamed: DataSet, setting: str, count: int, message: str
):
    """Nothing of a recipe is silently left out."""
    run = make_run(*STREAMED, setting)
    with pytest.raises(UsageError, match=message):
        prepared(run, streamed, ranks=Ranks(count=count))


def test_streamed_images_may_be_mixed_on_one_device(make_run: MakeRun, streamed: DataSet):
    """There the whole batch is at hand."""
    state = prepared(make_run(*STREAMED, "recipe.augment.cutmix=1"), streamed)
    train_step(state, 0.1)
    assert 8 == state.tally.images
