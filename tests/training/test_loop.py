"""The loop: what a step does, what an epoch measures, what a checkpoint holds."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.data.sets import DataSet
from residua.errors import RunError, Stopped
from residua.runs.config import Run
from residua.runs.records import Metrics, RunDirectory
from residua.training import loop
from residua.training.evaluate import evaluate
from residua.training.loop import Fit, fit, train_step
from residua.training.progress import Watcher

MakeRun = Callable[..., Run]
Start = Callable[..., Fit]
Directory = Callable[..., RunDirectory]

STEPS = 3  # an epoch of the runs of conftest.py


@contextmanager
def watched(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the logits of every training step."""
    seen: list[Tensor] = []

    def look(module: nn.Module, _inputs: object, logits: Tensor):
        if module.training:
            seen.append(logits.detach().clone())

    handle = net.register_forward_hook(look)
    yield seen
    handle.remove()


def state_of(fit_: Fit) -> dict[str, Tensor]:
    """Return a copy of a net's weights and running statistics."""
    return {name: value.clone() for name, value in fit_.net.state_dict().items()}


def test_the_loss_falls(make_run: MakeRun, start: Start, directory: Directory):
    """A few epochs of a small net on synthetic images learn something."""
    run = make_run("recipe.optim.lr=0.03", "data.train_limit=192", epochs=4)
    state = start(run)
    fit(state, directory(run), Watcher())
    first, *_, last = state.epochs
    assert last["train_loss"] < 0.9 * first["train_loss"]
    assert last["train_error"] < first["train_error"] - 10


def test_training_figures_are_exact(make_run: MakeRun, start: Start, directory: Directory):
    """Loss and error of an epoch are those of the logits that its steps computed."""
    run = make_run()
    state = start(run)
    labels = [state.batches.batch(step)[1] for step in range(2 * STEPS)]
    with watched(state.net) as logits:
        fit(state, directory(run), Watcher())

    assert 2 * STEPS == len(logits)
    for epoch, metrics in enumerate(state.epochs):
        steps = slice(epoch * STEPS, (epoch + 1) * STEPS)
        z, y = torch.cat(logits[steps]), torch.cat(labels[steps])
        assert 100 * int((z.argmax(1) != y).sum()) / 96 == metrics["train_error"]
        assert functional.cross_entropy(z, y).item() == pytest.approx(metrics["train_loss"])


def test_an_epochs_metrics_are_complete(make_run: MakeRun, start: Start, directory: Directory):
    """Numbering, rate, validation and speed of each epoch; the file has what the run has."""
    run = make_run()
    state = start(run)
    place = directory(run)
    fit(state, place, Watcher())

    assert state.epochs == place.metrics()
    assert set(Metrics.__dataclass_fields__) == state.epochs[-1].keys()
    assert [(1, 3), (2, 6)] == [(epoch["epoch"], epoch["step"]) for epoch in state.epochs]
    # Milestones at 1 and 1.5 epochs: the fourth step is the first at 0.01, the sixth is at 0.001.
    assert [0.1, 0.001] == pytest.approx([epoch["lr"] for epoch in state.epochs])
    val = evaluate(state.net, state.val, state.normalisation)
    assert (val.error, val.nll) == (state.epochs[-1]["val_error"], state.epochs[-1]["val_loss"])
    for epoch in state.epochs:
        assert 96 == pytest.approx(epoch["seconds"] * epoch["images_per_second"])


def test_without_validation_images_nothing_is_validated(
    make_run: MakeRun, start: Start, directory: Directory
):
    """All training images may train; the metrics then say null."""
    run = make_run("data.val_size=0", epochs=1)
    state = start(run)
    fit(state, directory(run), Watcher())
    assert [(None, None)] == [(epoch["val_error"], epoch["val_loss"]) for epoch in state.epochs]


def test_a_last_epoch_that_is_cut_short_is_measured(
    make_run: MakeRun, start: Start, directory: Directory
):
    """4/3 epochs are an epoch of three steps and one of a single step."""
    run = make_run(epochs=4 / 3)
    state = start(run)
    with watched(state.net) as logits:
        fit(state, directory(run), Watcher())
    labels = state.batches.batch(3)[1]
    wrong = int((logits[3].argmax(1) != labels).sum())
    assert [3, 4] == [epoch["step"] for epoch in state.epochs]
    assert 100 * wrong / 32 == state.epochs[-1]["train_error"]


class Diary(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Note where training starts."""
        self.events.append((step, num_steps, steps_per_epoch))

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """Note a step."""
        assert 0 <= train_error <= 100
        assert images_per_second > 0
        self.events.append(step)

    def epoch(self, metrics: Metrics) -> None:
        """Note an epoch."""
        self.events.append(f"epoch {metrics.epoch}")


def test_the_watcher_is_told(make_run: MakeRun, start: Start, directory: Directory):
    """The start, every step done, every epoch."""
    run, diary = make_run(), Diary()
    fit(start(run), directory(run), diary)
    assert [(0, 6, 3), 1, 2, 3, "epoch 1", 4, 5, 6, "epoch 2"] == diary.events


def test_the_warm_up_reads_each_steps_error(make_run: MakeRun, start: Start):
    """The rate is the warm-up's until the batches' error falls, then the schedule's."""
    settings = {"lr": 0.02, "below_error": 101, "min_depth": 8, "window": 2}
    state = start(make_run(f"recipe.warm_up={settings}".replace("'", '"')))
    rates = []
    for _ in range(4):
        rates.append(state.rate.at(state.step))
        train_step(state, rates[-1])
        assert rates[-1] == state.optimisers[0].param_groups[0]["lr"]
        state.step += 1
    assert [0.02, 0.02, 0.1, 0.01] == pytest.approx(rates)


@pytest.mark.parametrize("net", ["cifar/wrn-10-1-dropout", "cifar/sd-resnet-8"])
def test_randomness_is_a_function_of_seed_and_step(make_run: MakeRun, start: Start, net: str):
    """Dropout masks and gates do not depend on what was drawn before, but on seed and step."""

    def loss(step: int, *, noise: int) -> float:
        state = start(make_run(net=net))
        torch.manual_seed(0)
        for parameter in state.net.parameters():
            nn.init.normal_(parameter, std=0.1)
        batch = state.batches.batch(0)
        state.batches.batch = lambda _step: batch  # type: ignore[method-assign]
        state.step = step
        torch.manual_seed(noise)
        train_step(state, 0.1)
        return state.tally.loss

    first, again = ([loss(step, noise=noise) for step in range(5)] for noise in (1, 2))
    assert first == again
    assert len(set(first)) > 1


def test_skipped_units_decay_and_move_on(
    make_run: MakeRun, start: Start, monkeypatch: pytest.MonkeyPatch
):
    """A unit that is skipped has a zero gradient, not none: huang2016's code decays it too."""
    state = start(make_run("recipe.optim.weight_decay=0.5", net="cifar/sd-resnet-8"))
    weight = state.net.units[1].branch.conv1.weight  # type: ignore[union-attr]
    w = weight.detach().clone()
    others = state_of(state)
    monkeypatch.setattr(loop, "draw_gates", lambda _plan, _generator: (1.0, 0.0, 1.0))

    velocity = torch.zeros_like(w)
    for _ in range(2):
        gradient = 0.5 * w
        velocity = 0.9 * velocity + gradient
        w = w - 0.1 * (gradient + 0.9 * velocity)  # han2017 has Nesterov's momentum
        train_step(state, 0.1)
        torch.testing.assert_close(w, weight.detach())

    # Its statistics stand still, while its neighbours learn.
    name = "units.{}.branch.norm1.running_mean"
    now = state.net.state_dict()
    assert others[name.format(1)].equal(now[name.format(1)])
    assert not others[name.format(0)].equal(now[name.format(0)])


def test_a_loss_that_is_not_finite_stops_the_run(
    make_run: MakeRun, start: Start, directory: Directory, monkeypatch: pytest.MonkeyPatch
):
    """The message has step and rate; the last checkpoint is that of the epoch before."""
    run = make_run()
    state = start(run)
    place = directory(run)
    monkeypatch.setattr(state.rate, "at", lambda step: 0.1 if step < STEPS else 1e30)

    with pytest.raises(RunError, match=r"the loss is (nan|inf) at step 4 .*rate 1e\+30: try a low"):
        fit(state, place, Watcher())

    again = start(run)
    again.load_state_dict(torch.load(place.checkpoint, weights_only=True))
    assert (STEPS, 1) == (again.step, len(again.epochs))
    assert all(value.isfinite().all() for value in again.net.state_dict().values())
    fit(again, place, Watcher())
    assert [1, 2] == [epoch["epoch"] for epoch in place.metrics()]


class Stopper(Watcher):
    """Asks the run to stop, as a terminal or a scheduler would, during its second step."""

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:  # noqa: ARG002 - the watcher's signature
        """Send the signal."""
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_stops_a_run_after_its_step(make_run: MakeRun, start: Start, directory: Directory):
    """The step at hand is saved, whatever the time since the last checkpoint."""
    run = make_run()
    place = directory(run)
    with pytest.raises(Stopped, match="stopped at step 2 of 6: --resume") as caught:
        fit(start(run, checkpoint_s=1e9), place, Stopper())
    assert signal.SIGTERM == caught.value.signal
    assert 2 == torch.load(place.checkpoint, weights_only=True)["step"]


def test_a_run_that_diverges_in_its_last_step_has_failed(
    make_run: MakeRun, start: Start, directory: Directory
):
    """No later loss would tell that the last update ruined the net."""
    run = make_run("recipe.optim.lr=1e30", epochs=1 / STEPS)
    with pytest.raises(RunError, match=r"not finite|nan|inf"):
        fit(start(run), directory(run), Watcher())


@pytest.mark.parametrize(("checkpoint_s", "saves"), [(0, [1, 2, 3, 4, 5, 6]), (1e9, [3, 6])])
def test_checkpoints_come_in_time(
    make_run: MakeRun,
    start: Start,
    directory: Directory,
    monkeypatch: pytest.MonkeyPatch,
    *,
    checkpoint_s: float,
    saves: list[int],
):
    """At each epoch's end, and in between whenever the last one is old enough."""
    steps: list[int] = []
    run = make_run()
    monkeypatch.setattr(Fit, "save", lambda self, _directory: steps.append(self.step))
    fit(start(run, checkpoint_s=checkpoint_s), directory(run), Watcher())
    assert saves == steps


@pytest.mark.parametrize("net", ["cifar/resnet-8", "cifar/sd-resnet-8"])
def test_a_checkpoint_runs_no_code_and_holds_all(
    make_run: MakeRun, start: Start, directory: Directory, net: str
):
    """It loads under weights_only into a fresh run that has another net and no history."""
    run = make_run(net=net, epochs=4 / 3)
    state, place = start(run, checkpoint_s=0), directory(run)
    fit(state, place, Watcher())

    again = start(run)
    again.load_state_dict(torch.load(place.checkpoint, weights_only=True))

    assert (4, state.epochs, state.tally) == (again.step, again.epochs, again.tally)
    assert state.rate.state_dict() == again.rate.state_dict()
    found = again.net.state_dict()
    assert all(value.equal(found[name]) for name, value in state.net.state_dict().items())
    buffers = [
        [moments["momentum_buffer"] for moments in one.optimisers[0].state_dict()["state"].values()]
        for one in (state, again)
    ]
    assert len(list(state.net.parameters())) == len(buffers[0])
    assert all(one.equal(other) for one, other in zip(*buffers, strict=True))


def test_epochs_of_other_fields_are_refused(make_run: MakeRun, start: Start, directory: Directory):
    """A checkpoint whose metrics the record could not be made of is not gone on from."""
    run = make_run(epochs=1)
    place = directory(run)
    fit(start(run), place, Watcher())
    content = torch.load(place.checkpoint, weights_only=True)
    del content["epochs"][0]["val_error"]
    with pytest.raises(TypeError, match="val_error"):
        start(run).load_state_dict(content)


def test_bf16_trains_fp32_weights(
    make_run: MakeRun, start: Start, directory: Directory, data: DataSet
):
    """The forward pass is rounded, so the loss differs; weights and logits' loss are fp32."""
    full, half = make_run(epochs=1), make_run("recipe.precision=bf16", epochs=1)
    losses = []
    for run in (full, half):
        state = start(run)
        fit(state, directory(run, run.key), Watcher())
        assert {torch.float32} == {p.dtype for p in state.net.parameters()}
        losses.append(state.epochs[0]["train_loss"])
        assert 0 <= evaluate(state.net, data.test, state.normalisation).error <= 100
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
