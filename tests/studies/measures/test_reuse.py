"""Feature reuse: each weight is counted between the two layers that it connects."""

import pytest
import torch
from torch import nn

import residua
from residua.errors import UsageError
from residua.nets.build import Net
from residua.studies.measures import reuse


def connected(name: str) -> Net:
    """A net with weights of ``±(10 · reader + source)``, readers and sources counted in a block."""
    net = residua.create(name)
    growth, plan = net.spec.growth, net.plan
    number = 0
    for unit, row in zip(net.units, plan, strict=True):
        first = next(module for module in unit.branch if isinstance(module, nn.Conv2d))
        c_input = next(other.c_in for other in plan if other.stage == row.stage)
        paint(first.weight, reader=number, c_input=c_input, growth=growth)
        number = 0 if row.shortcut == "transition" else number + 1
    c_input = next(row.c_in for row in plan if row.stage == plan[-1].stage)
    paint(net.classifier.weight, reader=number, c_input=c_input, growth=growth)
    return net


@torch.no_grad()
def paint(weight: torch.Tensor, *, reader: int, c_input: int, growth: int):
    """Give every weight the number of its connection, with random signs."""
    for channel in range(weight.shape[1]):
        source = 0 if channel < c_input else 1 + (channel - c_input) // growth
        weight[:, channel] = 10.0 * reader + source + 1
    weight *= torch.randint(2, weight.shape) * 2 - 1


@pytest.mark.parametrize(
    ("name", "depth"), [("cifar/densenet-16-5", 4), ("cifar/densenet-bc-22-4", 3)]
)
def test_each_connection_has_its_own_weights(name: str, depth: int):
    """Reader by reader, transition and classifier among them, the input first."""
    expected = tuple(
        tuple(10.0 * reader + source + 1 for source in range(reader + 1))
        for reader in range(depth + 1)
    )
    found = reuse.blocks(connected(name))
    assert 3 == len(found)
    assert all(expected == block.weights for block in found)


def test_rows_have_one_scale():
    """The most used source of each reader stands at 1."""
    (block, *_) = reuse.blocks(connected("cifar/densenet-10-12"))
    assert ((1.0,), (11 / 12, 1.0), (21 / 23, 22 / 23, 1.0)) == block.scaled


def test_fresh_weights_are_used_alike():
    """N(0, σ²) has a mean of σ·√(2/π) everywhere: no source stands out."""
    torch.manual_seed(0)
    net = residua.create("cifar/densenet-bc-40-36")
    (first, *_) = reuse.blocks(net)
    sigma = (2 / (4 * 36)) ** 0.5  # a 1×1 convolution's, by its outputs
    for row in first.weights[:-1]:
        assert [sigma * (2 / torch.pi) ** 0.5] * len(row) == pytest.approx(list(row), rel=0.05)


def test_other_nets_are_refused():
    """A residual net adds: its layers' sources cannot be told apart."""
    with pytest.raises(UsageError, match=r"^feature reuse is read from the weights of dense nets"):
        reuse.blocks(residua.create("cifar/resnet-8"))
