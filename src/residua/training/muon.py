"""Muon: momentum whose singular values are all made one before the step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

# Of the quintic a·x + b·x³ + c·x⁵ that Jordan et al. tuned: steep at 0, near 1 up to 1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum for filter banks, each flattened to [c_out, c_in·k²].

    ``v ← m·v + g; u = orthogonal(g + m·v); w ← (1 - lr·decay)·w - lr·√max(1, rows/columns)·u``.
    Source: Jordan et al. 2024.

    Args:
        params: Parameters of at least two dimensions, or groups of them.
        lr: Learning rate.
        momentum: The m above.
        weight_decay: The decay above.
        iterations: Newton-Schulz iterations.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        iterations: int,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "iterations": iterations,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override] - never returns a loss
        """Update every parameter that has a gradient."""
        assert closure is None, "no closure is ever evaluated again"
        for group in self.param_groups:
            for parameters in _by_shape(group["params"]):
                self._update(parameters, group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update parameters of one shape, in one batch of matrix products."""
        ahead = torch.stack([self._ahead(parameter, group["momentum"]) for parameter in parameters])
        rows, columns = ahead.shape[1:]
        size = group["lr"] * max(1, rows / columns) ** 0.5
        steps = orthogonal(ahead, iterations=group["iterations"])
        for parameter, step in zip(parameters, steps, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(step.view(parameter.shape), alpha=size)

    def _ahead(self, parameter: Tensor, momentum: float) -> Float[Tensor, "rows columns"]:
        """Nesterov's look ahead, as a matrix: ``g + m·v`` once v has taken in g."""
        gradient = parameter.grad
        assert gradient is not None, "_by_shape leaves out parameters without one"
        state = self.state[parameter]
        if not state:
            state["velocity"] = torch.zeros_like(parameter)
        velocity = state["velocity"].mul_(momentum).add_(gradient)
        return gradient.add(velocity, alpha=momentum).flatten(1)


def orthogonal(
    matrices: Float[Tensor, "n rows columns"], *, iterations: int
) -> Float[Tensor, "n rows columns"]:
    """The nearest matrices whose singular values are about one: ``U·Vᵀ`` of ``U·S·Vᵀ``."""
    a, b, c = NEWTON_SCHULZ
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.mT


def _by_shape(parameters: list[Tensor]) -> list[list[Tensor]]:
    groups: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            groups[parameter.shape].append(parameter)
    return list(groups.values())
