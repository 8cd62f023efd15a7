"""Lesions: what is executed, what is refused, and that shared beginnings change no result."""

from __future__ import annotations

import pytest
import torch

import residua
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import UsageError
from residua.nets.build import Net
from residua.studies import lesions

NORMALISATION = Normalisation(torch.zeros(3), None)


def trained_a_little(name: str) -> Net:
    """A net whose predictions differ from image to image and hang on every unit."""
    torch.manual_seed(0)
    net = residua.create(name).train()
    for parameter in net.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter)
    for _ in range(3):
        net(torch.rand(16, 3, 32, 32))
    return net


@pytest.fixture(scope="module")
def images() -> Images:
    """Noise of 300 images, so that there are two batches, of two sizes."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (300, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return Images(pixels=pixels, labels=torch.randint(10, (300,), generator=generator))


def wrong(net: Net, images: Images, **how) -> float:
    """The error by the net's own forward pass."""
    net.eval()
    with torch.no_grad():
        logits = net(images.pixels.float() / 255, **how)
    return 100 * int((logits.argmax(1) != images.labels).sum()) / len(images)


@pytest.mark.parametrize(
    "name", ["cifar/preresnet-14", "cifar/pyramidnet-14-a12", "cifar/sd-resnet-14"]
)
def test_each_unit_left_out(name: str, images: Images):
    """Its gate is 0 and all others stay; the net's own pass finds the same error."""
    net = trained_a_little(name)
    count = len(net.plan)
    variants = [lesions.whole(net), *(lesions.without(net, {unit}) for unit in range(count))]
    found = lesions.errors(net, images, NORMALISATION, variants)
    gates = [row.survival for row in net.plan]
    expected = [
        wrong(net, images, gates=[0.0 if unit == gone else gates[unit] for unit in range(count)])
        for gone in (None, *range(count))
    ]
    assert expected == found
    assert len(set(found)) > 1


def test_a_plain_unit_is_left_out_whole(images: Images):
    """It has no shortcut that could stay; the first of a stage cannot go."""
    net = trained_a_little("cifar/plain-14")
    (found,) = lesions.errors(net, images, NORMALISATION, [lesions.without(net, {1})])
    assert wrong(net, images, order=[0, 2, 3, 4, 5]) == found
    with pytest.raises(UsageError, match=r"^unit 3 reads 32 channels of stage 2, but unit 1"):
        lesions.without(net, {2})


def test_transitions_stay():
    """A dense net cannot do without one; its layers' maps become zeros."""
    net = trained_a_little("cifar/densenet-10-12")
    transition = next(row.index for row in net.plan if row.shortcut == "transition")
    with pytest.raises(UsageError, match=f"^unit {transition} is a transition"):
        lesions.without(net, {transition})
    assert (0, 0.0) in lesions.without(net, {0})


def test_other_orders(images: Images):
    """Units of one shape change places; what does not fit is named."""
    net = trained_a_little("cifar/preresnet-20")
    assert [(0, 1, 2), (4, 5), (7, 8)] == lesions.exchangeable(net)
    order = [0, 2, 1, 3, 5, 4, 6, 7, 8]
    found = lesions.errors(net, images, NORMALISATION, [lesions.reordered(net, order)])
    assert [wrong(net, images, order=order)] == found
    with pytest.raises(UsageError, match=r"^unit 4 reads 32 channels of stage 2, but unit 2"):
        lesions.reordered(net, [0, 1, 2, 4, 3, 5, 6, 7, 8])


def test_a_pyramid_has_nothing_to_exchange():
    """Every unit is wider than the one before."""
    net = residua.create("cifar/pyramidnet-14-a12")
    with pytest.raises(UsageError, match="no two units"):
        lesions.swapped(net, swaps=1, generator=torch.Generator())


def test_swaps_keep_shapes():
    """However many, every unit still reads what it was made for; the same seed, the same order."""
    net = residua.create("cifar/preresnet-20")
    for seed in range(10):
        first, second = (
            lesions.swapped(net, swaps=20, generator=torch.Generator().manual_seed(seed))
            for _ in range(2)
        )
        assert first == second
        assert sorted(first) == list(range(9))
        lesions.reordered(net, first)


def test_kendall_tau():
    """One as planned, minus one reversed, and in between by hand."""
    assert lesions.kendall_tau([0, 1, 2, 3]) == 1
    assert lesions.kendall_tau([3, 2, 1, 0]) == -1
    assert (5 - 1) / 6 == lesions.kendall_tau([0, 2, 1, 3])


def test_what_begins_alike_is_computed_once(images: Images):
    """Each of n units left out in turn takes about n²/2 executions of units, not n²."""
    net = trained_a_little("cifar/preresnet-20")
    executed: list[int] = []
    for unit in net.units:
        unit.register_forward_hook(lambda *_: executed.append(1))
    variants = [lesions.without(net, {unit}) for unit in range(9)]
    lesions.errors(net, images.take(torch.arange(8)), NORMALISATION, variants)
    shared, own = 8, sum(9 - gone for gone in range(9))
    assert shared + own == len(executed)
