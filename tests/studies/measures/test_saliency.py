"""Saliency: a map worked out by hand, nets of every kind, and that a net is left alone."""

import pytest
import torch
from torch import Tensor, nn

import residua
from residua.studies.measures.saliency import grad_cam


class Fixed(nn.Module):
    """The same maps whatever comes in, as the end of a head."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = nn.Parameter(maps)

    def forward(self, _x: Tensor) -> Tensor:
        """Maps that a gradient can be taken to."""
        return self.maps * 1


def test_a_map_by_hand():
    """Two maps of 2×2 whose means a classifier weighs 3 and -1: α is 3/4 and -1/4."""
    net = residua.create("cifar/resnet-8", num_classes=2).eval()
    net.head = Fixed(torch.tensor([[[[1.0, 2.0], [0.0, 4.0]], [[3.0, 2.0], [1.0, 0.0]]]]))  # type: ignore[assignment] - it stands for a head
    net.classifier = nn.Linear(2, 2)
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor([[3.0, -1.0], [-1.0, -1.0]]))
    x = torch.zeros(1, 3, 32, 32)
    # 3/4·(1, 2, 0, 4) - 1/4·(3, 2, 1, 0) = (0, 1, -1/4, 3): no negative evidence, over the largest.
    expected = torch.tensor([[0.0, 1 / 3], [0.0, 1.0]])
    torch.testing.assert_close(grad_cam(net, x, 0), expected)
    assert torch.equal(torch.zeros(2, 2), grad_cam(net, x, 1))


@pytest.mark.parametrize("name", ["cifar/resnet-8", "cifar/pyramidnet-8-a6", "cifar/densenet-7-4"])
def test_behind_the_mean_it_is_the_classifiers_weighing(name: str):
    """The logit is linear in the last maps, so α is in proportion to the classifier's weights."""
    torch.manual_seed(0)
    net = residua.create(name).eval()
    x = torch.randn(1, 3, 32, 32)
    kept: list[Tensor] = []
    with torch.no_grad(), net.head.register_forward_hook(lambda *given: kept.append(given[-1])):
        net(x)
    (maps,) = kept
    heat = torch.einsum("k,kij->ij", net.classifier.weight.detach()[2], maps[0]).relu()
    found = grad_cam(net, x, 2)
    torch.testing.assert_close(found, heat / heat.amax())
    assert (8, 8) == found.shape


def test_a_net_is_left_alone():
    """No hook stays on it and no gradient in it, where gradients are off elsewhere."""
    torch.manual_seed(0)
    net = residua.create("cifar/resnet-8").eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found = grad_cam(net, x, 0)
    assert not found.requires_grad
    assert not net.head._forward_hooks
    assert all(parameter.grad is None for parameter in net.parameters())
