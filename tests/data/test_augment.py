"""Random crops and flips."""

import hashlib

import pytest
import torch
from torch.nn import functional

from residua.data import augment

SHAPE = (64, 3, 6, 5)


@pytest.fixture
def x() -> torch.Tensor:
    """A batch in which no two numbers are equal."""
    numbers = torch.randperm(64 * 3 * 6 * 5, generator=torch.Generator().manual_seed(1))
    return (numbers + 1).float().view(SHAPE)


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def crops_of(x: torch.Tensor, mode, seed: int) -> torch.Tensor:
    """Return random crops of images padded by 2."""
    starts = augment.places(len(x), pad=2, generator=generator(seed))
    return augment.pad_and_crop(x, starts, pad=2, mode=mode)


def flipped_of(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Return images, some of them mirrored."""
    return augment.mirror(x, augment.flips(len(x), generator=generator(seed)))


def shift_of(image: torch.Tensor, crop: torch.Tensor, pad: int, mode: str) -> tuple[int, int]:
    """Return where a crop was taken from a padded image, by trying every place."""
    _, h, w = image.shape
    padded = functional.pad(image[None], (pad,) * 4, mode=mode)[0]
    places = [
        (row, column)
        for row in range(2 * pad + 1)
        for column in range(2 * pad + 1)
        if torch.equal(crop, padded[:, row : row + h, column : column + w])
    ]
    assert 1 == len(places)
    return places[0]


@pytest.mark.parametrize(("mode", "torch_mode"), [("zeros", "constant"), ("reflect", "reflect")])
def test_crops_are_windows_of_the_padded_images(x, mode, torch_mode: str):
    """Each image's crop is one window of its own padded self, and every window occurs."""
    crops = torch.cat([crops_of(x, mode, seed) for seed in range(10)])

    places = [
        shift_of(image, crop, 2, torch_mode)
        for image, crop in zip(x.repeat(10, 1, 1, 1), crops, strict=True)
    ]

    counts = [places.count((row, column)) for row in range(5) for column in range(5)]
    assert 640 == sum(counts)
    assert min(counts) >= 8  # of 25.6 expected
    assert max(counts) <= 50


def test_flips_mirror_half_of_the_images(x):
    """Each image is itself or its mirror image, and about as often the one as the other."""
    flipped = torch.cat([flipped_of(x, seed) for seed in range(10)])

    mirrored = [
        torch.equal(image.flip(-1), result)
        for image, result in zip(x.repeat(10, 1, 1, 1), flipped, strict=True)
    ]
    same = [
        torch.equal(image, result)
        for image, result in zip(x.repeat(10, 1, 1, 1), flipped, strict=True)
    ]

    assert 640 == sum(mirrored) + sum(same)
    assert 250 <= sum(mirrored) <= 390


@pytest.mark.parametrize("operation", ["zeros", "reflect", "flip"])
def test_operations_are_functions_of_batch_and_generator(x, operation):
    """Equal generators give equal results, others do not; the memory format changes nothing."""

    def apply(batch: torch.Tensor, seed: int) -> torch.Tensor:
        if operation == "flip":
            return flipped_of(batch, seed)
        return crops_of(batch, operation, seed)

    original = x.clone()
    last = apply(x.contiguous(memory_format=torch.channels_last), 5)

    assert torch.equal(apply(x, 5), apply(x, 5))
    assert not torch.equal(apply(x, 5), apply(x, 6))
    assert torch.equal(apply(x, 5), last)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(original, x)


def test_generator_is_a_hash_of_purpose_seed_and_step():
    """The stream of a step is what the documented hash says, so it is the same for ever."""
    digest = hashlib.sha256(b"crop 3 14").digest()

    assert (
        int.from_bytes(digest[:8], "little")
        == augment.generator_for(3, 14, "crop").initial_seed() % 2**64
    )
    assert [4, 1, 5, 7] == torch.randint(
        9, (4,), generator=augment.generator_for(3, 14, "crop")
    ).tolist()


def test_neighbouring_generators_are_unrelated():
    """Seeds, steps and purposes next to each other draw different numbers."""
    streams = {
        tuple(
            torch.randint(1000, (8,), generator=augment.generator_for(seed, step, purpose)).tolist()
        )
        for seed in range(10)
        for step in range(10)
        for purpose in ("crop", "flip", "order")
    }

    assert 300 == len(streams)
