"""Signals and gradients against nets whose numbers can be written down."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import residua
from residua.arch.spec import Doubling, Joints, ResidualSpec, Stem
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.nets.build import Net, build
from residua.studies.measures import signal

NORMALISATION = Normalisation(torch.full((3,), 0.5), torch.full((3,), 0.25))
FACTORS = (0.5, -0.25, 3.0)


@pytest.fixture(scope="module")
def images() -> Images:
    """Eight images of noise."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (8, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return Images(pixels=pixels, labels=torch.arange(8) % 2)


def batch(images: Images) -> torch.Tensor:
    """The images as a net sees them."""
    return (images.pixels.float() / 255 - 0.5) / 0.25


def linear() -> Net:
    """A net without BN whose units are ``x + factor · x``."""
    torch.manual_seed(2)
    spec = ResidualSpec(
        depths=(len(FACTORS),),
        kernels=(1,),
        widths=Doubling(base=1),
        joints=Joints(),
        stem=Stem(width=1, ops=()),
        num_classes=2,
    )
    net = build(spec)
    with torch.no_grad():
        for unit, factor in zip(net.units, FACTORS, strict=True):
            unit.branch.conv1.weight.fill_(factor)
    return net


def test_each_unit_multiplies_signal_and_gradient(images: Images):
    """Through ``x + f·x`` both are multiplied by 1 + f, one forwards and one backwards."""
    found = signal.measure(linear(), images, NORMALISATION)
    stds, gradients = ([getattr(unit, of) for unit in found.units] for of in ("std", "gradient"))
    assert [0.75, 4.0] == pytest.approx([stds[1] / stds[0], stds[2] / stds[1]])
    assert [0.75, 4.0] == pytest.approx([gradients[0] / gradients[1], gradients[1] / gradients[2]])
    assert [0.0, 1.0, 0.0] == [unit.shrunk for unit in found.units]


def test_the_last_gradient_by_hand(images: Images):
    """``(p - onehot) · W``, spread evenly over the pixels that the mean is of."""
    net = linear()
    found = signal.measure(net, images, NORMALISATION)
    with torch.no_grad():
        p = net(batch(images)).softmax(1)
    slopes = (p - functional.one_hot(images.labels, 2)) @ net.classifier.weight.detach()
    norms = slopes.abs()[:, 0] / 16**2 * 16  # 256 pixels share it: a norm of 16 such parts
    assert norms.mean().item() == pytest.approx(found.units[-1].gradient, rel=1e-5)


def test_gradients_at_weights_are_the_losss_slopes(images: Images):
    """Of each factor, by a finite difference of the mean loss."""
    net = linear()
    found = signal.measure(net, images, NORMALISATION)
    assert ["stem.conv1", *(f"units.{i}.branch.conv1" for i in range(3))] == [
        layer.name for layer in found.layers
    ]

    def loss(index: int, change: float) -> float:
        with torch.no_grad():
            net.units[index].branch.conv1.weight.add_(change)
            logits = net.double()(batch(images).double())
            net.units[index].branch.conv1.weight.sub_(change)
        return functional.cross_entropy(logits, images.labels).item()

    assert loss(0, 0.0) == pytest.approx(found.loss)
    slopes = [(loss(index, 1e-4) - loss(index, -1e-4)) / 2e-4 for index in range(3)]
    assert [abs(slope) for slope in slopes] == pytest.approx(
        [layer.gradient for layer in found.layers[1:]], rel=1e-4
    )


def test_responses_are_taken_behind_bn_and_before_relu(images: Images):
    """A fresh BN leaves a deviation of 1; a convolution that no BN follows has its own."""
    net = residua.create("cifar/preresnet-8")
    found = {layer.name: layer for layer in signal.measure(net, images, NORMALISATION).layers}
    assert pytest.approx(1, abs=1e-3) == found["units.1.branch.conv1"].response
    first = net.units[0].train()
    with torch.no_grad():
        branch = first.branch(first.shared(net.stem(batch(images))))
    assert branch.std().item() == pytest.approx(found["units.0.branch.conv2"].response, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "convolutions"), [("cifar/wrn-10-1", 7), ("cifar/densenet-bc-10-4", 6)]
)
def test_every_convolution_but_those_of_shortcuts(images: Images, name: str, convolutions: int):
    """Stem and branches, in order of execution; of dense nets, transitions too."""
    net = residua.create(name)
    found = signal.measure(net, images, NORMALISATION)
    expected = 1 + sum(
        isinstance(module, nn.Conv2d) for unit in net.units for module in unit.branch
    )
    assert convolutions <= expected == len(found.layers)
    assert len(net.plan) == len(found.units)
    assert all(layer.gradient > 0 < layer.response for layer in found.layers)


@pytest.mark.parametrize("name", ["cifar/wrn-10-1-dropout", "cifar/sd-resnet-8"])
def test_nothing_is_drawn_and_the_net_is_left_as_it_is(images: Images, name: str):
    """Dropout and stochastic depth do not show; running statistics and mode do not change."""
    net = residua.create(name).eval()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    first, second = (signal.measure(net, images, NORMALISATION) for _ in range(2))
    assert first == second
    assert not net.training
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_twin_without_bn(images: Images):
    """Its unit is ``relu(x + conv2(relu(conv1(x))))``, with the same weights."""
    net = residua.create("cifar/resnet-8")
    twin = signal.without_norms(net)
    branch = net.units[0].branch
    x = torch.rand(2, 16, 8, 8)
    expected = functional.relu(x + branch.conv2(functional.relu(branch.conv1(x))))
    torch.testing.assert_close(expected, twin.units[0](x))
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    stds = [unit.std for unit in signal.measure(twin, images, NORMALISATION).units]
    assert stds[-1] > stds[0]  # every sum adds variance, and nothing takes it away
