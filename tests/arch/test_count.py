"""Counts: the closed form is what a built net has, and what a forward pass does."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy
from torch import nn

from residua.arch import count, names
from residua.arch.spec import Spec
from residua.nets.build import build


def built(spec: Spec) -> nn.Module:
    """The net without memory for its weights."""
    with torch.device("meta"):
        return build(spec)


def parameters(net: nn.Module) -> int:
    """Trainable numbers of a module."""
    return sum(parameter.numel() for parameter in net.parameters())


@settings(max_examples=40)
@given(data=st.data())
def test_the_closed_form_is_the_built_net(legal_names: SearchStrategy[str], data: DataObject):
    """Parameters, those of BN, and the classifier's input agree for random nets of all families."""
    spec = names.spec(data.draw(legal_names))
    net = built(spec)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert parameters(net) == count.params(spec)
    assert parameters(net) - sum(map(parameters, norms)) == count.params_no_bn(spec)
    assert net.classifier.in_features == count.out_features(spec)  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("name", names.names())
def test_every_named_net_has_its_closed_form(name: str):
    """The papers' own nets, the deepest too."""
    spec = names.spec(name)
    assert parameters(built(spec)) == count.params(spec)


def measured(spec: Spec, side: int) -> int:
    """Multiply-adds that a forward pass does: a product for each weight and output pixel."""
    net = build(spec).eval()
    done = 0

    def add(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal done
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        done += weight.numel() * math.prod(output.shape[2:])

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(add)
    with torch.no_grad():
        net(torch.zeros(1, spec.in_channels, side, side))
    return done


@settings(max_examples=25)
@given(data=st.data(), side=st.integers(9, 33))
def test_the_multiply_adds_are_the_forward_passs(
    cifar_names: SearchStrategy[str], data: DataObject, side: int
):
    """Every convolution and the classifier, at any side of the image, odd ones too."""
    spec = names.spec(data.draw(cifar_names))
    assert measured(spec, side) == count.macs(spec, image_size=side)


@pytest.mark.parametrize("name", ["imagenet/resnet-18", "imagenet/densenet-121"])
def test_imagenet_multiply_adds_are_the_forward_passs(name: str):
    """Stem and pooling at their sizes, here for a small image."""
    spec = names.spec(name)
    assert measured(spec, 64) == count.macs(spec, image_size=64)


def test_one_pass_gives_the_same_as_each_count():
    """``totals`` is the three counts at once."""
    spec = names.spec("cifar/resnet-20")
    expected = count.Totals(params=269_722, params_no_bn=268_346, macs=40_551_040)
    assert expected == count.totals(spec)
    assert (269_722, 268_346, 40_551_040, 64) == (
        count.params(spec),
        count.params_no_bn(spec),
        count.macs(spec),
        count.out_features(spec),
    )


def test_the_usual_image_is_the_papers():
    """Without a size the multiply-adds are those of 32 pixels, or of 224 on ImageNet."""
    for name, side in (("cifar/resnet-20", 32), ("imagenet/resnet-18", 224)):
        spec = names.spec(name)
        assert count.macs(spec, image_size=side) == count.macs(spec)


@pytest.mark.parametrize("classes", [1, 100])
def test_classes_change_the_classifier_alone(classes: int):
    """Each class more is a weight for each feature, and a bias."""
    spec = names.spec("cifar/resnet-20")
    other = dataclasses.replace(spec, num_classes=classes)
    assert (classes - 10) * 65 == count.params(other) - count.params(spec)
    assert (classes - 10) * 64 == count.macs(other) - count.macs(spec)
