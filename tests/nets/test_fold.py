"""Folded nets equal the nets they are made of: in every family, type and layout of memory."""

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

import residua
from residua.nets.build import Net
from residua.nets.fold import FoldedConv, FoldedUnit, fold
from residua.nets.parts import GhostNorm, SharedNorm, replace

# Every family, and of its variations those that change what stands around a convolution; with the
# number of norms that have none right before them.
NETS = {
    "cifar/resnet-8": 0,
    "cifar/resnet-8-b": 0,
    "cifar/plain-8": 0,
    "cifar/preresnet-8": 4,
    "cifar/preresnet-11-bottleneck": 4,
    "cifar/preresnet-8+one-layer": 7,
    "cifar/resnet-11-bottleneck": 0,
    "cifar/resnet-8+one-layer": 0,
    "cifar/resnet-8+bn-after-addition": 3,
    "cifar/resnet-8+relu-before-addition": 0,
    "cifar/resnet-8+relu-only": 0,
    "cifar/resnet-8+scale-0.5-0.5": 0,
    "cifar/resnet-8+gate-exclusive-6": 0,
    "cifar/resnet-8+gate-shortcut-6": 0,
    "cifar/resnet-8+dropped-0.5": 0,
    "cifar/sd-resnet-8": 0,
    "cifar/wrn-10-2-dropout": 4,
    "cifar/wrn-10-1+b131": 4,
    "cifar/densenet-10-4": 9,
    "cifar/densenet-10-4+dropout-0.2": 9,
    "cifar/densenet-bc-10-4": 6,
    "cifar/densenet-bc-10-4+dropout-0.2": 6,
    "cifar/pyramidnet-8-a5": 4,
    "cifar/pyramidnet-11-a5-bottleneck": 4,
    "cifar/pyramidnet-8-a5+project": 4,
    "imagenet/resnet-18-a": 0,
    "imagenet/resnet-50": 0,
}


def trained(name: str) -> Net:
    """A net whose norms are all different, and far from doing nothing."""
    torch.manual_seed(0)
    net = residua.create(name, num_classes=7)
    for norm in norms(net):
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert tensor is not None
            nn.init.uniform_(tensor, 0.5, 1.5)
    return net


def norms(net: Net) -> Iterator[nn.BatchNorm2d]:
    """The norms of a net."""
    return (module for module in net.modules() if isinstance(module, nn.BatchNorm2d))


def images(net: Net, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """A small batch for a net, channels last."""
    x = torch.randn(3, 3, 2 * net.spec.image_size // 4, net.spec.image_size // 4, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def difference(expected: Tensor, actual: Tensor) -> float:
    """The largest, in units of the largest expected value."""
    assert expected.dtype == actual.dtype
    return float((expected - actual).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("name", "left"), NETS.items())
def test_a_folded_net_computes_the_same(name: str, left: int):
    """To 1e-9 in float64; to 1e-4 in fp32, by torch's fused operations and by its plain ones."""
    net = trained(name)
    folded = fold(net)
    assert left == len(list(norms(folded)))
    net.eval()
    x = images(net)
    with torch.inference_mode():
        expected, before = net(x), x.clone()
        assert difference(expected, folded(x)) < 1e-4
        assert difference(expected, folded(x.contiguous())) < 1e-4
        assert torch.equal(before, x)
    assert difference(expected, folded(x)) < 1e-4  # where gradients may be asked for
    with torch.inference_mode():
        net, x = net.double(), x.double()
        assert difference(net(x), fold(net)(x)) < 1e-9


@pytest.mark.parametrize(
    "name", ["cifar/resnet-14", "cifar/preresnet-14", "cifar/densenet-bc-16-4"]
)
def test_gates_and_order_are_those_of_the_net(name: str):
    """A gate scales a branch, or closes it; units are executed in the order asked for."""
    net, x = trained(name).eval(), torch.randn(2, 3, 16, 16)
    folded = fold(net)
    number = len(net.units)
    gates = [(0.0, 0.25, 1.0)[index % 3] for index in range(number)]
    order = [1, 0, *range(2, number)]
    with torch.inference_mode():
        assert difference(net(x, gates=gates), folded(x, gates=gates)) < 1e-4
        if not name.startswith("cifar/densenet"):  # there the widths allow no other order
            assert difference(net(x, order=order), folded(x, order=order)) < 1e-4
            assert difference(net(x), folded(x, order=order)) > 1e-3
        assert difference(net(x), folded(x, gates=gates)) > 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda norm: GhostNorm(norm, num_groups=2),
        lambda norm: SharedNorm(norm, gather=torch.clone),
    ],
)
def test_norms_over_parts_of_a_batch_fold_too(make: Callable[[nn.BatchNorm2d], nn.Module]):
    """In evaluation they are BN with running statistics."""
    net, x = trained("cifar/resnet-8"), torch.randn(2, 3, 16, 16)
    plain = fold(net)
    replace(net, nn.BatchNorm2d, make)
    folded = fold(net)
    assert not list(norms(folded))
    with torch.inference_mode():
        assert torch.equal(plain(x), folded(x))


def test_the_net_is_left_alone():
    """Weights, mode and hooks are the net's own; the copy folds once more to itself."""
    net, x = trained("cifar/resnet-8"), torch.randn(2, 3, 16, 16)
    before = copy.deepcopy(net.state_dict())
    folded = fold(net)
    with torch.inference_mode():
        logits = folded(x)
        assert torch.equal(logits, fold(folded)(x))
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    assert before.keys() == net.state_dict().keys()
    assert all(before[name].equal(value) for name, value in net.state_dict().items())
    assert not folded.training
    assert not any(p.requires_grad for p in folded.parameters())


def test_a_watched_net_is_not_folded():
    """What hooks wait for still happens."""
    net, x = trained("cifar/resnet-8"), torch.randn(2, 3, 16, 16)
    seen: list[Tensor] = []
    next(norms(net)).register_forward_hook(lambda *call: seen.append(call[2]))
    folded = fold(net)
    expected = net.eval()(x)
    assert torch.equal(expected, folded(x))
    assert 2 == len(seen)


def test_a_watched_net_keeps_its_type():
    """Another is refused, not left out in silence; its own is no other."""
    net, x = trained("cifar/resnet-8"), torch.randn(2, 3, 16, 16)
    next(norms(net)).register_forward_hook(lambda *_: None)
    with pytest.raises(residua.UsageError, match=r"hooks watch .*torch\.float32.*bfloat16"):
        fold(net, dtype=torch.bfloat16)
    assert torch.equal(fold(net)(x), fold(net, dtype=torch.float32)(x))


def test_a_net_of_no_classes_folds():
    """What it ends in are pooled features, of the net's own type."""
    net, x = trained("cifar/preresnet-8").eval(), torch.randn(2, 3, 16, 16)
    net.reset_classifier(0)
    folded = fold(net, dtype=torch.bfloat16)
    with torch.inference_mode():
        assert (2, 64) == folded(x).shape
        assert 0 < difference(net(x), folded(x)) < 2**-5


@pytest.mark.parametrize(
    "name", ["cifar/resnet-8", "cifar/preresnet-8", "cifar/densenet-bc-10-4", "cifar/sd-resnet-8"]
)
def test_bf16_is_within_its_rounding(name: str):
    """Convolutions compute in bf16; norms, classifier and logits stay in fp32."""
    net, x = trained(name).eval(), torch.randn(2, 3, 16, 16)
    folded = fold(net, dtype=torch.bfloat16)
    convs = [module for module in folded.modules() if isinstance(module, FoldedConv)]
    assert {torch.bfloat16} == {conv.weight.dtype for conv in convs}
    assert {torch.float32} == {module.weight.dtype for module in (*norms(folded), net.classifier)}
    with torch.inference_mode():
        assert 0 < difference(net(x), folded(x)) < 2**-5


def test_sums_and_relus_are_part_of_convolutions():
    """Of ResNet-8 nothing is left but convolutions, and the sums of its three units in them."""
    folded = fold(trained("cifar/resnet-8"))
    assert 3 == sum(isinstance(module, FoldedUnit) for module in folded.modules())
    assert ["conv1"] == [name for name, _ in folded.stem.named_children()]
    branch = folded.get_submodule("units.0.unit.branch")
    assert ["conv1", "conv2"] == [name for name, _ in branch.named_children()]
