"""Fused operations equal the plain ones: outputs, gradients, running statistics, whole nets."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import residua
from residua import kernels
from residua.kernels import norms
from residua.kernels.maps import Norm, fits
from residua.nets import ops
from residua.nets.build import build
from residua.nets.parts import GhostNorm

native_only = pytest.mark.skipif(
    not ops.fused(torch.zeros(2, 4, 4, 16).permute(0, 3, 1, 2), nn.BatchNorm2d(16)),
    reason="this processor, or the lack of a compiler, leaves the plain operations alone",
)
# Of the largest value. fp32: rounding of sums; bf16: half a unit in the last of its 8 bits, twice
# where the plain operations round in between.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-7}


def maps(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    """Maps off centre, channels last, that ask for a gradient."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3 + 1
    return x.to(dtype).clone(memory_format=torch.channels_last).requires_grad_()


def norm_like(channels: int) -> nn.BatchNorm2d:
    """BN whose weights are not all alike."""
    norm = nn.BatchNorm2d(channels)
    generator = torch.Generator().manual_seed(channels)
    for values in norm.parameters():
        nn.init.normal_(values, generator=generator)
    return norm


def assert_close(expected: Tensor, actual: Tensor, dtype: torch.dtype) -> None:
    """Equal up to rounding, in units of the largest value."""
    assert expected.dtype == actual.dtype
    difference = (expected.detach().double() - actual.detach().double()).abs().max()
    assert difference <= TOLERANCE[dtype] * expected.detach().double().abs().max()


@native_only
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(
    ("shape", "added"),
    [
        ((4, 16, 8, 8), None),  # whole registers
        ((4, 17, 7, 5), None),  # a register for one channel
        ((3, 5, 3, 3), 3),  # 27 pixels: less than a block, no multiple of what is in hand at once
        ((4, 48, 8, 8), 48),
        ((4, 35, 9, 9), 34),
        ((4, 40, 8, 8), 16),  # registers with nothing to add
        ((1, 33, 4, 3), 32),  # one image
        ((9, 16, 16, 16), None),  # more than one block of pixels
        ((6, 20, 1, 1), 18),  # one pixel an image
    ],
)
def test_norm_add_relu_equals_its_twin(shape, added, relu, dtype):
    """Outputs, gradients of all inputs and running statistics are those of torch's operations."""
    x = maps(*shape, dtype=dtype)
    addend = None if added is None else maps(shape[0], added, *shape[2:], dtype=dtype, seed=1)
    grad = maps(*shape, dtype=dtype, seed=2).detach()
    fused, plain = norm_like(shape[1]), norm_like(shape[1])
    results = []
    for norm, in_float in ((fused, False), (plain, True)):
        # The twin computes in fp32 and rounds at the end, as the fused operation does.
        to = torch.float32 if in_float else dtype
        inputs = [t if t is None else t.detach().to(to).requires_grad_() for t in (x, addend)]
        assert ops.fused(inputs[0], norm)
        with kernels.plain() if in_float else torch.enable_grad():
            y = ops.norm_add_relu(inputs[0], norm, addend=inputs[1], relu=relu)
        wanted = [*norm.parameters(), *(t for t in inputs if t is not None)]
        grads = torch.autograd.grad(y, wanted, grad.to(to))
        weights, others = grads[:2], grads[2:]
        results.append((*weights, *norm.buffers(), *(t.to(dtype) for t in (y, *others))))
    for actual, expected in zip(*results, strict=True):
        assert_close(expected, actual, dtype)


@native_only
def test_values_far_from_zero():
    """The variance survives a mean that is 10,000 times the deviation."""
    x = (torch.randn(8, 16, 8, 8, dtype=torch.float64) + 1e4).contiguous(
        memory_format=torch.channels_last
    )
    _, var = norms.moments(x.float())
    expected = x.float().double().var((0, 2, 3), unbiased=False)
    assert (var - expected).abs().max() < 1e-5 * expected.max()


@native_only
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("added", [None, 17])
def test_no_numbers_stay_no_numbers(relu, added):
    """Neither NaN nor infinity is lost on the way, in either type, forward and back."""
    for dtype, value in itertools.product(TOLERANCE, [float("nan"), float("inf")]):
        x = maps(2, 17, 4, 4, dtype=dtype).detach()
        x[1, 16, 3, 3] = value
        addend = None if added is None else maps(2, added, 4, 4, dtype=dtype, seed=1)
        x.requires_grad_()
        y = ops.norm_add_relu(x, norm_like(17), addend=addend, relu=relu)
        assert y[:, 16].isnan().all()
        assert y[:, :16].isfinite().all()
        (grad,) = torch.autograd.grad(y, x, torch.ones_like(y))
        assert grad[:, 16].isnan().all()


@native_only
@pytest.mark.parametrize("relu", [True, False])
def test_gradients_of_single_pixels_in_any_order_of_memory(relu):
    """The strides of a mean's gradient over single pixels are of neither order."""
    x = maps(6, 20, 1, 1)
    grad = torch.randn(6, 20, generator=torch.Generator().manual_seed(3))[:, :, None, None]
    assert (20, 1, 1, 1) == grad.stride()
    found = []
    for way in (contextlib.nullcontext(), kernels.plain()):
        norm = norm_like(20)
        with way:
            y = ops.norm_add_relu(x, norm, relu=relu)
        found.append(torch.autograd.grad(y, x, grad)[0])
    torch.testing.assert_close(*found)


@native_only
def test_an_addend_of_another_size_is_refused_as_torch_refuses_it():
    """Nothing is read beyond its end."""
    x, norm = maps(2, 16, 6, 6), norm_like(16)
    for shape in ((2, 16, 4, 4), (1, 16, 4, 9), (2, 24, 6, 6)):
        addend = maps(*shape)
        with kernels.plain():
            plain = _outcome(x, norm, addend)
        assert plain == _outcome(x, norm, addend)


def _outcome(x: Tensor, norm: nn.BatchNorm2d, addend: Tensor) -> object:
    try:
        return ops.norm_add_relu(x, norm, addend=addend, relu=False).shape
    except RuntimeError as error:
        return str(error)


@native_only
def test_defaults_of_the_process_change_nothing():
    """Statistics are float32, whatever new tensors are by default."""
    x, norm = maps(2, 16, 4, 4), norm_like(16)
    torch.set_default_dtype(torch.float64)
    try:
        ops.norm_add_relu(x, norm, relu=True).sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.float32 == norm.weight.grad.dtype
    torch.testing.assert_close(norm.running_mean, 0.1 * x.detach().mean((0, 2, 3)))


@native_only
def test_some_channels_of_wider_maps():
    """The kernels read, write and add to consecutive channels of maps in place."""
    wide = maps(2, 40, 4, 4).detach()
    part = wide[:, 8:25]
    assert fits(part)
    mean, var = norms.moments(part)
    torch.testing.assert_close(mean, part.mean((0, 2, 3)))
    norm = norm_like(17)
    statistics = Norm(mean, var, norm.weight.detach(), norm.bias.detach(), norm.eps)
    before, grad_x = wide.clone(), torch.ones_like(wide)
    grad = maps(2, 17, 4, 4, seed=3).detach()
    norms.backward(
        grad,
        part,
        statistics,
        sign="none",
        y=None,
        grad_x=grad_x[:, 8:25],
        accumulate=True,
        grad_addend=None,
    )
    with kernels.plain():
        inner = part.clone().requires_grad_()
        expected = torch.autograd.grad(norm(inner), inner, grad)[0] + 1
    torch.testing.assert_close(grad_x[:, 8:25], expected)
    assert grad_x[:, :8].eq(1).all()
    assert grad_x[:, 25:].eq(1).all()
    norms.forward(part, statistics, addend=None, relu=True, y=wide[:, 8:25])
    assert wide[:, :8].equal(before[:, :8])
    assert wide[:, 25:].equal(before[:, 25:])


@native_only
@pytest.mark.parametrize(
    "name",
    [
        "cifar/resnet-8",
        "cifar/resnet-8-b",
        "cifar/plain-8",
        "cifar/preresnet-8",
        "cifar/resnet-11-bottleneck",
        "cifar/wrn-10-1-dropout",
        "cifar/sd-resnet-8",
        "cifar/pyramidnet-8-a5",
        "cifar/pyramidnet-11-a5-bottleneck",
        "cifar/resnet-8+bn-after-addition",
        "cifar/resnet-8+relu-only",
        "cifar/densenet-13-12",
        "cifar/densenet-bc-10-12",
        "imagenet/resnet-18-a",
    ],
)
def test_nets_equal_their_plain_selves(name):
    """Logits, gradients and running statistics of whole nets are those of plain float64 ones."""
    torch.manual_seed(0)
    net = residua.create(name, num_classes=5).to(memory_format=torch.channels_last)
    twin = copy.deepcopy(net).double()
    x = maps(8, 3, 64, 64).detach()
    calls = count_calls(norms, "forward")
    torch.manual_seed(1)
    fused = step(net, x)
    assert calls() > 0
    torch.manual_seed(1)
    plain = step(twin, x.double())
    for expected, actual in zip(plain, fused, strict=True):
        # A value that rounding moves over a ReLU's 0 is seen in the gradients before it; those of
        # biases before a BN are nothing but rounding.
        scale = max(expected.abs().max().item(), 1e-2)
        torch.testing.assert_close(actual.double(), expected.double(), rtol=1e-2, atol=1e-2 * scale)


@native_only
def test_a_net_that_ends_in_single_pixels_equals_its_plain_self():
    """ImageNet's nets do, on images of CIFAR's size."""
    torch.manual_seed(0)
    spec = dataclasses.replace(residua.spec("imagenet/resnet-18-a"), depths=(1, 1, 1, 1))
    net = build(dataclasses.replace(spec, num_classes=5)).to(memory_format=torch.channels_last)
    twin = copy.deepcopy(net).double()
    x = maps(16, 3, 32, 32).detach()
    for expected, actual in zip(step(twin, x.double()), step(net, x), strict=True):
        # Of a few values in all: one that rounding moves over a ReLU's 0 is seen, garbage far more.
        difference = (actual.double() - expected).norm()
        assert difference <= 0.05 * expected.double().norm() + 1e-3


def step(net: nn.Module, x: Tensor) -> list[Tensor]:
    """What a step of training, and evaluation after it, leave behind."""
    loss = functional.cross_entropy(net.train()(x), torch.arange(len(x)) % 5)
    loss.backward()
    with torch.no_grad():
        logits = net.eval()(x)
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    return [loss.detach(), logits, *grads, *net.buffers()]


def count_calls(module, name):
    """Count the calls of a module's function from now on."""
    counted = []
    original = getattr(module, name)

    def counting(*args, **kwargs):
        counted.append(1)
        return original(*args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(module, name, counting)

    def stop() -> int:
        patch.undo()
        return len(counted)

    return stop


@pytest.mark.parametrize(
    ("why", "make"),
    [
        ("float64", lambda: (maps(2, 16, 4, 4).double(), nn.BatchNorm2d(16).double())),
        ("channels first", lambda: (torch.randn(2, 16, 4, 4), nn.BatchNorm2d(16))),
        ("one value a channel", lambda: (maps(1, 16, 1, 1), nn.BatchNorm2d(16))),
        ("no running statistics", lambda: (maps(2, 16, 4, 4), nn.BatchNorm2d(16, momentum=None))),
        ("gradients in evaluation", lambda: (maps(2, 16, 4, 4), nn.BatchNorm2d(16).eval())),
        ("groups", lambda: (maps(2, 16, 4, 4), GhostNorm(nn.BatchNorm2d(16), num_groups=2))),
    ],
)
def test_plain_where_the_kernels_do_not_fit(why, make):
    """What the kernels are not made for is left to torch."""
    x, norm = make()
    assert not ops.fused(x, norm), why


@native_only
def test_plain_for_those_who_watch():
    """A hook on a norm sees its input and output; so does a tracer."""
    x, norm = maps(2, 16, 4, 4), nn.BatchNorm2d(16)
    assert ops.fused(x, norm)
    handle = norm.register_forward_hook(lambda *_: None)
    assert not ops.fused(x, norm)
    handle.remove()
    assert ops.fused(x, norm)
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert not ops.fused(x, norm)
    handle.remove()
    assert ops.fused(x, norm)
    with kernels.plain():
        assert not ops.fused(x, norm)
    assert ops.fused(x, norm)
    with FlopCounterMode(display=False):
        assert not ops.fused(x, norm)


@native_only
def test_hooks_inside_a_net_see_every_layer():
    """A hook anywhere in a unit is called, with what the layer makes without it."""
    net = residua.create("cifar/resnet-8").to(memory_format=torch.channels_last)
    seen = []
    for name, module in net.named_modules():
        if name.startswith("units.1."):
            module.register_forward_hook(lambda *_, name=name: seen.append(name))
    net(maps(2, 3, 32, 32).detach())
    expected = [name for name, _ in net.named_modules() if name.startswith("units.1.")]
    assert sorted(expected) == sorted(seen)


@native_only
def test_the_number_of_threads_changes_nothing():
    """Sums come together in one order, however many threads there are."""
    x = maps(8, 24, 16, 16).detach()
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(torch.stack(norms.moments(x)))
    finally:
        torch.set_num_threads(threads)
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])
