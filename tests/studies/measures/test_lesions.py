"""Lesions: what is executed, what is refused, and that shared beginnings change no result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import residua
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import UsageError
from residua.nets.build import Net
from residua.studies.measures import lesions

MakeNet = Callable[[str], Net]
NORMALISATION = Normalisation(torch.zeros(3), None)


@pytest.fixture(scope="module")
def images() -> Images:
    """300 of one random colour each, with noise: there are two batches, of two sizes."""
    generator = torch.Generator().manual_seed(1)
    colours = torch.randint(200, (300, 3, 1, 1), generator=generator, dtype=torch.uint8)
    pixels = colours + torch.randint(56, (300, 3, 16, 16), generator=generator, dtype=torch.uint8)
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
def test_each_unit_left_out(lively: MakeNet, name: str, images: Images):
    """Its gate is 0 and all others stay; the net's own pass finds the same error."""
    net = lively(name)
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


def test_a_plain_unit_is_left_out_whole(lively: MakeNet, images: Images):
    """It has no shortcut that could stay; the first of a stage cannot go."""
    net = lively("cifar/plain-14")
    (found,) = lesions.errors(net, images, NORMALISATION, [lesions.without(net, {1})])
    assert wrong(net, images, order=[0, 2, 3, 4, 5]) == found
    with pytest.raises(UsageError, match=r"^unit 3 reads 32 channels of stage 2, but unit 1"):
        lesions.without(net, {2})


def test_both_ends_must_fit():
    """What reads the stem's maps, and what the classifier reads, are looked at too."""
    net = residua.create("cifar/plain-8")
    with pytest.raises(UsageError, match=r"^the head reads 64 channels of stage 3, but unit 1"):
        lesions.without(net, {2})
    with pytest.raises(UsageError, match=r"^unit 18 reads 64 .* the stem before it"):
        lesions.reordered(residua.create("cifar/preresnet-164-bottleneck"), [18, 19])


def test_transitions_stay(lively: MakeNet):
    """A dense net cannot do without one; its layers' maps become zeros."""
    net = lively("cifar/densenet-10-12")
    transition = next(row.index for row in net.plan if row.shortcut == "transition")
    with pytest.raises(UsageError, match=f"^unit {transition} is a transition"):
        lesions.without(net, {transition})
    assert (0, 0.0) in lesions.without(net, {0})


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_precision(
    lively: MakeNet,
    images: Images,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    dtype: torch.dtype,
):
    """Convolutions compute in what is asked for, and the net itself stays as it is."""
    net = lively("cifar/preresnet-8")
    read: list[torch.dtype] = []
    fold = lesions.fold

    def spied(net: Net, *, dtype: torch.dtype) -> Net:
        folded = fold(net, dtype=dtype)
        read.append(folded.units[1].unit.branch.conv2.weight.dtype)
        return folded

    monkeypatch.setattr(lesions, "fold", spied)
    variants = [lesions.whole(net), lesions.without(net, {1})]
    found = lesions.errors(net, images, NORMALISATION, variants, precision=precision)
    assert [dtype] == read
    assert net.training
    assert [wrong(net, images), wrong(net, images, gates=[1, 0, 1])] == pytest.approx(found, abs=5)
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


def test_other_orders(lively: MakeNet, images: Images):
    """Units of one shape change places; what does not fit is named."""
    net = lively("cifar/preresnet-20")
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


def test_what_begins_alike_is_computed_once(lively: MakeNet, images: Images):
    """Each of n units left out in turn takes about n²/2 executions of units, not n²."""
    net = lively("cifar/preresnet-20")
    executed: list[int] = []
    for unit in net.units:
        unit.register_forward_hook(lambda *_: executed.append(1))
    variants = [lesions.without(net, {unit}) for unit in range(9)]
    lesions.errors(net, images.take(torch.arange(8)), NORMALISATION, variants)
    shared, own = 8, sum(9 - gone for gone in range(9))
    assert shared + own == len(executed)


def test_what_cannot_be_left_out_is_known_with_its_reason():
    """Transitions, and what changes the width of a net without shortcuts; a ResNet has none."""
    assert {} == lesions.indispensable(residua.create("cifar/resnet-14"))
    assert {2, 4} == lesions.indispensable(residua.create("cifar/plain-14")).keys()
    (reason, _) = lesions.indispensable(residua.create("cifar/densenet-10-4")).values()
    assert "unit 2 is a transition: all that its net knows goes through it" == reason
