"""The training loop."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from residua.data.augment import generator_for
from residua.data.images import Images
from residua.data.listing import Files
from residua.data.loaders import TrainingBatches
from residua.data.mixing import Mixed, cutmix, cutout, mixup
from residua.data.normalise import Normalisation
from residua.errors import RunError, Stopped
from residua.nets.build import Net, draw_gates
from residua.runs.config import Run
from residua.runs.records import Metrics, RunDirectory
from residua.training.average import Average
from residua.training.checkpoint import save_checkpoint
from residua.training.evaluate import evaluate
from residua.training.optim import Rate, set_rate
from residua.training.progress import Watcher
from residua.training.runtime import Runtime
from residua.training.signals import StopRequests


@dataclass(slots=True)
class Tally:
    """Sums over the part of an epoch that is done."""

    loss: float = 0.0
    wrong: int = 0
    images: int = 0
    seconds: float = 0.0

    @property
    def train_error(self) -> float:
        """Percent of the augmented training images got wrong."""
        return 100 * self.wrong / max(1, self.images)

    @property
    def images_per_second(self) -> float:
        """Images trained on per second of training alone."""
        return self.images / max(1e-9, self.seconds)


@dataclass(slots=True, kw_only=True)
class Fit:
    """A run in progress: all that a checkpoint holds, and what the loop reads.

    ``step`` counts the optimiser steps done; ``epochs`` are the metrics of those finished.
    """

    run: Run
    net: Net
    average: Average | None
    optimisers: list[torch.optim.Optimizer]
    rate: Rate
    batches: TrainingBatches
    val: Images | Files
    normalisation: Normalisation
    runtime: Runtime
    step: int = 0
    tally: Tally = field(default_factory=Tally)
    epochs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> Net:
        """The net to evaluate and save: the average, where the recipe has one."""
        return self.average.net if self.average else self.net

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and strings alone, so that it loads without running any code."""
        return {
            "key": self.run.key,
            "step": self.step,
            "net": self.net.state_dict(),
            "average": self.average.net.state_dict() if self.average else None,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "rate": self.rate.state_dict(),
            "tally": asdict(self.tally),
            "epochs": self.epochs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        if self.average:
            self.average.net.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.rate.load_state_dict(state["rate"])
        self.tally = Tally(**state["tally"])
        self.epochs = [asdict(Metrics(**epoch)) for epoch in state["epochs"]]

    def save(self, directory: RunDirectory) -> None:
        """Write the checkpoint, after the metrics that it includes; only rank 0 does."""
        if not self.runtime.ranks.first:
            return
        directory.write_metrics(self.epochs)
        save_checkpoint(directory.checkpoint, self.state_dict())


def fit(state: Fit, directory: RunDirectory, watcher: Watcher) -> None:
    """Train until the recipe's budget is spent, saving at each epoch's end and in between.

    Every batch, gate and dropout mask is a function of (seed, step), so a run that goes on from a
    checkpoint computes what it would have computed without the interruption.

    Raises:
        RunError: The loss, weights or predictions are not finite, or a file cannot be decoded.
        Stopped: By SIGINT or SIGTERM, after the step at hand is done and saved.
        OSError: The directory cannot be written to.
    """
    batches, ranks = state.batches, state.runtime.ranks
    num_steps = state.run.recipe.budget.steps(batches.steps_per_epoch)
    watcher.start(step=state.step, num_steps=num_steps, steps_per_epoch=batches.steps_per_epoch)
    saved_s = time.monotonic()
    state.net.train()
    with StopRequests() as requests:
        while state.step < num_steps:
            lr = state.rate.at(state.step)
            train_step(state, lr)
            state.step += 1
            watcher.step(
                state.step,
                train_error=state.tally.train_error,
                images_per_second=state.tally.images_per_second,
            )
            stop = ranks.agreed(requests.signal)
            if state.step % batches.steps_per_epoch == 0 or state.step == num_steps:
                watcher.epoch(close_epoch(state, lr))
            elif time.monotonic() - saved_s < state.runtime.checkpoint_s and not stop:
                continue
            state.save(directory)
            saved_s = time.monotonic()
            if stop:
                ranks.wait()
                raise Stopped(
                    f"stopped at step {state.step} of {num_steps}: --resume goes on from there",
                    signal=stop,
                )


def train_step(state: Fit, lr: float) -> None:
    """One optimiser step: forward, backward, update, tally.

    Raises:
        RunError: The loss is not finite, or a file cannot be decoded.
    """
    started_s = time.perf_counter()
    run, net, ranks = state.run, state.net, state.runtime.ranks
    # The whole batch on every rank, and of it this rank's part: all random numbers are the same.
    x, y = state.batches.batch(state.step)
    mixed = _mix(x, run, state.step)
    part = ranks.part(len(y))
    own, other = y[part], y[mixed.order][part]
    gates = draw_gates(net.plan, generator_for(run.seed, state.step, "gates"))
    torch.manual_seed(generator_for(run.seed, state.step, "dropout").initial_seed())
    with state.runtime.precision(run.recipe):
        logits = net(mixed.x[part], gates=gates)
    loss = _loss(
        logits.float(), own, other, share=mixed.share, smoothing=run.recipe.label_smoothing
    )
    net.zero_grad()
    loss.backward()
    ranks.average(net)
    if 0 in gates:
        _decay_skipped(net)
    for optimiser in state.optimisers:
        set_rate(optimiser, lr / run.recipe.optim.lr)
        optimiser.step()
    if state.average:
        state.average.update(net, step=state.step)
    # The one synchronisation of a step: on a GPU the host waits here for the loss.
    wrong = int((logits.argmax(1) != own).sum())
    total, wrong = ranks.sums(loss.item() * len(own), wrong)
    value = total / len(y)
    if not abs(value) < float("inf"):
        raise _diverged(f"the loss is {value}", state.step, lr)
    state.rate.observe(100 * wrong / len(y))
    state.tally.loss += total
    state.tally.wrong += int(wrong)
    state.tally.images += len(y)
    state.tally.seconds += time.perf_counter() - started_s


def close_epoch(state: Fit, lr: float) -> Metrics:
    """Validate, and put the epoch's metrics beside those before.

    Raises:
        RunError: The last update ruined the weights, which no later loss would tell; or as
            :func:`residua.training.evaluate.predict`.
    """
    tally = state.tally
    # Squared, for weights whose square is infinite make outputs that are no numbers.
    if not all(parameter.square().sum().isfinite() for parameter in state.net.parameters()):
        raise _diverged("a sum of squared weights is not finite", state.step, lr)
    val = None
    if len(state.val):
        ranks = state.runtime.ranks
        val = evaluate(state.result, state.val, state.normalisation, ranks=ranks)
    metrics = Metrics(
        epoch=len(state.epochs) + 1,
        step=state.step,
        lr=lr,
        train_loss=tally.loss / tally.images,
        train_error=tally.train_error,
        val_error=val.error if val else None,
        val_loss=val.nll if val else None,
        seconds=tally.seconds,
        images_per_second=tally.images_per_second,
    )
    state.epochs.append(asdict(metrics))
    state.tally = Tally()
    return metrics


def _mix(x: Tensor, run: Run, step: int) -> Mixed:
    """Cutout, and one of mixup and CutMix, where the recipe has them."""
    augment = run.recipe.augment
    generator = generator_for(run.seed, step, "mix")
    if augment.cutout:
        x = cutout(x, size=augment.cutout, generator=generator)
    if augment.mixup:
        return mixup(x, alpha=augment.mixup, generator=generator)
    if augment.cutmix:
        return cutmix(x, alpha=augment.cutmix, generator=generator)
    return Mixed(x, torch.arange(len(x), device=x.device), 1.0)


def _loss(logits: Tensor, own: Tensor, other: Tensor, *, share: float, smoothing: float) -> Tensor:
    """Cross-entropy against each image's own label, and against the other's that is in it."""
    loss = functional.cross_entropy(logits, own, label_smoothing=smoothing)
    if share == 1:
        return loss
    rest = functional.cross_entropy(logits, other, label_smoothing=smoothing)
    return share * loss + (1 - share) * rest


def _diverged(what: str, step: int, lr: float) -> RunError:
    return RunError(
        f"{what} at step {step} with learning rate {lr:g}: try a lower --set recipe.optim.lr, "
        f"or --precision fp32"
    )


def _decay_skipped(net: Net) -> None:
    """Give the skipped units a zero gradient: their weights decay and move on with momentum.

    Source: the code of huang2016, whose gradients are zeroed at each step and never absent.
    """
    for parameter in net.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
