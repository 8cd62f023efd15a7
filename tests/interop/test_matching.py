"""Matching: what a file's tensors are, and what is wrong with them for a net."""

import pytest
import torch

from residua.arch import names
from residua.arch.spec import Spec
from residua.interop.layouts import AKAMASTER, RESIDUA
from residua.interop.matching import empty, hint, mismatch, num_classes, with_classes


def spec(net: str) -> Spec:
    """Return a net's spec."""
    return names.spec(net)


def test_the_number_of_classes_is_the_classifiers():
    """Rows of the last matrix; convolutions and vectors are none."""
    tensors = {"conv": torch.zeros(8, 3, 3, 3), "fc.weight": torch.zeros(7, 64)}
    assert 7 == num_classes(tensors | {"fc.bias": torch.zeros(7)})
    assert num_classes({"conv": tensors["conv"]}) is None
    assert 7 == with_classes("cifar/resnet-8", tensors).num_classes
    assert 10 == with_classes("cifar/resnet-8", {"conv": tensors["conv"]}).num_classes


def test_a_nets_own_tensors_match():
    """Nothing is wrong with them, counts of batches or not."""
    tensors = empty(spec("cifar/resnet-8"))
    assert "" == mismatch(RESIDUA, spec("cifar/resnet-8"), tensors)
    fewer = {key: value for key, value in tensors.items() if "num_batches" not in key}
    assert "" == mismatch(RESIDUA, spec("cifar/resnet-8"), fewer)
    assert "unmatched" in mismatch(AKAMASTER, spec("cifar/resnet-8"), tensors)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("cifar/resnet-32", "cifar/resnet-20"), ("cifar/plain-32", "cifar/plain-20")],
)
def test_of_nets_with_the_same_tensors_the_family_asked_for_is_offered(asked: str, found: str):
    """A plain net and a ResNet of option A hold the same."""
    tensors = empty(spec("cifar/resnet-20"))
    expected = f"\nits tensors are those of {found} as residua lays it out"
    assert expected == hint(asked, tensors)


def test_nothing_is_offered_for_what_is_no_net_of_ours():
    """As many parameters as no net has."""
    assert "" == hint("cifar/resnet-20", {"fc.weight": torch.zeros(10, 3)})
