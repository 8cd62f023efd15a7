"""Products of activated maps and weights, against torch in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from residua.kernels import library, norms, products
from residua.kernels.maps import Norm

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512"
    or library.library() is None
    or not products.available(torch.bfloat16),
    reason="no such kernel for this processor, or no compiler",
)

EPS = 1e-5
# Images, channels of those that the maps hold, outputs, pixels a side.
SHAPES = [
    (4, 24, 40, 48, 16),  # whole tiles, several blocks of pixels
    (2, 7, 9, 5, 5),  # odd numbers; 50 pixels: no multiple of what is in hand at once
    (3, 33, 33, 20, 7),  # a register for one channel
    (1, 50, 60, 49, 3),  # more outputs than a tile holds
    (2, 342, 354, 48, 8),  # as wide as DenseNet-BC-100-12 becomes
    (40, 16, 16, 8, 16),  # more blocks than parts of the pixels
    (1, 1, 1, 1, 4),
]


def randn(*shape: int, seed: int) -> Tensor:
    """Normal values, four dimensions in channels_last."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def worst(actual: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((actual.double() - expected).abs().max() / expected.abs().max())


def per_channel(values: Tensor) -> Tensor:
    """Values that stand for whole maps, float64."""
    return values.double()[None, :, None, None]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_equal_torchs(shape):
    """Outputs, their moments, all gradients; and no channel beyond the given ones is written."""
    n, c, held, d, side = shape
    maps = randn(n, held, side, side, seed=0).bfloat16()
    x = maps[:, :c]
    weight = (randn(d, c, 1, 1, seed=1) / c**0.5).bfloat16()
    gamma, beta = randn(c, seed=2), randn(c, seed=3)
    norm = Norm(*norms.moments(x), gamma, beta, EPS)
    exact = [t.detach().double().requires_grad_() for t in (x, gamma, beta, weight)]
    normed = functional.batch_norm(exact[0], None, None, *exact[1:3], training=True, eps=EPS)
    expected = functional.conv2d(normed.relu(), exact[3])

    y, mean, var = products.forward(x, norm, weight)

    assert worst(y, expected.detach()) < 0.008
    torch.testing.assert_close(mean, y.float().mean((0, 2, 3)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(var, y.float().var((0, 2, 3), correction=0), rtol=1e-5, atol=1e-5)

    grad = randn(n, d, side, side, seed=4).bfloat16()
    expected_grads = torch.autograd.grad(expected, exact, grad.double())
    before = randn(n, held, side, side, seed=5).bfloat16()
    grads = before.clone()
    along, shift = torch.full((2, c), 0.5)
    found = products.backward(grad, x, norm, weight, grad_x=grads[:, :c], along=along, shift=shift)

    line = per_channel(along - 0.5) * x.double() + per_channel(shift - 0.5)
    grad_x = grads[:, :c].double() - before[:, :c].double() + line
    assert torch.equal(before[:, c:], grads[:, c:])
    for actual, wanted in zip((grad_x, *found), expected_grads, strict=True):
        assert wanted.shape == actual.shape
        assert worst(actual, wanted) < 0.015


def test_threads_change_nothing():
    """Sums over pixels are in one order, whoever makes them."""
    x, weight = randn(8, 30, 16, 16, seed=0).bfloat16(), randn(20, 30, 1, 1, seed=1).bfloat16()
    norm = Norm(*norms.moments(x), torch.ones(30), torch.zeros(30), EPS)
    grad = randn(8, 20, 16, 16, seed=2).bfloat16()
    threads, found = torch.get_num_threads(), []
    for count in (1, 3):
        torch.set_num_threads(count)
        grad_x = torch.zeros_like(x)
        line = torch.zeros(2, 30)
        made = products.forward(x, norm, weight)
        differentiated = products.backward(
            grad, x, norm, weight, grad_x=grad_x, along=line[0], shift=line[1]
        )
        found.append((*made, *differentiated, grad_x, line))
    torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_what_is_not_a_number_is_seen():
    """One broken value of the maps reaches outputs, statistics and gradients."""
    x, weight = randn(2, 20, 4, 4, seed=0).bfloat16(), randn(6, 20, 1, 1, seed=1).bfloat16()
    norm = Norm(*norms.moments(x), torch.ones(20), torch.zeros(20), EPS)
    x[1, 3, 2, 2] = torch.nan
    y, mean, var = products.forward(x, norm, weight)
    assert y[1, :, 2, 2].isnan().all()
    assert y.isnan().sum() == 6
    assert mean.isnan().all()
    assert var.isnan().all()
    line = torch.zeros(2, 20)
    found = products.backward(
        torch.ones_like(y),
        x,
        norm,
        weight,
        grad_x=torch.zeros_like(x),
        along=line[0],
        shift=line[1],
    )
    assert found[2][:, 3].isnan().all()
