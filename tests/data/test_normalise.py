"""Normalisation: each way of the papers against numbers worked out with numpy."""

import numpy as np
import pytest
import torch

from residua.data.images import Images
from residua.data.loaders import mean_std
from residua.data.normalise import normalisation


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
