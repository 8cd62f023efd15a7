"""Images and data sets."""

import pytest
import torch

from residua.data.files import ContentError
from residua.data.images import Images, unfilled

from .archives import random_images


def test_take_returns_the_chosen_images_with_their_labels_in_order():
    """Pixels and labels stay together when images are taken out of order."""
    pixels = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    images = Images(pixels, torch.tensor([10, 11, 12, 13]))

    taken = images.take(torch.tensor([3, 0, 3]))

    assert 3 == len(taken)
    assert [13, 10, 13] == taken.labels.tolist()
    assert [3, 0, 3] == taken.pixels[:, 2, 1, 1].tolist()


def test_what_is_taken_lies_in_memory_as_batches_do():
    """Taken images are channels_last, so that a loader needs no copy of them, and a copy."""
    images = random_images(5)

    taken = images.take(torch.tensor([4, 2]))
    taken.pixels[:] = 0

    assert taken.pixels.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(random_images(5).pixels, images.pixels)


def test_parts_are_views_in_order():
    """Parts together are the images, and what is written to a part is written to them."""
    images = random_images(5)

    first, second = images.parts([2, 3])
    second.labels[0] = 99

    assert (2, 3) == (len(first), len(second))
    assert torch.equal(images.pixels, torch.cat([first.pixels, second.pixels]))
    assert 99 == images.labels[2]


def test_fill_joins_pieces():
    """Pieces of any sizes fill the room in their order."""
    images = random_images(6)
    room = unfilled(6)

    room.fill(images.parts([1, 3, 2]), num_classes=10)

    assert torch.equal(images.pixels, room.pixels)
    assert torch.equal(images.labels, room.labels)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (random_images(6).parts([4, 1, 1])[:2], "it holds 5 images, not 6"),
        (random_images(9).parts([4, 3, 2]), "it holds 7 or more images, not 6"),
        ([], "it holds 0 images, not 6"),
        ([Images(random_images(6).pixels, torch.tensor([0, 1, 2, 3, 4, 5]))], "not one of 0 to 4"),
        ([Images(random_images(6).pixels, torch.tensor([0, 1, 2, 3, 4, -1]))], "not one of 0 to 4"),
    ],
    ids=["too few", "too many", "none", "label too large", "label negative"],
)
def test_fill_refuses_other_numbers_of_images_and_wrong_labels(pieces: list[Images], message: str):
    """A room is filled exactly, with labels of its classes."""
    num_classes = 5 if "not one of" in message else 10

    with pytest.raises(ContentError, match=message):
        unfilled(6).fill(pieces, num_classes=num_classes)
