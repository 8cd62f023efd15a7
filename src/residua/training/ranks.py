"""The processes that train one net together, each on its device and with its part of a batch."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, distributed, nn

from residua.training.launch import LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Which of how many processes this is, and what they do in common.

    Alone, all of this costs nothing. Otherwise every rank must call the same methods in the same
    order; where one is gone, the others end without a word, for it is the one to be told of.

    Attributes:
        rank: This one's number, from 0; only rank 0 writes and prints.
        count: How many there are.
        device: Where tensors lie that are exchanged.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def part(self, size: int) -> slice:
        """This rank's part of ``size`` images, a multiple of the number of ranks."""
        length = size // self.count
        return slice(self.rank * length, (self.rank + 1) * length)

    def sums(self, *values: float) -> list[float]:
        """The sum of each value over the ranks."""
        if self.count == 1:
            return list(values)
        return self._reduce(torch.tensor(values, dtype=torch.float64)).tolist()

    def added(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the ranks, on the CPU."""
        return tensor if self.count == 1 else self._reduce(tensor).cpu()

    def agreed(self, signal: int | None) -> int:
        """The signal that any rank was stopped by, or 0."""
        if self.count == 1:
            return signal or 0
        return int(self._reduce(torch.tensor(signal or 0), distributed.ReduceOp.MAX))

    def gathered(self, tensor: Tensor, *, size: int) -> Tensor:
        """A tensor's like from each of the ``size`` consecutive ranks that this is one of."""
        everyone = tensor.new_empty((self.count, *tensor.shape))
        self._together(distributed.all_gather, list(everyone), tensor)
        start = self.rank // size * size
        return everyone[start : start + size]

    @torch.no_grad()
    def average(self, net: nn.Module) -> None:
        """Give every rank the mean of all gradients and running statistics.

        What has no gradient, a unit that was skipped, has none on any rank.
        """
        if self.count == 1:
            return
        tensors = [p.grad for p in net.parameters() if p.grad is not None]
        tensors += [buffer for buffer in net.buffers() if buffer.is_floating_point()]
        flat = self._reduce(torch.cat([tensor.flatten() for tensor in tensors])).div_(self.count)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, parts, strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def wait(self) -> None:
        """Go on once every rank is here."""
        self.sums(0)

    @contextlib.contextmanager
    def in_turn(self) -> Generator[None, None, None]:
        """Let rank 0 do something first: it downloads, caches and complains, the others find it."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def _reduce(
        self, tensor: Tensor, operation: distributed.ReduceOp.RedOpType = distributed.ReduceOp.SUM
    ) -> Tensor:
        moved = tensor.to(self.device)
        self._together(distributed.all_reduce, moved, op=operation)
        return moved

    def _together(self, operation: Callable[..., object], *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - torch's
        try:
            operation(*arguments, **options)
        except RuntimeError as error:
            reason = str(error).partition(". ")[0]
            sys.stderr.write(f"residua: rank {self.rank} lost the others: {reason}\n")
            raise SystemExit(LOST) from error


ALONE = Ranks()


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone: nobody else would."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(LOST)

    threading.Thread(target=watch, daemon=True).start()
