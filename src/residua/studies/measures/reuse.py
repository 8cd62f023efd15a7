"""Which earlier maps a dense net's layers use, by their weights.  Source: huang2017 Fig. 5."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from residua.arch.spec import DenseSpec
from residua.errors import UsageError
from residua.nets.build import Net


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Mean absolute weights between the layers of one dense block.

    Attributes:
        weights: A row for each reader: the block's layers in order, then the transition or the
            classifier behind it.  In a row, a mean for each source that the reader sees: the
            block's input, then the layers before it in order.
    """

    weights: tuple[tuple[float, ...], ...]

    @property
    def scaled(self) -> tuple[tuple[float, ...], ...]:
        """Each row as shares of its largest value, for readers differ in kernel and in scale."""
        return tuple(tuple(value / max(row) for value in row) for row in self.weights)


def blocks(net: Net) -> tuple[Block, ...]:
    """The connections in each dense block, from the first convolution of every layer.

    A value is the mean over all weights between two layers, kernel and channels alike, so that
    sources of many channels do not weigh more.  The weights are those of the net as it is: BN
    before a convolution is not multiplied into them.

    Raises:
        UsageError: The net is not a dense one.

    Source: huang2017 Fig. 5, whose caption leaves open how its colours came to lie in 0…1; ours do
    by :attr:`Block.scaled`.
    """
    spec = net.spec
    if not isinstance(spec, DenseSpec):
        raise UsageError("feature reuse is read from the weights of dense nets: this is none")
    readers = [*(_first_convolution(unit) for unit in net.units), net.classifier.weight]
    found: list[Block] = []
    start = 0
    for depth in spec.depths:
        # The layers and what reads all of them: a transition, or at the end the classifier.
        end = start + depth + 1
        c_input = net.plan[start].c_in
        found.append(
            Block(
                weights=tuple(
                    _means(weight, c_input=c_input, growth=spec.growth)
                    for weight in readers[start:end]
                )
            )
        )
        start = end
    return tuple(found)


def _means(
    weight: Float[Tensor, "c_out c_in ..."], *, c_input: int, growth: int
) -> tuple[float, ...]:
    ends = [0, *range(c_input, weight.shape[1] + 1, growth)]
    return tuple(weight[:, a:b].detach().abs().mean().item() for a, b in pairwise(ends))


def _first_convolution(unit: nn.Module) -> Tensor:
    return next(module.weight for module in unit.modules() if isinstance(module, nn.Conv2d))
