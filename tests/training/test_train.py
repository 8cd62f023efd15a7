"""A run from its description to its record, in one go or in two."""

import dataclasses
import json
import shutil
from collections.abc import Callable

import pytest
import torch

from residua import weights
from residua.arch import count
from residua.data.normalise import Normalisation
from residua.data.sets import DataSet, Images
from residua.errors import RunError, UsageError
from residua.runs.config import Run, run_from_json
from residua.runs.records import Metrics, RunDirectory
from residua.training.checkpoint import save_checkpoint
from residua.training.evaluate import FLIP, evaluate
from residua.training.loop import Fit
from residua.training.progress import Watcher
from residua.training.runtime import Runtime, versions
from residua.training.train import fresh_net, prepare, train

from .conftest import PowerCut, without_times

MakeRun = Callable[..., Run]
Start = Callable[..., Fit]
Directory = Callable[..., RunDirectory]

# he2015's warm-up is part of a run's state: here it ends in the third step.
WARM_UP = 'recipe.warm_up={"lr": 0.02, "below_error": 101, "min_depth": 0, "window": 3}'

MODERN = (
    'recipe.optim={"kind": "muon"}',
    'recipe.schedule={"kind": "cosine", "rise": 0.2}',
    "recipe.augment.flip=alternating",
    "recipe.augment.cutmix=1",
    "recipe.augment.cutout=8",
    "recipe.label_smoothing=0.1",
    "recipe.ema=0.9",
)


def test_short_memory_is_no_misfit(
    make_run: MakeRun,
    start: Start,
    directory: Directory,
    data: DataSet,
    monkeypatch: pytest.MonkeyPatch,
):
    """What torch says of it comes through: starting over would help nobody."""
    run = make_run()
    place = directory(run)
    save_checkpoint(place.checkpoint, {"key": run.key})

    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Fit, "load_state_dict", fail)
    with pytest.raises(RuntimeError, match=r"^DefaultCPUAllocator"):
        train(start(run), data, place, Watcher())


@pytest.mark.parametrize(
    ("net", "settings", "checkpoint_s"),
    [
        ("cifar/resnet-8", (), 0),
        ("cifar/resnet-8", (), 1e9),
        ("cifar/resnet-8", (WARM_UP, "recipe.optim.decay_norms=false"), 0),
        ("cifar/resnet-8", ("recipe.precision=bf16", "recipe.normalise=per_pixel_mean"), 0),
        ("cifar/resnet-8", MODERN, 0),
        ("cifar/sd-resnet-8", (), 0),
        ("cifar/wrn-10-1-dropout", (), 0),
        ("cifar/pyramidnet-8-a6", (), 0),
        ("cifar/densenet-7-4", (), 0),
    ],
)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    make_run: MakeRun,
    start: Start,
    directory: Directory,
    data: DataSet,
    *,
    net: str,
    settings: tuple[str, ...],
    checkpoint_s: float,
):
    """Stopped within each epoch and started afresh: the same weights, metrics and record."""
    run = make_run(*settings, net=net)
    whole, parts = directory(run, "whole"), directory(run, "parts")
    expected = train(start(run), data, whole, Watcher())

    for last in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            train(start(run, checkpoint_s=checkpoint_s), data, parts, PowerCut(last))
    watcher = PowerCut(-1)
    found = train(start(run), data, parts, watcher)

    # A checkpoint follows its step, so the step of the power cut is lost and done again.
    assert [f"going on from step {4 if checkpoint_s == 0 else 3}"] == watcher.said
    assert whole.weights.read_bytes() == parts.weights.read_bytes()
    metrics = [[*map(without_times, place.metrics())] for place in (whole, parts)]
    assert metrics[0] == metrics[1]
    records = [without_times(dataclasses.asdict(record)) for record in (expected, found)]
    assert records[0] == records[1]


def test_a_record_is_complete_and_consistent(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """Every figure of the record is that of the run, its metrics or its weights."""
    run = make_run()
    state, place = start(run), directory(run)
    record = train(state, data, place, Watcher())
    epochs = place.metrics()
    net = weights.load(place.path)
    assert net.meta is not None
    normalisation = Normalisation(net.meta.mean, net.meta.std)

    assert json.loads(json.dumps(dataclasses.asdict(record))) == place.record()
    content = {"net": record.net, "data": record.data, "recipe": record.recipe, "seed": record.seed}
    assert run == run_from_json(content)
    assert (run.key, 1) == (record.key, record.contract)
    assert count.params(net.spec) == record.params == sum(p.numel() for p in net.parameters())
    assert (2, 6) == (record.epochs, record.steps)
    assert evaluate(net, data.test, normalisation).error == record.test_error
    both = evaluate(net, data.test, normalisation, views=FLIP)
    assert both.error == record.test_error_tta
    assert epochs[-1]["val_error"] == record.val_error
    assert min(epoch["val_error"] for epoch in epochs) == record.best_val_error
    last = (epochs[-1]["train_loss"], epochs[-1]["train_error"])
    assert last == (record.train_loss, record.train_error)
    assert sum(epoch["seconds"] for epoch in epochs) == pytest.approx(record.train_seconds)
    assert 6 * 32 == pytest.approx(record.images_per_second * record.train_seconds)
    assert (state.runtime.name, versions()) == (record.device, record.versions)


def test_the_best_epoch_need_not_be_the_last(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """``val_error`` is the last epoch's, ``best_val_error`` the lowest of any."""
    run = make_run(epochs=1 / 3)
    state = start(run)
    earlier = Metrics(
        epoch=1,
        step=0,
        lr=0.1,
        train_loss=1.0,
        train_error=50.0,
        val_error=-1.0,
        val_loss=1.0,
        seconds=2.0,
        images_per_second=1.0,
    )
    state.epochs.append(dataclasses.asdict(earlier))
    record = train(state, data, directory(run), Watcher())
    assert -1.0 == record.best_val_error
    assert state.epochs[-1]["val_error"] == record.val_error
    assert 0 <= state.epochs[-1]["val_error"]


def test_without_validation_there_is_no_validation_error(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """The record then says null twice."""
    run = make_run("data.val_size=0", epochs=1 / 3)
    record = train(start(run), data, directory(run), Watcher())
    assert (None, None) == (record.val_error, record.best_val_error)


def test_the_weights_know_their_data(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """Classes, size and the training images' mean and deviation go with the weights."""
    run = make_run(epochs=1 / 3)
    state, place = start(run), directory(run)
    train(state, data, place, Watcher())
    meta = weights.load(place.path).meta
    assert meta is not None
    assert ("cifar/resnet-8", "synthetic", data.classes, 32) == (
        meta.net,
        meta.data,
        meta.classes,
        meta.image_size,
    )
    std = state.normalisation.std
    assert std is not None
    assert meta.std is not None
    assert state.normalisation.mean.equal(meta.mean)
    assert std.equal(meta.std)


def test_fresh_weights_are_a_function_of_name_and_seed(make_run: MakeRun):
    """Whatever was drawn before, a seed starts from the same net; another seed does not."""
    first = fresh_net(make_run(), num_classes=10).state_dict()
    torch.rand(7)
    again = fresh_net(make_run(), num_classes=10).state_dict()
    other = fresh_net(make_run(seed=1), num_classes=10).state_dict()
    assert all(value.equal(again[name]) for name, value in first.items())
    assert not first["stem.conv1.weight"].equal(other["stem.conv1.weight"])
    assert 7 == fresh_net(make_run(), num_classes=7).classifier.out_features


def test_normalisation_is_that_of_the_training_images(make_run: MakeRun, start: Start):
    """Neither validation nor test images, nor those left out, move the mean."""
    state = start(make_run())
    pixels = state.batches.pixels.double().transpose(0, 1).flatten(1) / 255
    std = state.normalisation.std
    assert std is not None
    assert 96 == len(state.batches.labels)
    torch.testing.assert_close(pixels.mean(1).float(), state.normalisation.mean)
    torch.testing.assert_close(pixels.std(1, correction=0).float(), std)

    per_pixel = start(make_run("recipe.normalise=per_pixel_mean")).normalisation
    assert per_pixel.std is None
    assert (3, 32, 32) == per_pixel.mean.shape


def test_the_recipe_reaches_batches_and_optimiser(make_run: MakeRun, start: Start):
    """Each value of the recipe is used where it belongs."""
    state = start(
        make_run(
            "recipe.augment.pad=2",
            "recipe.augment.padding=reflect",
            "recipe.augment.flip=false",
            "recipe.optim.momentum=0.5",
            "recipe.optim.weight_decay=0.25",
            "recipe.optim.decay_norms=false",
            "recipe.bn_group=32",
            seed=5,
        )
    )
    batches, groups = state.batches, state.optimisers[0].param_groups
    augment = (batches.pad, batches.crop_mode, batches.flip)
    assert (2, "reflect", False) == augment
    assert (32, 5) == (batches.batch_size, batches.seed)
    assert [0.25, 0.0] == [group["weight_decay"] for group in groups]
    assert [(0.5, True)] * 2 == [(group["momentum"], group["nesterov"]) for group in groups]


@pytest.mark.parametrize("group", [15, 64])
def test_a_bn_group_that_cannot_be_had_is_refused(make_run: MakeRun, start: Start, group: int):
    """One device averages over the whole batch; the message has both numbers."""
    with pytest.raises(UsageError, match=rf"recipe\.bn_group {group} .* batch of 32"):
        start(make_run(f"recipe.bn_group={group}"))


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """A run whose newest checkpoint is damaged loses the steps since the previous one, no more."""
    run = make_run()
    whole, parts = directory(run, "whole"), directory(run, "parts")
    train(start(run), data, whole, Watcher())
    with pytest.raises(KeyboardInterrupt):
        train(start(run, checkpoint_s=0), data, parts, PowerCut(5))
    parts.checkpoint.write_bytes(parts.checkpoint.read_bytes()[:-1000])

    watcher = PowerCut(-1)
    train(start(run), data, parts, watcher)

    warning, note = watcher.said
    assert f"{parts.checkpoint} is damaged" in warning
    assert "going on from step 3" == note
    assert whole.weights.read_bytes() == parts.weights.read_bytes()


@pytest.mark.parametrize("lost", ["net", "optimisers", "step"])
def test_a_checkpoint_with_other_parts_is_told(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet, lost: str
):
    """One of another version of ours is whole and yet of no use: a line says what to do."""
    run = make_run()
    place = directory(run)
    with pytest.raises(KeyboardInterrupt):
        train(start(run), data, place, PowerCut(4))
    content = torch.load(place.checkpoint, weights_only=True)
    del content[lost]
    torch.save(content, place.checkpoint)

    with pytest.raises(RunError, match=r"checkpoint\.pt.*new --out"):
        train(start(run), data, place, Watcher())
    assert place.record() is None


def test_a_checkpoint_of_another_run_is_told(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """The key inside says whose it is; nothing is trained from it."""
    theirs, ours = make_run(), make_run(seed=1)
    with pytest.raises(KeyboardInterrupt):
        train(start(theirs), data, directory(theirs, "theirs"), PowerCut(4))
    place = directory(ours, "ours")
    shutil.copy(directory(theirs, "theirs").checkpoint, place.checkpoint)
    with pytest.raises(RunError, match="belongs to another run"):
        train(start(ours), data, place, Watcher())
    assert place.record() is None


def test_a_run_that_was_stopped_before_its_record_only_writes_it(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """With all steps done, going on evaluates and writes weights and record, no more."""
    run = make_run(epochs=2 / 3)
    place = directory(run)
    expected = train(start(run), data, place, Watcher())
    before = place.weights.read_bytes()
    (place.path / "record.json").unlink()
    place.weights.unlink()

    found = train(start(run), data, place, PowerCut(3))

    assert expected == found
    assert before == place.weights.read_bytes()


def test_whitening_goes_with_the_weights(make_run: MakeRun, directory: Directory, data: DataSet):
    """A run that was stopped ends as another, and its weights find the record's error again."""
    train_images, test_images = (
        Images(images.pixels[:, :, ::4, ::4], images.labels) for images in (data.train, data.test)
    )
    small = dataclasses.replace(data, train=train_images, test=test_images)
    run = make_run("recipe.normalise=zca", "recipe.augment.padding=reflect")
    whole, parts = directory(run, "whole"), directory(run, "parts")

    def start() -> Fit:
        return prepare(run, small, Runtime(device=torch.device("cpu"), checkpoint_s=0))

    record = train(start(), small, whole, Watcher())
    with pytest.raises(KeyboardInterrupt):
        train(start(), small, parts, PowerCut(5))
    train(start(), small, parts, Watcher())

    for name in ("model.safetensors", "model.whitening.safetensors", "model.json"):
        assert (whole.path / name).read_bytes() == (parts.path / name).read_bytes()
    net = weights.load(parts.path)
    assert net.meta is not None
    assert net.meta.whitening is not None
    assert (192, 192) == net.meta.whitening.shape
    found = evaluate(net, test_images, weights.normalisation(net.meta))
    assert record.test_error == found.error
    plain = dataclasses.replace(weights.normalisation(net.meta), whitening=torch.eye(192))
    assert found.nll != evaluate(net, test_images, plain).nll


def test_training_images_are_held_once(make_run: MakeRun, start: Start, data: DataSet):
    """Batches and validation look at the data set's own memory."""
    state = start(make_run())
    whole = data.train.pixels
    assert whole.data_ptr() == state.batches.pixels.data_ptr()
    assert whole[-40:].data_ptr() == state.val.pixels.data_ptr()
