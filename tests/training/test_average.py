"""The moving average of weights."""

import copy

import pytest
import torch

from residua.nets.build import Net, create
from residua.training.average import Average


@pytest.fixture
def net() -> Net:
    """A small net."""
    torch.manual_seed(0)
    return create("cifar/resnet-8")


def test_the_average_follows_the_law(net: Net):
    """Three updates by hand: weights and running statistics, the share rising from 1/10."""
    average = Average(net, decay=0.2)
    expected = {name: value.clone().double() for name, value in net.state_dict().items()}
    for step, decay in enumerate((0.1, 2 / 11, 0.2)):
        net.train()(torch.randn(4, 3, 8, 8))
        for parameter in net.parameters():
            parameter.data += torch.randn_like(parameter)
        for name, value in net.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
        average.update(net, step=step)

    found = average.net.state_dict()
    for name, value in expected.items():
        if found[name].is_floating_point():
            torch.testing.assert_close(value.float(), found[name])
        else:
            assert net.state_dict()[name].equal(found[name])


def test_the_average_is_apart_from_the_net(net: Net):
    """It asks for no gradients, and updates leave the net as it is."""
    average = Average(net, decay=0.9)
    before = copy.deepcopy(net.state_dict())
    average.update(net, step=100)
    assert not any(parameter.requires_grad for parameter in average.net.parameters())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(before[name].equal(value) for name, value in net.state_dict().items())
