"""Cutout, mixup and CutMix, each against its definition, image by image."""

from collections.abc import Callable

import pytest
import torch

from residua.data.mixing import Mixed, cutmix, cutout, mixup


def generator(seed: int = 0) -> torch.Generator:
    """A generator with a fixed seed."""
    return torch.Generator().manual_seed(seed)


def batch(num: int = 64) -> torch.Tensor:
    """Images each of which is one value of its own, none of them zero."""
    return (1.0 + torch.arange(num))[:, None, None, None].expand(num, 3, 16, 12).contiguous()


@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout_hides_one_square_an_image(size: int):
    """A full square within the image, what is left of one at its border, in all channels alike."""
    x = batch(400)
    found = cutout(x, size=size, generator=generator())
    hidden = found == 0
    assert torch.equal(x[~hidden], found[~hidden])
    assert torch.equal(hidden.any(1), hidden.all(1))
    areas = set()
    for image in hidden[:, 0]:
        rows, columns = image.any(1).nonzero().flatten(), image.any(0).nonzero().flatten()
        sides = (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
        assert int(image.sum()) == sides[0] * sides[1]
        assert max(sides) <= size
        areas.add(sides[0] * sides[1])
    assert size**2 == max(areas)
    assert (min(areas) < size**2) == (size > 1)


def test_mixup_blends_by_one_share():
    """``share · x + (1 - share) · x[order]``, with an order that is a permutation."""
    x = batch()
    mixed = mixup(x, alpha=1.0, generator=generator())
    assert 0 < mixed.share < 1
    assert list(range(64)) == sorted(mixed.order.tolist())
    torch.testing.assert_close(mixed.share * x + (1 - mixed.share) * x[mixed.order], mixed.x)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_counts_the_pixels_that_are_left(seed: int):
    """Every pixel is the image's or the other's, in one rectangle; ``share`` is its complement."""
    x = batch()
    mixed = cutmix(x, alpha=1.0, generator=generator(seed))
    moved = mixed.order != torch.arange(64)
    pasted = (mixed.x != x)[moved]
    others = x[mixed.order][moved]
    assert torch.equal(others[pasted], mixed.x[moved][pasted])
    for image in pasted:
        assert torch.equal(pasted[0], image)
        assert 1 - mixed.share == pytest.approx(float(image.float().mean()))


def test_shares_follow_the_beta_distribution():
    """Mean one half, variance ``1 / (4 (2 α + 1))``."""
    shares = [mixup(batch(2), alpha=0.5, generator=generator(seed)).share for seed in range(600)]
    shares = torch.tensor(shares)
    assert 0.5 == pytest.approx(float(shares.mean()), abs=0.05)
    assert 0.125 == pytest.approx(float(shares.var()), abs=0.015)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_a_mixture_is_a_function_of_its_generator(mix: Callable[..., Mixed]):
    """The same generator gives the same batch, another another."""
    one, same, other = (mix(batch(), alpha=1.0, generator=generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.x, same.x)
    assert torch.equal(one.order, same.order)
    assert one.share == same.share != other.share
