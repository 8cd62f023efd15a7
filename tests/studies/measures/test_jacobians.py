"""Jacobians against those that can be written down, and against finite differences."""

from __future__ import annotations

import pytest
import torch

import residua
from residua.arch.spec import Doubling, Joints, ResidualSpec, Stem
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.nets.build import build
from residua.studies.measures import jacobians

NORMALISATION = Normalisation(torch.zeros(3), None)


@pytest.fixture(scope="module")
def images() -> Images:
    """Noise."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (2, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return Images(pixels=pixels, labels=torch.tensor([0, 1]))


def test_the_example_is_exact():
    """``x - relu(x)`` has a slope of 1 below 0 and of 0 above: the claimed 1 is no lower bound."""
    found = jacobians.example([-2.0, 0.5, 3.0], inner=1, outer=-1)
    assert (-2.0, 0.0, 0.0) == found.value
    assert (1.0, 0.0, 0.0) == found.derivative


def test_a_slope_may_be_negative():
    """``x - 2 · relu(3x)`` falls by 5 where its input rises by 1."""
    found = jacobians.example([0.5], inner=3, outer=-2)
    assert ((-2.5,), (-5.0,)) == (found.value, found.derivative)


def test_linear_units(images: Images):
    """Of ``x + f·x`` all singular values are |1 + f|, and the slope is 1 + f everywhere."""
    factors = (0.5, -0.25, -1.75)
    spec = ResidualSpec(
        depths=(3,),
        kernels=(1,),
        widths=Doubling(base=1),
        joints=Joints(after=("relu",)),
        stem=Stem(width=1, ops=()),
    )
    net = build(spec)
    with torch.no_grad():
        for unit, factor in zip(net.units, factors, strict=True):
            unit.branch.conv1.weight.fill_(factor)
    found = jacobians.measure(net, images, NORMALISATION)
    assert [0, 1, 2] == [each.unit for each in found]
    assert [1.5, 0.75, 0.75] == pytest.approx([each.smallest for each in found])
    assert [1.5, 0.75, 0.75] == pytest.approx([each.largest for each in found])
    assert [1.5, 0.75, -0.75] == pytest.approx([each.least for each in found])
    assert [0, 1, 1] == [each.below_one for each in found]


@pytest.mark.parametrize("name", ["cifar/preresnet-14", "cifar/sd-resnet-14"])
def test_a_units_jacobian_by_finite_differences(images: Images, name: str):
    """Column by column: what a change in the middle of the first image's maps does to them all."""
    torch.manual_seed(0)
    net = residua.create(name).eval().double()
    found = {each.unit: each for each in jacobians.measure(net, images, NORMALISATION, side=2)}
    assert [row.index for row in net.plan if row.c_in == row.c_out] == list(found)
    unit, gate = net.units[1], net.plan[1].survival
    with torch.no_grad():
        x = net.stem(images.pixels[:1].double() / 255)
        maps = net.units[0](x, net.plan[0].survival)
        moved = maps.repeat(64, 1, 1, 1)
        moved[:, :, 15:17, 15:17] += 1e-6 * torch.eye(64).double().view(64, 16, 2, 2)
        rise = (moved + gate * unit.branch(moved)) - (maps + gate * unit.branch(maps))
        columns, matrix = (part.flatten(1).T / 1e-6 for part in (rise, rise[:, :, 15:17, 15:17]))
    values = torch.linalg.svdvals(columns)
    assert values.min().item() == pytest.approx(found[1].smallest, abs=1e-3)
    assert values.max().item() == pytest.approx(found[1].largest, rel=1e-3)
    assert (values < 1).double().mean().item() == pytest.approx(found[1].below_one, abs=0.02)
    least = min(float(v @ matrix @ v) for v in torch.linalg.eigh(matrix + matrix.T)[1].T)
    assert least == pytest.approx(found[1].least, abs=1e-3)


def test_maps_smaller_than_their_middle(images: Images):
    """All of them are changed then."""
    small = Images(pixels=images.pixels[:, :, :8, :8], labels=images.labels)
    *_, last = jacobians.measure(residua.create("cifar/resnet-14"), small, NORMALISATION)
    assert 0 < last.smallest <= last.largest


@pytest.mark.parametrize("name", ["cifar/plain-8", "cifar/pyramidnet-14-a12"])
def test_units_that_do_not_carry_their_input_as_it_is(images: Images, name: str):
    """There is no ``x + F(x)`` in a plain net, nor where every unit widens."""
    assert () == jacobians.measure(residua.create(name), images, NORMALISATION)
