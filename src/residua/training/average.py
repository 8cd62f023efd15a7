"""An exponential moving average of a net's weights and running statistics."""

from __future__ import annotations

import copy

import torch

from residua.nets.build import Net


class Average:
    """``a ← decay·a + (1 - decay)·w`` after every step, for weights and BN statistics alike.

    The decay rises as ``(1 + steps)/(10 + steps)`` until it reaches its value, so that the random
    start is forgotten.  Source: Tarvainen & Valpola 2017; the rise is TensorFlow's.
    """

    def __init__(self, net: Net, *, decay: float) -> None:
        self.net: Net = copy.deepcopy(net).requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: Net, *, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        live = net.state_dict()
        for name, average in self.net.state_dict().items():
            if average.is_floating_point():
                average.lerp_(live[name], share)
            else:
                average.copy_(live[name])
