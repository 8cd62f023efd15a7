"""Normalisation: each way of the papers against numbers worked out with numpy."""

import numpy as np
import pytest
import torch

from residua.data.images import Images
from residua.data.loaders import Batches
from residua.data.normalise import Normaliser, contrast, mean_std, normalisation
from residua.errors import UsageError


@pytest.fixture
def images() -> Images:
    """Some images whose channels differ."""
    generator = torch.Generator().manual_seed(0)
    pixels = (
        torch.randint(256, (50, 3, 8, 8), generator=generator)
        // torch.tensor([1, 2, 5])[:, None, None]
    )
    return Images(pixels.to(torch.uint8), torch.zeros(50, dtype=torch.int64))


def test_per_pixel_mean_and_one_deviation_for_all(images: Images):
    """The deviation is that of all pixels from their own means.  Source: huang2016's code."""
    found = normalisation(images, "per_pixel_mean_global_std")
    values = images.pixels.numpy() / 255
    rest = values - values.mean(0)
    np.testing.assert_allclose(values.mean(0), found.mean.numpy(), rtol=1e-6)
    assert found.std is not None
    np.testing.assert_allclose(np.full(3, rest.std()), found.std.numpy(), rtol=1e-6)


def test_the_other_ways(images: Images):
    """The mean image alone; the channels' means and deviations; nothing but the 255."""
    mean, _ = mean_std(images, per_pixel=True)
    alone = normalisation(images, "per_pixel_mean")
    assert alone.std is None
    torch.testing.assert_close(mean, alone.mean)
    channels = normalisation(images, "mean_std")
    for expected, actual in zip(
        mean_std(images, per_pixel=False), (channels.mean, channels.std), strict=True
    ):
        torch.testing.assert_close(expected, actual)
    divided = normalisation(images, "divide")
    assert ([0.0, 0.0, 0.0], None) == (divided.mean.tolist(), divided.std)


def test_equal_images_stay_finite(images: Images):
    """Without any deviation nothing is divided."""
    same = Images(images.pixels[:1].expand(5, -1, -1, -1), images.labels[:5])
    found = normalisation(same, "per_pixel_mean_global_std")
    assert found.std is not None
    assert [1.0, 1.0, 1.0] == found.std.tolist()


def test_mean_std_per_channel_is_that_of_all_pixels(images: Images):
    """The deviation is the population's over all pixels, not a mean of the images' own."""
    dark_and_bright = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    flat = Images(dark_and_bright.expand(2, 3, 4, 4).contiguous(), torch.tensor([0, 1]))
    many = images.take(torch.arange(1_234) % 50)  # more than are worked on at once

    mean, std = mean_std(many, per_pixel=False)
    _, flat_std = mean_std(flat, per_pixel=False)

    values = many.pixels.double().transpose(0, 1).flatten(1) / 255
    assert std is not None
    assert flat_std is not None
    assert [0.5, 0.5, 0.5] == flat_std.tolist()
    assert torch.equal(values.mean(1).float(), mean)
    assert torch.equal(values.std(1, correction=0).float(), std)


def test_mean_std_per_pixel_is_the_mean_image(images: Images):
    """Each pixel of each channel has its mean over the images; there is no deviation."""
    many = images.take(torch.arange(1_234) % 50)

    mean, std = mean_std(many, per_pixel=True)

    assert std is None
    assert torch.equal((many.pixels.double() / 255).mean(0).float(), mean)


def zca_by_hand(train: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whiten images as pylearn2's CIFAR-10 script does; its own words are flat rows of pixels."""

    def contrast_normalised(x: np.ndarray) -> np.ndarray:
        rows = x.reshape(len(x), -1).astype(np.float64)
        rows = rows - rows.mean(1)[:, None]
        return 55 * rows / np.sqrt((rows**2).sum(1))[:, None]

    rows = contrast_normalised(train)
    mean = rows.mean(0)
    covariance = (rows - mean).T @ (rows - mean) / len(rows) + 0.1 * np.eye(rows.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    whitening = np.zeros_like(covariance)
    for value, vector in zip(values, vectors.T, strict=True):
        whitening += np.outer(vector, vector) / np.sqrt(value)
    return ((contrast_normalised(other) - mean) @ whitening).reshape(other.shape)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_zca_is_pylearn2s(images: Images, memory_format: torch.memory_format):
    """Statistics of the training images whiten all others.  Source: zagoruyko2016's README."""
    train, other = images.parts([40, 10])
    pixels = other.pixels.contiguous(memory_format=memory_format)

    found = Normaliser(normalisation(train, "zca"), like=pixels)(pixels)

    expected = zca_by_hand(train.pixels.numpy(), other.pixels.numpy())
    assert 1 < np.abs(expected).max()
    np.testing.assert_allclose(expected, found.numpy(), atol=1e-4)
    assert found.is_contiguous(memory_format=memory_format)


def test_zca_whitens(images: Images):
    """Of many images, pixels have mean 0, and no two of those with much variance are related."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(-40, 40, (3_000, 3, 4, 4), generator=generator)
    pixels = (images.pixels[torch.arange(3_000) % 50, :, :4, :4].int() + noise).clamp(0, 255)
    many = Images(pixels.to(torch.uint8), torch.zeros(3_000, dtype=torch.int64))

    constants = normalisation(many, "zca")
    rows = Normaliser(constants, like=many.pixels)(many.pixels).flatten(1).double()

    assert constants.std is None
    torch.testing.assert_close(torch.zeros(48).double(), rows.mean(0), atol=1e-5, rtol=0)
    covariance = rows.T @ rows / len(rows)
    # One direction has no variance at all: every image's own mean was taken off.
    assert 46.5 < covariance.trace() < 47
    assert (covariance - covariance.diag().diag()).abs().max() < 0.05


def test_an_image_of_one_colour_has_no_contrast():
    """It becomes zeros, not infinities; brightness and strength of another make no difference."""
    x = torch.rand(1, 3, 4, 4)
    flat, one, other = contrast(torch.cat([torch.full_like(x, 0.3), x, 7 * x + 5])).unbind()
    assert not flat.any()
    torch.testing.assert_close(one, other)
    assert [0.0, 55.0] == pytest.approx([one.mean().item(), one.norm().item()], abs=1e-5)


def test_whitening_comes_before_crops(images: Images):
    """A shifted image is the whitened one shifted, with the border of zeros that padding has."""
    constants = normalisation(images, "zca")
    batches = Batches(
        images,
        batch_size=50,
        seed=0,
        normalisation=constants,
        pad=1,
        crop_mode="zeros",
        flip=False,
        device="cpu",
    )
    labelled = Images(images.pixels, torch.arange(50))
    batches.labels = labelled.labels

    x, y = batches.batch(0)

    whole = torch.nn.functional.pad(
        Normaliser(constants, like=images.pixels)(images.pixels), (1,) * 4
    )
    for image, around in zip(x, whole[y], strict=True):
        windows = around.unfold(1, 8, 1).unfold(2, 8, 1).flatten(1, 2).transpose(0, 1)
        assert any(torch.allclose(image, window, atol=1e-5) for window in windows)


def test_large_images_are_not_whitened():
    """The matrix would not fit; the message has both sizes."""
    large = Images(torch.zeros(2, 3, 49, 49, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UsageError, match=r"zca is for images of up to 48x48 pixels, not of 49x49"):
        normalisation(large, "zca")
