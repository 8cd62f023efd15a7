"""Batches that worker processes decode from files."""

import multiprocessing
import os
import signal
import warnings
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from residua.data import decoding, imagenet
from residua.data.folders import Listing
from residua.errors import RunError, UsageError

NUM_TRAIN, NUM_VAL = 13, 5


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes: 13 training and 5 validation images of several sizes."""
    root = tmp_path_factory.mktemp("imagenet")
    rng = np.random.default_rng(0)
    for part, number in (("train", NUM_TRAIN), ("val", NUM_VAL)):
        for index in range(number):
            folder = root / part / ("n01", "n02")[index % 2]
            folder.mkdir(parents=True, exist_ok=True)
            shape = (int(rng.integers(20, 60)), int(rng.integers(20, 60)), 3)
            array = rng.integers(256, size=shape, dtype=np.uint8)
            Image.fromarray(array).save(folder / f"{index}.JPEG")
    return root


def batches(root: Path, *, num_workers: int = 0, seed: int = 0) -> imagenet.FolderBatches:
    """Return batches of 4 at 16x16."""
    train, _ = imagenet.read(root)
    return imagenet.FolderBatches(
        train, batch_size=4, seed=seed, num_workers=num_workers, device="cpu", image_size=16
    )


def test_read_lists_training_and_validation_images(root: Path):
    """Both parts have the classes in order."""
    train, val = imagenet.read(root)

    assert ("n01", "n02") == train.classes == val.classes
    assert (NUM_TRAIN, NUM_VAL) == (len(train.names), len(val.names))
    assert (0,) * 7 + (1,) * 6 == train.labels


def test_workers_make_the_same_batches(root: Path):
    """Two processes, none, and steps asked for out of order give the same batches."""
    by_workers, alone = batches(root, num_workers=2), batches(root)

    made = [by_workers.batch(step) for step in range(7)]

    for step in (6, 0, 3, 2, 1, 5, 4):
        x, y = alone.batch(step)
        assert torch.equal(made[step][0], x)
        assert torch.equal(made[step][1], y)


def test_a_batch_is_normalised_and_laid_out_for_convolutions(root: Path):
    """Pixels are brought to the training set's mean and deviation, in channels_last."""
    x, y = batches(root).batch(0)

    assert (4, 3, 16, 16) == tuple(x.shape)
    assert (torch.float32, torch.int64) == (x.dtype, y.dtype)
    assert x.is_contiguous(memory_format=torch.channels_last)
    values = x * torch.tensor(imagenet.STD)[:, None, None]
    pixels = (values + torch.tensor(imagenet.MEAN)[:, None, None]) * 255
    torch.testing.assert_close(pixels.round(), pixels, atol=1e-3, rtol=0)
    assert 0 <= pixels.round().min() < 100 < pixels.round().max() <= 255


def test_an_epoch_has_every_image_at_most_once(root: Path, monkeypatch):
    """Thirteen images in batches of four are three batches without repetition."""
    seen: list[str] = []
    opened = imagenet.opened
    monkeypatch.setattr(imagenet, "opened", lambda path: (seen.append(path.name), opened(path))[1])
    made = batches(root)

    for step in range(6):
        made.batch(step)

    assert 3 == made.steps_per_epoch
    assert [12, 12] == [len(set(seen[:12])), len(set(seen[12:]))]
    assert seen[:12] != seen[12:]


def test_labels_stay_with_their_images(tmp_path: Path):
    """Dark images are of one class, bright ones of the other, in every batch."""
    for part in ("train", "val"):
        for name, value in (("bright", 250), ("dark", 5)):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(4):
                image = Image.new("RGB", (20, 20), (value, value, value))
                image.save(tmp_path / part / name / f"{index}.png")
    _, val = imagenet.read(tmp_path)

    pairs = [batches(tmp_path).batch(step) for step in range(4)]
    pairs += imagenet.evaluation_batches(val, batch_size=3, num_workers=0, device="cpu")

    for x, y in pairs:
        assert torch.equal(y == 1, x.mean((1, 2, 3)) < 0)


def test_one_image_gives_many_parts(root: Path):
    """Each image of a batch, and of each batch, has a part, and a mirror, of its own."""
    train, _ = imagenet.read(root)
    same = Listing(root / "train", train.classes, train.names[:1] * 8, (0,) * 8)
    made = imagenet.FolderBatches(
        same, batch_size=4, seed=0, num_workers=0, device="cpu", image_size=8
    )

    images = torch.cat([made.batch(step)[0] for step in range(4)])

    assert 16 == len({tuple(image.flatten().tolist()) for image in images})


def test_seeds_and_steps_differ(root: Path):
    """Another seed is another order, other parts and other mirrors."""
    x = [batches(root, seed=seed).batch(step)[0] for seed in (0, 1) for step in (0, 3)]

    assert 4 == len({tuple(batch.flatten().tolist()) for batch in x})


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_sees_every_image_once_in_order(root: Path, num_workers: int):
    """The middle of each image, 7/8 of its shorter side, at the size asked for."""
    _, val = imagenet.read(root)

    made = list(
        imagenet.evaluation_batches(
            val, batch_size=2, num_workers=num_workers, device="cpu", image_size=14
        )
    )

    assert [2, 2, 1] == [len(y) for _, y in made]
    assert list(val.labels) == torch.cat([y for _, y in made]).tolist()
    image = Image.open(root / "val" / val.names[0])
    side = 0.875 * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    array = np.asarray(image.resize((14, 14), Image.Resampling.BICUBIC, box))
    expected = (array / 255 - imagenet.MEAN) / imagenet.STD
    torch.testing.assert_close(
        torch.from_numpy(expected).float().permute(2, 0, 1), made[0][0][0], atol=0.05, rtol=0
    )


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**32))
def test_random_boxes_lie_inside(width: int, height: int, seed: int):
    """A part is inside, 8 to 100 percent of the image and 3:4 to 4:3 in shape, but for rounding."""
    draws = torch.rand(10, 4, generator=torch.Generator().manual_seed(seed)).tolist()

    box = imagenet.random_box(width, height, draws)

    if box is not None:
        left, top, right, bottom = box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        w, h = right - left, bottom - top
        assert (w + 0.5) * (h + 0.5) >= 0.08 * width * height * 0.999
        assert 0.75 * (h - 0.5) <= (w + 0.5)
        assert 0.75 * (w - 0.5) <= (h + 0.5)


def test_random_boxes_are_spread():
    """Areas are uniform, shapes as often wide as high, and places everywhere."""
    draws = torch.rand(2_000, 1, 4, generator=torch.Generator().manual_seed(0)).tolist()
    found = [imagenet.random_box(1_000, 1_000, draw) for draw in draws]
    boxes = np.array([box for box in found if box])

    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert 1_600 < len(boxes)
    assert abs(np.log(w / h).mean()) < 0.02
    assert abs((w > h).mean() - 0.5) < 0.05
    assert 0.08 <= (w * h / 1e6).min() < 0.1
    assert abs(boxes[:, 0].mean() - boxes[:, 1].mean()) < 20
    assert boxes[:, 2].max() >= 999


def test_no_box_fits_a_strip():
    """Of a strip of 300 pixels no part has a decent shape, so its middle is taken."""
    draws = torch.rand(10, 4, generator=torch.Generator().manual_seed(0)).tolist()

    assert imagenet.random_box(300, 1, draws) is None


def test_too_few_images_for_a_batch_are_told(root: Path):
    """The message has both numbers and what to change."""
    train, _ = imagenet.read(root)

    with pytest.raises(UsageError, match=r"13 training images .* one batch of 14: lower recipe"):
        imagenet.FolderBatches(train, batch_size=14, seed=0, num_workers=0, device="cpu")


@pytest.fixture
def broken(root: Path, tmp_path: Path) -> Listing:
    """A listing of which one file is no image."""
    train, _ = imagenet.read(root)
    (tmp_path / "n01").mkdir()
    (tmp_path / "n01" / "bad.JPEG").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return Listing(tmp_path, train.classes, ("n01/bad.JPEG",) * 4, (0,) * 4)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_file_is_named(broken: Listing, num_workers: int):
    """One line names the file, also when a worker met it."""
    made = imagenet.FolderBatches(
        broken, batch_size=4, seed=0, num_workers=num_workers, device="cpu"
    )

    with pytest.raises(RunError, match=r"n01/bad\.JPEG cannot be used: .*repair or remove it$"):
        made.batch(0)


def test_a_decompression_bomb_is_named(root: Path, monkeypatch):
    """Pillow's guard holds here too."""
    monkeypatch.setattr(decoding.Image, "MAX_IMAGE_PIXELS", 2_000)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as pillow only warns of such a bomb
        with pytest.raises(RunError, match="cannot be used: it may be a decompression bomb"):
            deque(map(batches(root).batch, range(3)))


def test_a_killed_worker_ends_in_a_message(root: Path):
    """A worker that the system kills stops the run with the reason, and does not hang it."""
    made = batches(root, num_workers=1)
    made.batch(0)
    (worker,) = multiprocessing.active_children()
    assert worker.pid

    os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(RunError, match=r"a process that decodes images died \(.*use fewer of them"):
        deque(map(made.batch, range(1, 50)))


def test_decoding_does_not_touch_the_nets_random_numbers(root: Path):
    """Torch's global generator is where it was, so dropout is not changed by the data."""
    before = torch.get_rng_state()

    batches(root).batch(0)

    assert torch.equal(before, torch.get_rng_state())
