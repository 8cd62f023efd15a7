"""Muon against its definition by singular value decomposition."""

import pytest
import torch

from residua.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
def test_orthogonal_keeps_the_directions(shape: tuple[int, int]):
    """The singular vectors stay, every singular value comes near one."""
    matrix = torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, s, vh = torch.linalg.svd(matrix[0], full_matrices=False)
    found = u.T @ orthogonal(matrix, iterations=5)[0] @ vh.T
    kept = s > 0.1 * s.max()  # a value near zero takes more iterations to rise
    assert found.diagonal()[kept].min() > 0.5
    assert found.diagonal().max() < 1.3
    torch.testing.assert_close(
        torch.zeros_like(found), found - torch.diag(found.diagonal()), atol=1e-9, rtol=0
    )


def test_two_steps_follow_the_law():
    """``v ← m·v + g; u = orthogonal(g + m·v); w ← (1 - lr·decay)·w - lr·√max(1, r/c)·u``."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(20, 2, 3, 3))
    expected, velocity = weight.detach().clone(), torch.zeros(20, 2, 3, 3)
    optimiser = Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.01, iterations=5)
    for _ in range(2):
        gradient = torch.randn(20, 2, 3, 3)
        weight.grad = gradient.clone()
        optimiser.step()
        velocity = 0.9 * velocity + gradient
        ahead = (gradient + 0.9 * velocity).flatten(1)
        step = orthogonal(ahead[None], iterations=5)[0].view(20, 2, 3, 3)
        expected = (1 - 0.1 * 0.01) * expected - 0.1 * (20 / 18) ** 0.5 * step
    torch.testing.assert_close(expected, weight.detach())


def test_parameters_of_one_shape_go_together_as_they_go_alone():
    """Batching by shape changes nothing, and a parameter without a gradient stays."""
    torch.manual_seed(0)
    together = [torch.nn.Parameter(torch.randn(8, 4, 3, 3)) for _ in range(3)]
    alone = [torch.nn.Parameter(p.detach().clone()) for p in together]
    for a, b in zip(together[:2], alone[:2], strict=True):
        a.grad = torch.randn(8, 4, 3, 3)
        b.grad = a.grad.clone()
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "iterations": 5}
    Muon(together, **settings).step()
    for parameter in alone[:2]:
        Muon([parameter], **settings).step()
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(b.detach(), a.detach())
    assert torch.equal(alone[2], together[2])
