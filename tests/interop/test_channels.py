"""Channels: other numberings of the carried signal, made ours."""

import pytest
import torch

from residua.arch import names
from residua.interop.channels import in_our_order
from residua.interop.layouts import Order
from residua.interop.matching import empty


def numbered(net: str) -> dict[str, torch.Tensor]:
    """Return a state dict whose entries say which channels they join: output + input/1000."""
    tensors = {}
    for name, tensor in empty(names.spec(net)).items():
        value = torch.zeros(tensor.shape)
        if tensor.dim():
            value += torch.arange(len(tensor)).view(-1, *[1] * (tensor.dim() - 1))
        if tensor.dim() > 1:
            value += torch.arange(tensor.shape[1]).view(-1, *[1] * (tensor.dim() - 2)) / 1000
        tensors[name] = value
    return tensors


def outputs(tensor: torch.Tensor) -> list[int]:
    """Return which of their channels each of our outputs is."""
    return tensor.flatten(1)[:, 0].int().tolist() if tensor.dim() > 1 else tensor.int().tolist()


def inputs(tensor: torch.Tensor) -> list[int]:
    """Return which of their channels each input is of our first output, which is their first."""
    return (1000 * tensor[0].view(tensor.shape[1], -1)[:, 0]).round().int().tolist()


def test_zeros_on_both_sides():
    """The carried channels come first, then those that were before them, then those behind."""
    found = in_our_order(numbered("cifar/resnet-14"), names.spec("cifar/resnet-14"), "centred")
    stage2 = [*range(8, 24), *range(8), *range(24, 32)]
    stage3 = [*(16 + channel for channel in stage2), *range(16), *range(48, 64)]
    assert list(range(16)) == outputs(found["units.1.branch.conv2.weight"])
    assert list(range(16)) == inputs(found["units.2.branch.conv1.weight"])
    assert list(range(32)) == outputs(found["units.2.branch.conv1.weight"])
    assert stage2 == outputs(found["units.2.branch.conv2.weight"])
    assert stage2 == outputs(found["units.3.branch.norm2.running_var"])
    assert list(range(32)) == outputs(found["units.3.branch.norm1.bias"])
    assert stage2 == inputs(found["units.4.branch.conv1.weight"])
    assert stage3 == outputs(found["units.5.branch.norm2.weight"])
    assert list(range(10)) == outputs(found["classifier.weight"])
    assert stage3 == inputs(found["classifier.weight"])


def test_newest_first():
    """In a dense block theirs are in reverse, layer by layer; behind a transition they are ours."""
    net = "cifar/densenet-10-4"
    found = in_our_order(numbered(net), names.spec(net), "newest first")
    assert list(range(16)) == outputs(found["units.0.branch.norm1.weight"])
    assert [*range(4, 20), *range(4)] == outputs(found["units.1.branch.norm1.weight"])
    assert list(range(4)) == outputs(found["units.1.branch.conv1.weight"])
    assert [*range(4, 20), *range(4)] == inputs(found["units.1.branch.conv1.weight"])
    assert [*range(8, 24), *range(4, 8), *range(4)] == outputs(found["units.2.branch.norm1.bias"])
    assert list(range(24)) == outputs(found["units.2.branch.conv1.weight"])
    assert list(range(24)) == outputs(found["units.3.branch.norm1.weight"])


@pytest.mark.parametrize(
    ("net", "order"),
    [
        ("cifar/resnet-14-b", "centred"),
        ("cifar/resnet-14", "newest first"),
        ("cifar/densenet-10-4", "centred"),
        ("cifar/wrn-10-1", "ours"),
    ],
)
def test_nothing_moves_where_the_orders_are_the_same(net: str, order: Order):
    """Projections and plain chains of convolutions number their channels one way."""
    tensors = numbered(net)
    found = in_our_order(tensors, names.spec(net), order)
    assert tensors.keys() == found.keys()
    assert all(tensors[key].equal(found[key]) for key in tensors)
