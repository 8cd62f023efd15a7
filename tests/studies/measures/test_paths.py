"""Paths: gradients by hand and by sums over all paths, and what follows from them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn import functional

import residua
from residua.arch.spec import Doubling, Joints, ResidualSpec, Stem
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import RunError, UsageError
from residua.nets.build import Net, build
from residua.studies.measures import paths
from residua.studies.measures.paths import Paths

NORMALISATION = Normalisation(torch.zeros(1), None)


def linear(factors: list[float]) -> Net:
    """A net of one channel, whose units are ``x + factor · x``."""
    spec = ResidualSpec(
        depths=(len(factors),),
        kernels=(1,),
        widths=Doubling(base=1),
        joints=Joints(),
        stem=Stem(width=1, ops=()),
        in_channels=1,
        num_classes=2,
    )
    net = build(spec)
    with torch.no_grad():
        for unit, factor in zip(net.units, factors, strict=True):
            unit.branch.conv1.weight.fill_(factor)
    return net


def noise(n: int, *, channels: int = 3) -> Images:
    """Images of 8×8 random pixels in two classes."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (n, channels, 8, 8), generator=generator, dtype=torch.uint8)
    return Images(pixels=pixels, labels=torch.arange(n) % 2)


def all_paths(num_units: int) -> torch.Tensor:
    """Every choice of units."""
    return torch.tensor(list(itertools.product((False, True), repeat=num_units)))


def test_a_path_multiplies_the_factors_on_it():
    """In a linear net, a path's gradient is that of the path without branches times its factors."""
    factors = [0.5, -2.0, 3.0]
    net, through = linear(factors), all_paths(3)
    x = torch.rand(1, 1, 8, 8).expand(8, -1, -1, -1)
    found = paths.gradient(net, x, torch.zeros(8, dtype=torch.int64), through=through)
    for row, each in zip(through.tolist(), found, strict=True):
        product = 1.0
        for factor, taken in zip(factors, row, strict=True):
            product *= factor if taken else 1
        torch.testing.assert_close(product * found[0], each)


def test_gradients_by_length():
    """With one factor of 0.5 a unit, each branch more halves what comes through, exactly."""
    net = linear([0.5] * 6)
    found = paths.measure(net, noise(10, channels=1), NORMALISATION, draws=10)
    assert 10 == found.draws
    ratios = [norm / found.gradients[0] for norm in found.gradients]
    assert [0.5**length for length in range(7)] == pytest.approx(ratios)


def test_long_paths_are_not_lost():
    """A gradient whose square single precision does not hold still has its norm."""
    found = paths.measure(linear([1e-6] * 5), noise(2, channels=1), NORMALISATION, draws=2)
    logs = [math.log10(norm / found.gradients[0]) for norm in found.gradients]
    assert [-6 * length for length in range(6)] == pytest.approx(logs, abs=1e-3)


def test_no_gradient_at_all():
    """Is told, and not a division by zero."""
    net = linear([0.5])
    with torch.no_grad():
        net.classifier.weight.zero_()
    with pytest.raises(RunError, match=r"^no path brings any gradient to the images"):
        paths.measure(net, noise(2, channels=1), NORMALISATION, draws=1)


@pytest.mark.parametrize(
    "name",
    [
        *("cifar/preresnet-14", "cifar/pyramidnet-14-a12", "cifar/resnet-14", "cifar/sd-resnet-14"),
        "cifar/wrn-16-1",
        "cifar/resnet-14+gate-exclusive-1",
    ],
)
def test_all_paths_together_are_the_gradient(name: str):
    """Shortcuts that widen, project, gate or share: nothing is lost and nothing counted twice."""
    torch.manual_seed(0)
    net = residua.create(name).double()
    for _ in range(3):
        net(torch.rand(16, 3, 32, 32, dtype=torch.float64))
    net.eval()
    through = all_paths(len(net.plan))
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    labels = torch.ones(len(through), dtype=torch.int64)
    each = paths.gradient(net, x.expand(len(through), -1, -1, -1), labels, through=through)

    x.requires_grad_()
    (whole,) = torch.autograd.grad(functional.cross_entropy(net(x), labels[:1]), x)
    torch.testing.assert_close(whole, each.sum(0, keepdim=True))
    assert each.flatten(1).norm(dim=1).unique().numel() == len(through)


def test_the_net_is_left_as_it_is():
    """Its mode, its statistics, and no gradients at its weights."""
    net = residua.create("cifar/preresnet-8").train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    paths.measure(net, noise(3), Normalisation(torch.zeros(3), None), draws=2)
    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_draws_hang_on_the_seed_alone():
    """The same seed draws the same paths, another one others."""
    net, images = linear([0.1, 0.5, 2.0, 4.0]), noise(5, channels=1)
    first, again, other = (
        paths.measure(net, images, NORMALISATION, draws=7, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first.gradients[2] != other.gradients[2]
    # There is one path of length 0 and one of length 4, whatever is drawn.
    assert (other.gradients[0], other.gradients[4]) == (first.gradients[0], first.gradients[4])


def test_counts_shares_and_what_is_effective():
    """By hand for 4 units: 1, 4, 6, 4, 1 paths, of which those of length 0 and 1 do the most."""
    found = Paths(gradients=(80.0, 40.0, 2.0, 1.0, 4.0), draws=1)
    assert (1, 4, 6, 4, 1) == found.counts
    assert pytest.approx((80 / 260, 160 / 260, 12 / 260, 4 / 260, 4 / 260)) == found.shares
    assert (0, 2) == found.effective
    assert 11 / 16 == found.effective_share


def test_the_papers_share_of_paths():
    """In 54 units, 5 to 17 branches are 0.45 % of all paths.  Source: veit2016 §5."""
    gradients = tuple(1.0 if 5 <= length <= 17 else 0.0 for length in range(55))
    found = Paths(gradients=gradients, draws=1)
    assert 2**54 == sum(found.counts)
    assert "0.45" == f"{100 * sum(found.counts[5:18]) / 2**54:.2f}"
    assert 17 == found.effective[1]


@pytest.mark.parametrize("name", ["cifar/plain-8", "cifar/densenet-10-12"])
def test_nets_without_such_paths_are_refused(name: str):
    """A plain net is one path; a dense one concatenates."""
    with pytest.raises(UsageError, match=r"^a net has many paths where every unit adds"):
        paths.measure(residua.create(name), noise(2), NORMALISATION, draws=1)
