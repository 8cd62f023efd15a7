"""Series of lesions: each has the error that the lesion has alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import residua
from residua.data import sets
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import UsageError
from residua.interop.importing import Source, import_weights
from residua.nets.build import Net
from residua.studies.measures import lesions, sweeps

WEIGHTS = Path(__file__).parents[4] / "shared" / "weights" / "akamaster"
MakeNet = Callable[[str], Net]
NORMALISATION = Normalisation(torch.zeros(3), None)


@pytest.fixture(scope="module")
def images() -> Images:
    """Images of one random colour each, with noise: a net tells them apart."""
    generator = torch.Generator().manual_seed(1)
    colours = torch.randint(200, (60, 3, 1, 1), generator=generator, dtype=torch.uint8)
    pixels = colours + torch.randint(56, (60, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return Images(pixels=pixels, labels=torch.randint(10, (60,), generator=generator))


def alone(net: Net, images: Images, variant: lesions.Variant) -> float:
    """The error of one variant."""
    return lesions.errors(net, images, NORMALISATION, [variant])[0]


def test_each_unit(lively: MakeNet, images: Images):
    """Errors in the plan's order, the units that halve the size marked, the whole net beside."""
    net = lively("cifar/preresnet-14")
    found = sweeps.each(net, images, NORMALISATION)
    assert alone(net, images, lesions.whole(net)) == found.whole
    expected = [alone(net, images, lesions.without(net, {unit})) for unit in range(6)]
    assert expected == list(found.errors)
    assert (2, 4) == found.halving
    assert len(set(expected)) > 1


@pytest.mark.parametrize(
    ("name", "kept"), [("cifar/plain-14", (2, 4)), ("cifar/densenet-10-12", (2, 5))]
)
def test_units_that_a_net_cannot_do_without(
    lively: MakeNet, images: Images, name: str, kept: tuple[int, ...]
):
    """Without a shortcut nothing makes maps smaller or wider; a transition stays too."""
    net = lively(name)
    found = sweeps.each(net, images, NORMALISATION)
    assert kept == tuple(unit for unit, error in enumerate(found.errors) if error is None)
    assert tuple(unit for unit in range(len(net.plan)) if unit not in kept) == (
        sweeps.removable(net)
    )


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The units of each deletion of several."""
    seen: list[set[int]] = []
    without = lesions.without

    def watched(net: Net, units: list[int] | set[int]) -> lesions.Variant:
        if isinstance(units, list):  # one alone is given as a set, to see whether it can go
            assert len(units) == len(set(units))
            seen.append(set(units))
        return without(net, units)

    monkeypatch.setattr(lesions, "without", watched)
    return seen


def test_more_and_more_are_left_out(lively: MakeNet, images: Images, left_out: list[set[int]]):
    """As many different units as the dose says; at the end all, where draws cannot differ."""
    net = lively("cifar/preresnet-14")
    found = sweeps.several(net, images, NORMALISATION, draws=3)
    assert (1, 2, 3, 4, 5, 6) == found.doses
    assert [dose for dose in found.doses for _ in range(3)] == [len(units) for units in left_out]
    expected = [alone(net, images, lesions.without(net, units)) for units in left_out]
    assert expected == [error for errors in found.errors for error in errors]
    assert alone(net, images, lesions.whole(net)) == found.whole
    assert found.taus is None


def test_more_and_more_exchanges(lively: MakeNet, images: Images):
    """Each order's error stands beside its correlation with the plan's."""
    net = lively("cifar/preresnet-20")
    found = sweeps.exchanges(net, images, NORMALISATION, doses=(1, 4), draws=2, seed=5)
    generator = torch.Generator().manual_seed(5)
    orders = [lesions.swapped(net, swaps=swaps, generator=generator) for swaps in (1, 1, 4, 4)]
    expected = [alone(net, images, lesions.reordered(net, order)) for order in orders]
    assert (tuple(expected[:2]), tuple(expected[2:])) == found.errors
    taus = [lesions.kendall_tau(order) for order in orders]
    assert (tuple(taus[:2]), tuple(taus[2:])) == found.taus
    assert alone(net, images, lesions.whole(net)) == found.whole


def test_draws_hang_on_the_seed(lively: MakeNet, images: Images, left_out: list[set[int]]):
    """The same seed leaves out the same units, another one others."""
    net = lively("cifar/pyramidnet-14-a12")
    for seed in (1, 1, 2):
        sweeps.several(net, images, NORMALISATION, doses=(2,), draws=4, seed=seed)
    first, again, other = left_out[:4], left_out[4:8], left_out[8:]
    assert first == again != other
    assert len(set(map(frozenset, first))) > 1


def test_a_pyramid_has_no_exchanges(images: Images):
    """Every unit is wider than the one before."""
    with pytest.raises(UsageError, match="no two units"):
        sweeps.exchanges(residua.create("cifar/pyramidnet-14-a12"), images, NORMALISATION)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_published_resnet(cifar10_dir: Path, precision: str):
    """It can do without any unit better than by chance; those that halve the size are dearest."""
    file = WEIGHTS / "resnet20-12fca82f.th"
    if not file.is_file():
        pytest.skip(f"akamaster's weights do not lie in {WEIGHTS}")
    net = import_weights(file, Source(net="cifar/resnet-20", project="akamaster")).net
    assert net.meta is not None
    images = sets.load("cifar10", cifar10_dir).test.take(torch.arange(500))
    constants = Normalisation(net.meta.mean, net.meta.std)
    found = sweeps.each(net, images, constants, precision=precision)
    assert 5 < found.whole < 12
    assert found.whole < min(found.errors)
    assert max(found.errors) < 80
    dearest = sorted(range(9), key=found.errors.__getitem__)[-2:]
    assert {*found.halving} == set(dearest) == {3, 6}
