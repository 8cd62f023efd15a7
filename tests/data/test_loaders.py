"""Batches for training and evaluation."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua import kernels
from residua.data import loaders
from residua.data.images import Images
from residua.data.normalise import Normalisation, mean_std
from residua.errors import UsageError

MEAN = torch.tensor([0.4, 0.5, 0.6])
STD = torch.tensor([0.2, 0.25, 0.3])
CONSTANTS = Normalisation(MEAN, STD)


def numbered(num_images: int = 50, size: int = 8) -> Images:
    """Return random images whose labels number them."""
    generator = torch.Generator().manual_seed(num_images)
    shape = (num_images, 3, size, size)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(num_images))


def make(images: Images, **changes) -> loaders.Batches:
    """Return batches of 8, augmented as for CIFAR."""
    options = {
        "batch_size": 8,
        "seed": 0,
        "normalisation": CONSTANTS,
        "pad": 2,
        "crop_mode": "zeros",
        "flip": True,
        "device": "cpu",
    }
    return loaders.Batches(images, **(options | changes))


def by_hand(images: Images, labels: torch.Tensor) -> torch.Tensor:
    """Return (pixel / 255 - mean) / std of the numbered images, in float64."""
    scaled = images.pixels[labels].double() / 255
    return ((scaled - MEAN.double()[:, None, None]) / STD.double()[:, None, None]).float()


def test_batches_are_normalised_images_with_their_labels():
    """Without augmentation a batch is (pixel / 255 - mean) / std of the images it names."""
    images = numbered()

    x, y = make(images, pad=0, flip=False).batch(3)

    torch.testing.assert_close(by_hand(images, y), x)
    assert torch.float32 == x.dtype


def test_a_mean_per_pixel_without_deviation():
    """he2015's normalisation subtracts the mean image and divides by nothing."""
    images = numbered()
    mean = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))

    x, y = make(images, pad=0, flip=False, normalisation=Normalisation(mean, None)).batch(0)

    torch.testing.assert_close(images.pixels[y] / 255 - mean, x)


def test_augmented_batches_hold_shifted_mirrored_images():
    """With crop and flip, each image is a window of the padded normalised image or its mirror."""
    images = numbered()
    x, y = make(images).batch(0)
    padded = torch.nn.functional.pad(by_hand(images, y), (2, 2, 2, 2))

    for image, around in zip(x, padded, strict=True):
        windows = [
            around[:, row : row + 8, column : column + 8]
            for row, column in itertools.product(range(5), repeat=2)
        ]
        both = [*windows, *(window.flip(-1) for window in windows)]
        assert 1 == sum(torch.allclose(image, other, atol=1e-5) for other in both)


@pytest.mark.parametrize("changes", [{"pad": 0}, {"flip": False}], ids=["flip", "crop"])
def test_each_step_draws_its_own_augmentation(changes):
    """Steps of one epoch, and equal steps of other seeds, shift and mirror differently."""
    one = numbered(1, size=8)
    images = Images(one.pixels.expand(50, 3, 8, 8), torch.zeros(50).long())

    batches = [make(images, seed=seed, **changes) for seed in (0, 1)]
    x = [loader.batch(step)[0] for loader in batches for step in range(4)]

    assert not any(torch.equal(a, b) for a, b in itertools.combinations(x, 2))


def test_padding_stands_for_the_mean():
    """Padding comes after normalisation: an image of the mean colour stays of one colour."""
    images = Images(torch.full((8, 3, 8, 8), 51, dtype=torch.uint8), torch.zeros(8).long())

    x, _ = make(images, normalisation=Normalisation(torch.full((3,), 0.2), STD), pad=4).batch(0)

    torch.testing.assert_close(torch.zeros(8, 3, 8, 8), x)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"crop_mode": "reflect", "pad": 4},
        {"flip": "alternating"},
        {"pad": 0},
        {"flip": False},
        {"normalisation": Normalisation(torch.linspace(0, 1, 192).view(3, 8, 8), None)},
    ],
    ids=["zeros", "reflected", "alternating", "uncropped", "unflipped", "mean image"],
)
def test_one_pass_equals_one_operation_after_the_other(changes):
    """The kernel's batches are those of torch's operations to the last bit."""
    batches = make(numbered(), **changes)
    if not batches.in_one_pass():
        pytest.skip("this processor, or the lack of a compiler, leaves the plain operations alone")
    found = [batches.batch(step) for step in (0, 4, 9)]
    with kernels.plain():
        assert not batches.in_one_pass()
        plain = [batches.batch(step) for step in (0, 4, 9)]
    for (x, labels), (expected, same) in zip(found, plain, strict=True):
        assert torch.equal(expected, x)
        assert torch.equal(same, labels)
        assert x.is_contiguous(memory_format=torch.channels_last)


def test_one_pass_over_images_that_are_not_square_or_not_in_colour():
    """Rows, columns and channels are not taken for one another."""
    for shape in ((20, 1, 7, 5), (20, 3, 5, 9), (20, 4, 6, 6)):
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        constants = Normalisation(torch.rand(shape[1:]), torch.rand(shape[1]) + 0.1)
        batches = make(Images(pixels, torch.arange(20)), normalisation=constants, pad=3)
        x, _ = batches.batch(1)
        with kernels.plain():
            assert torch.equal(batches.batch(1)[0], x)


def test_batches_are_in_channels_last():
    """Batches lie in memory as the nets want them, wherever the images lie as files have them."""
    images = numbered()

    x, _ = make(images).batch(5)

    assert images.pixels.is_contiguous()
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert not x.is_contiguous()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 2**63 - 1))
def test_a_batch_depends_on_seed_and_step_alone(steps: list[int], seed: int):
    """Any order of calls gives the batches that a fresh loader gives."""
    images = numbered()
    batches = make(images, seed=seed)

    for step in steps:
        x, y = batches.batch(step)
        fresh_x, fresh_y = make(images, seed=seed).batch(step)
        assert torch.equal(fresh_x, x)
        assert torch.equal(fresh_y, y)


def test_an_epoch_has_every_image_at_most_once():
    """50 images in batches of 8 are six batches without repetition; two images are left over."""
    batches = make(numbered())

    epochs = [
        torch.cat([batches.batch(step)[1] for step in range(start, start + 6)])
        for start in range(0, 60, 6)
    ]

    assert 6 == batches.steps_per_epoch
    assert [48] * 10 == [len(epoch.unique()) for epoch in epochs]
    assert 10 == len({tuple(epoch.tolist()) for epoch in epochs})
    assert 50 == len(torch.cat(epochs).unique())


def test_seeds_differ():
    """Another seed is another order."""
    assert (
        make(numbered(), seed=0).batch(0)[1].tolist()
        != make(numbered(), seed=1).batch(0)[1].tolist()
    )


def test_too_few_images_for_a_batch_are_told():
    """The message has both numbers and what to change."""
    with pytest.raises(
        UsageError, match=r"7 training images .* one batch of 8: lower recipe.batch_size"
    ):
        make(numbered(7))


def test_as_many_images_as_a_batch_are_an_epoch_of_one_step():
    """The smallest training set that works is one batch."""
    assert list(range(8)) == make(numbered(8)).batch(3)[1].sort().values.tolist()


@given(st.integers(1, 20), st.integers(1, 25))
def test_evaluation_sees_every_image_once_in_order(num_images: int, batch_size: int):
    """All images come, normalised, the last batch being short where it must."""
    images = numbered(num_images, size=2)

    found = list(
        loaders.evaluation_batches(
            images, batch_size=batch_size, normalisation=CONSTANTS, device="cpu"
        )
    )

    assert list(range(num_images)) == torch.cat([y for _, y in found]).tolist()
    torch.testing.assert_close(by_hand(images, images.labels), torch.cat([x for x, _ in found]))
    assert all(batch_size == len(y) for _, y in found[:-1])


def test_evaluation_normalises_as_training_does():
    """An image is the same numbers in training and evaluation, in channels_last."""
    images = numbered(8)
    x, y = make(images, pad=0, flip=False).batch(0)

    ((evaluated, _),) = loaders.evaluation_batches(
        images, batch_size=8, normalisation=CONSTANTS, device="cpu"
    )

    assert torch.equal(evaluated[y], x)
    assert evaluated.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_of_no_images_is_no_batch():
    """An empty validation split has nothing to evaluate."""
    nothing = numbered().take(torch.arange(0))

    assert [] == list(
        loaders.evaluation_batches(nothing, batch_size=8, normalisation=CONSTANTS, device="cpu")
    )


def test_a_channel_of_one_value_becomes_zeros():
    """A deviation of 0 would divide by 0; such a channel counts as of deviation 1."""
    images = numbered()
    images.pixels[:, 1] = 77

    mean, std = mean_std(images, per_pixel=False)
    x, _ = make(images, normalisation=Normalisation(mean, std)).batch(0)

    assert std is not None
    assert 1 == std[1]
    assert std[0] < 0.5
    assert bool(x.isfinite().all())
    assert 0 == x[:, 1].abs().max()


def test_the_training_images_are_not_copied_for_batches():
    """Images that were taken lie in memory as batches need them, so they are held once."""
    taken = numbered().take(torch.arange(40))

    assert taken.pixels.data_ptr() == make(taken).pixels.data_ptr()


@pytest.mark.gpu
def test_a_gpu_makes_the_same_batches():
    """Order, crops and flips are drawn on the CPU, so they do not depend on the device."""
    images = numbered()

    x, y = make(images, device="cuda").batch(9)
    expected_x, expected_y = make(images).batch(9)

    assert "cuda" == x.device.type
    assert torch.equal(expected_y, y.cpu())
    torch.testing.assert_close(expected_x, x.cpu())


def test_alternating_flips_mirror_each_image_in_every_second_epoch():
    """About half of the images start mirrored; each changes sides from epoch to epoch."""
    images = numbered(64)
    batches = make(images, pad=0, flip="alternating")
    plain = by_hand(images, torch.arange(64))
    mirrored = torch.zeros(4, 64, dtype=torch.bool)
    for epoch in range(4):
        for position in range(batches.steps_per_epoch):
            x, y = batches.batch(epoch * batches.steps_per_epoch + position)
            mirrored[epoch, y] = ((x - plain[y]).abs() > 1e-3).flatten(1).any(1)
            expected = torch.where(
                mirrored[epoch, y][:, None, None, None], plain[y].flip(3), plain[y]
            )
            torch.testing.assert_close(expected, x)
    assert 20 < int(mirrored[0].sum()) < 44
    for epoch in range(3):
        assert torch.equal(~mirrored[epoch], mirrored[epoch + 1])
