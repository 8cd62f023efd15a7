"""The optimiser of a recipe, and the warm-up that some recipes start with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from residua.nets.build import Net
from residua.training.muon import Muon
from residua.training.recipes import Optim, Recipe, Sgd


def optimisers(net: Net, settings: Optim) -> list[torch.optim.Optimizer]:
    """The optimisers of a net's parameters: SGD, or Muon for the units' convolutions beside it."""
    if settings.kind == "sgd":
        return [sgd(net.parameters(), settings)]
    matrices = [p for p in net.units.parameters() if p.ndim > 1]
    chosen = {id(p) for p in matrices}
    rest = [p for p in net.parameters() if id(p) not in chosen]
    muon = Muon(
        matrices,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        iterations=settings.iterations,
    )
    return [muon, sgd(rest, settings.rest)]


def sgd(parameters: Iterable[nn.Parameter], settings: Sgd) -> torch.optim.SGD:
    """SGD over some parameters, with BN and biases in a group of their own that may not decay.

    Velocity starts at the first gradient and the rate multiplies it afterwards, as in Torch:
    ``v ← m·v + g; w ← w - lr·v``.
    """
    everything = list(parameters)
    decay = settings.weight_decay
    groups = [
        {"params": [p for p in everything if p.ndim > 1], "weight_decay": decay},
        {
            "params": [p for p in everything if p.ndim <= 1],
            "weight_decay": decay if settings.decay_norms else 0.0,
        },
    ]
    return torch.optim.SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        fused=True,
    )


def set_rate(optimiser: torch.optim.Optimizer, share: float) -> None:
    """Set every group's learning rate to a share of its initial one."""
    for group in optimiser.param_groups:
        group["lr"] = share * group.setdefault("initial_lr", group["lr"])


class Rate:
    """The learning rate of each step: the schedule's, or the warm-up's until that is over.

    A warm-up that waits for an error ends for good, so it is part of a run's state.
    Source: he2015 §4.2.
    """

    def __init__(self, recipe: Recipe, *, depth: int, steps_per_epoch: int) -> None:
        self._recipe = recipe
        self._steps_per_epoch = steps_per_epoch
        warm_up = recipe.warm_up
        self._warm_up = warm_up if warm_up and depth >= warm_up.min_depth else None
        self._errors: deque[float] = deque(maxlen=warm_up.window if warm_up else 0)

    def at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm_up = self._warm_up
        if warm_up and (warm_up.iterations is None or step < warm_up.iterations):
            return warm_up.lr
        return self._recipe.lr(step, steps_per_epoch=self._steps_per_epoch)

    def observe(self, error: float) -> None:
        """Take note of one batch's training error, in percent."""
        if self._warm_up is None or self._warm_up.below_error is None:
            return
        self._errors.append(error)
        mean = sum(self._errors) / len(self._errors)
        if len(self._errors) == self._errors.maxlen and mean < self._warm_up.below_error:
            self._warm_up = None

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs."""
        return {"warming": self._warm_up is not None, "errors": list(self._errors)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where another left off."""
        if not state["warming"]:
            self._warm_up = None
        self._errors.extend(state["errors"])
