"""A dense block in one tensor equals its layers one after the other, and keeps less."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import Tensor, nn

import residua
from residua import kernels
from residua.kernels import library
from residua.nets import dense, ops
from residua.nets.units import DenseLayer, run_units

pytestmark = pytest.mark.skipif(
    not ops.fused(torch.zeros(2, 4, 4, 16).permute(0, 3, 1, 2), nn.BatchNorm2d(16)),
    reason="this processor, or the lack of a compiler, leaves the plain operations alone",
)


def first_block(name: str) -> list[DenseLayer]:
    """A net's layers before its first transition, their norms' weights not all alike."""
    torch.manual_seed(0)
    net = residua.create(name).to(memory_format=torch.channels_last).train()
    layers: list[DenseLayer] = []
    for unit in net.units:
        if not isinstance(unit, DenseLayer):
            break
        layers.append(unit)
    for parameter in nn.ModuleList(layers).parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter)
    return layers


def images(channels: int, size: int = 16) -> Tensor:
    """Maps that ask for a gradient."""
    x = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def channels_in(layers: list[DenseLayer]) -> int:
    """Channels that the first layer reads."""
    norm = layers[0].branch[0]
    assert isinstance(norm, nn.BatchNorm2d)
    return norm.num_features


@pytest.mark.parametrize("name", ["cifar/densenet-13-12", "cifar/densenet-bc-22-5"])
def test_block_equals_its_layers(name: str):
    """Output, gradients of input and parameters, and running statistics."""
    layers = first_block(name)
    twins = copy.deepcopy(layers)
    results: list[list[Tensor]] = []
    for some, plain in ((layers, False), (twins, True)):
        x = images(channels_in(some))
        assert dense.fused([layer.branch for layer in some], x)
        if plain:
            y = x.double()
            for layer in some:
                y = layer.double()(y)
        else:
            y = run_units([(layer, 1.0) for layer in some], x)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
        (y * weights).sum().backward()
        modules = nn.ModuleList(some)
        grads = [p.grad for p in modules.parameters()]
        assert x.grad is not None
        results.append([y, x.grad, *grads, *modules.buffers()])
    for actual, expected in zip(*results, strict=True):
        assert expected.shape == actual.shape
        difference = (expected.double() - actual.double()).abs().max()
        assert difference <= 1e-4 * expected.double().abs().max()


@pytest.mark.parametrize("name", ["cifar/densenet-bc-22-5", "cifar/densenet-bc-40-12"])
def test_block_in_bf16_errs_no_more_than_its_layers(name: str):
    """Against float64, all results are as near as torch's own in bfloat16."""
    layers = first_block(name)
    results: list[list[Tensor]] = []
    for way in ("exact", "layers", "block"):
        some = copy.deepcopy(layers)
        x = images(channels_in(some)).detach().bfloat16()
        if way == "exact":
            x = x.double()
            nn.ModuleList(some).double()
        x.requires_grad_()
        with (
            kernels.plain() if way == "layers" else contextlib.nullcontext(),
            torch.autocast("cpu", torch.bfloat16, enabled=way != "exact"),
        ):
            y = run_units([(layer, 1.0) for layer in some], x)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
        (y * weights).sum().backward()
        grads = [p.grad for p in nn.ModuleList(some).parameters()]
        results.append([y, x.grad, *grads, *nn.ModuleList(some).buffers()])
    for exact, theirs, ours in zip(*results, strict=True):
        errors = [(t.double() - exact.double()).square().mean().sqrt() for t in (ours, theirs)]
        assert errors[0] <= 1.3 * errors[1] + 1e-6


def test_block_keeps_less_than_half():
    """What waits for the backward pass is less than half of what single layers keep."""
    layers = first_block("cifar/densenet-bc-100-12")
    kept: list[int] = []
    for _ in range(2):
        found: dict[int, int] = {}

        def pack(tensor: Tensor, found: dict[int, int] = found) -> Tensor:
            storage = tensor.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
            return tensor

        x = images(channels_in(layers), size=8)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            if kept:
                with kernels.plain():
                    y = run_units([(layer, 1.0) for layer in layers], x)
            else:
                y = run_units([(layer, 1.0) for layer in layers], x)
        del y
        kept.append(sum(found.values()))
    fused, plain = kept
    assert 0 < fused < plain / 2


def test_layers_in_another_order_are_refused_by_torch():
    """A layer left out leaves too few channels for the next; no memory is read past its end."""
    layers = first_block("cifar/densenet-13-12")
    x = images(channels_in(layers))
    others = [layers[0], layers[2]]
    assert not dense.fused([layer.branch for layer in others], x)
    with pytest.raises(RuntimeError, match="running_mean should contain"):
        run_units([(layer, 1.0) for layer in others], x)


@pytest.mark.parametrize("case", ["dropout", "hook", "bias", "gate", "evaluation"])
def test_layer_by_layer_otherwise(case: str, monkeypatch: pytest.MonkeyPatch):
    """Dropout, a hook, somebody's bias, a gate other than 1, or evaluation: each layer alone."""
    layers = first_block("cifar/densenet-13-12")
    if case == "dropout":
        layers[1].branch.append(nn.Dropout(0.2))
    if case == "hook":
        layers[1].branch[2].register_forward_hook(lambda *_: None)
    if case == "bias":
        conv = layers[1].branch[2]
        layers[1].branch[2] = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
    if case == "evaluation":
        nn.ModuleList(layers).eval()
    gates = [0.5 if case == "gate" else 1.0] * len(layers)
    monkeypatch.setattr(dense, "block", lambda *_: pytest.fail(f"{case} went as a block"))
    assert library.library() is not None
    y = run_units(list(zip(layers, gates, strict=True)), images(channels_in(layers)))
    assert y.shape[1] == channels_in(layers) + 12 * len(layers)


@pytest.mark.parametrize("name", ["cifar/densenet-13-12", "cifar/densenet-bc-22-5"])
def test_a_second_backward_pass_equals_the_first(name: str):
    """A graph that is retained gives the same gradients again."""
    layers = first_block(name)
    x = images(channels_in(layers))
    asked = [x, *nn.ModuleList(layers).parameters()]
    total = run_units([(layer, 1.0) for layer in layers], x).square().sum()
    first = torch.autograd.grad(total, asked, retain_graph=True)
    for one, other in zip(first, torch.autograd.grad(total, asked), strict=True):
        assert torch.equal(one, other)


def test_weights_that_changed_meanwhile_are_told():
    """Gradients of weights that are no longer there are refused, as everywhere in torch."""
    layers = first_block("cifar/densenet-13-12")
    y = run_units([(layer, 1.0) for layer in layers], images(channels_in(layers)))
    with torch.no_grad():
        layers[1].get_parameter("branch.conv1.weight").mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
