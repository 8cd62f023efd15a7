"""Batches that worker processes decode from files."""

import multiprocessing
import os
import signal
import warnings
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from residua.data import decoding, imagenet
from residua.data.listing import Files, Listing
from residua.data.loaders import evaluation_batches
from residua.data.normalise import ILSVRC_MEAN, ILSVRC_STD, normalisation
from residua.errors import RunError, UsageError

NUM_TRAIN, NUM_VAL = 13, 5
# Torch's, of more workers than cores: here that is no mistake.
FEW_CORES = pytest.mark.filterwarnings("ignore:This DataLoader will create")


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


def files(root: Path, part: str, *, size: int = 16, num_workers: int = 0) -> Files:
    """Return the training or validation images."""
    data = imagenet.read("imagenet", root, image_size=size)
    found = data.train if part == "train" else data.test
    assert isinstance(found, Files)
    return replace(found, num_workers=num_workers)


def of(files: Files, **changes) -> imagenet.FolderBatches:
    """Return batches of 4, normalised as ILSVRC's images, mirrored or not."""
    options = {"batch_size": 4, "seed": 0, "flip": True, "device": "cpu"}
    constants = normalisation(files, "mean_std")
    return imagenet.FolderBatches(files, normalisation=constants, **(options | changes))


def batches(root: Path, *, num_workers: int = 0, **changes) -> imagenet.FolderBatches:
    """Return batches of 4 at 16x16."""
    return of(files(root, "train", num_workers=num_workers), **changes)


def evaluated(files: Files, *, batch_size: int, turn: slice = slice(None)) -> list:
    """Return the normalised batches of an evaluation."""
    constants = normalisation(files, "mean_std")
    return list(
        evaluation_batches(
            files, batch_size=batch_size, normalisation=constants, device="cpu", turn=turn
        )
    )


def test_read_lists_training_and_validation_images(root: Path):
    """Both parts have the classes in order; ``val`` tests, 1 % of ``train`` validates."""
    data = imagenet.read("imagenet:there", root, image_size=16)

    assert ("imagenet:there", ("n01", "n02"), 0) == (data.name, data.classes, data.val_size)
    assert (NUM_TRAIN, NUM_VAL) == (len(data.train), len(data.test))
    assert (16, 16) == (data.train.image_size, data.test.image_size)
    assert [0] * 7 + [1] * 6 == data.train.labels.tolist()
    assert isinstance(data.train, Files)
    assert data.train.num_workers >= 1
    assert data.files


def test_an_impossible_size_is_told(root: Path):
    """As for folders that fit into memory."""
    with pytest.raises(UsageError, match="an image size of 0 is impossible"):
        imagenet.read("imagenet", root, image_size=0)


def test_a_rank_decodes_its_part_alone(root: Path, monkeypatch):
    """Together the ranks' parts are the batch of one rank alone; each opens its own files only."""
    seen: list[str] = []
    opened = imagenet.opened
    monkeypatch.setattr(imagenet, "opened", lambda path: (seen.append(path.name), opened(path))[1])
    whole = batches(root)
    parts = [batches(root, part=part) for part in (slice(0, 2), slice(2, 4))]

    for step in (0, 1, 4):
        seen.clear()
        x, y = whole.batch(step)
        all_names = list(seen)
        seen.clear()
        (first, first_y), (second, second_y) = (made.batch(step) for made in parts)

        assert all_names == seen
        assert 4 == len(set(seen))
        assert torch.equal(x, torch.cat([first[:2], second[2:]]))
        assert y.tolist() == first_y.tolist() == second_y.tolist()


def test_images_are_mirrored_only_if_asked(root: Path):
    """With ``flip`` some of the images are the mirror images of those without."""
    plain, mirrored = batches(root, flip=False), batches(root)
    found = [
        torch.equal(one, other)
        for step in range(4)
        for one, other in zip(plain.batch(step)[0], mirrored.batch(step)[0], strict=True)
    ]
    assert 0 < sum(found) < 16


def test_evaluation_is_shared_out_by_batches(root: Path):
    """Each turn has its own batches, as they are in the whole."""
    val = files(root, "val")
    whole = evaluated(val, batch_size=2)
    turns = [evaluated(val, batch_size=2, turn=slice(rank, None, 2)) for rank in range(2)]
    assert [2, 1] == [len(turn) for turn in turns]
    for (x, y), (other_x, other_y) in zip(
        whole, [turns[0][0], turns[1][0], turns[0][1]], strict=True
    ):
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


@FEW_CORES
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
    values = x * torch.tensor(ILSVRC_STD)[:, None, None]
    pixels = (values + torch.tensor(ILSVRC_MEAN)[:, None, None]) * 255
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
    pairs = [batches(tmp_path).batch(step) for step in range(4)]
    pairs += evaluated(files(tmp_path, "val"), batch_size=3)

    for x, y in pairs:
        assert torch.equal(y == 1, x.mean((1, 2, 3)) < 0)


def test_one_image_gives_many_parts(root: Path):
    """Each image of a batch, and of each batch, has a part, and a mirror, of its own."""
    made = of(files(root, "train", size=8).take(torch.zeros(8, dtype=torch.int64)))

    images = torch.cat([made.batch(step)[0] for step in range(4)])

    assert 16 == len({tuple(image.flatten().tolist()) for image in images})


def test_seeds_and_steps_differ(root: Path):
    """Another seed is another order, other parts and other mirrors."""
    x = [batches(root, seed=seed).batch(step)[0] for seed in (0, 1) for step in (0, 3)]

    assert 4 == len({tuple(batch.flatten().tolist()) for batch in x})


@FEW_CORES
@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_sees_every_image_once_in_order(root: Path, num_workers: int):
    """The middle of each image, 7/8 of its shorter side, at the size asked for."""
    val = files(root, "val", size=14, num_workers=num_workers)

    made = evaluated(val, batch_size=2)

    assert [2, 2, 1] == [len(y) for _, y in made]
    assert torch.equal(val.labels, torch.cat([y for _, y in made]))
    image = Image.open(root / "val" / val.listing.names[0])
    side = 0.875 * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    array = np.asarray(image.resize((14, 14), Image.Resampling.BICUBIC, box))
    expected = (array / 255 - ILSVRC_MEAN) / ILSVRC_STD
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
    with pytest.raises(UsageError, match=r"13 training images .* one batch of 14: lower recipe"):
        batches(root, batch_size=14)


@pytest.fixture
def broken(root: Path, tmp_path: Path) -> Listing:
    """A listing of files that are no images."""
    classes = files(root, "train").listing.classes
    (tmp_path / "n01").mkdir()
    (tmp_path / "n01" / "bad.JPEG").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return Listing(tmp_path, classes, ("n01/bad.JPEG",) * 4, (0,) * 4)


@pytest.mark.fault("damaged file: ImageNet's folders")
@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_file_is_named(broken: Listing, num_workers: int, record_property):
    """One line names the file, also when a worker met it."""
    made = of(Files(broken, image_size=16, num_workers=num_workers))

    with pytest.raises(
        RunError, match=r"n01/bad\.JPEG cannot be used: .*repair or remove it$"
    ) as caught:
        made.batch(0)
    record_property("message", f"residua: {caught.value}")


def test_a_decompression_bomb_is_named(root: Path, monkeypatch):
    """Pillow's guard holds here too."""
    monkeypatch.setattr(decoding.Image, "MAX_IMAGE_PIXELS", 2_000)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as pillow only warns of such a bomb
        with pytest.raises(RunError, match="cannot be used: it may be a decompression bomb"):
            deque(map(batches(root).batch, range(3)))


@pytest.mark.fault("killed worker that decodes images")
def test_a_killed_worker_ends_in_a_message(root: Path, record_property):
    """A worker that the system kills stops the run with the reason, and does not hang it."""
    made = batches(root, num_workers=1)
    made.batch(0)
    (worker,) = multiprocessing.active_children()
    assert worker.pid

    os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(
        RunError, match=r"a process that decodes images died \(.*use fewer of them"
    ) as caught:
        deque(map(made.batch, range(1, 50)))
    record_property("message", f"residua: {caught.value}")


def test_a_worker_leaves_ctrl_c_to_whoever_asked(root: Path):
    """The terminal sends it to all; the run then saves, for which it may want another batch."""
    made, alone = batches(root, num_workers=1), batches(root)
    made.batch(0)
    (worker,) = multiprocessing.active_children()
    assert worker.pid

    os.kill(worker.pid, signal.SIGINT)

    for step in range(1, 6):
        assert torch.equal(alone.batch(step)[0], made.batch(step)[0])


def test_decoding_does_not_touch_the_nets_random_numbers(root: Path):
    """Torch's global generator is where it was, so dropout is not changed by the data."""
    before = torch.get_rng_state()

    batches(root).batch(0)

    assert torch.equal(before, torch.get_rng_state())
