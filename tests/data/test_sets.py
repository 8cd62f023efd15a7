"""Data sets by name, and their fixed split."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.data import sets
from residua.errors import RunError, UsageError


@pytest.fixture(scope="module")
def synthetic() -> sets.DataSet:
    """The small set that needs no file."""
    return sets.load("synthetic")


def numbered(num_images: int) -> sets.DataSet:
    """Return a set whose labels number its training images."""
    images = sets.Images(
        torch.zeros(num_images, 3, 1, 1, dtype=torch.uint8), torch.arange(num_images)
    )
    return sets.DataSet("numbered", ("only",), images, images.take(torch.tensor([0])), 1)


def test_an_unknown_name_tells_the_nearest_and_all():
    """A mistyped name is answered with the right one."""
    with pytest.raises(UsageError, match=r"'cifar11': did you mean cifar10\?") as failure:
        sets.load("cifar11")

    assert {"cifar10", "cifar100", "svhn", "svhn-small", "digits", "synthetic"} == {*sets.names()}
    for name in (*sets.names(), "folder:PATH", "imagenet:PATH"):
        assert name in str(failure.value)


def test_a_name_like_no_other_still_has_a_nearest():
    """The message has the same form for any name."""
    with pytest.raises(UsageError, match=r"'§': did you mean \w+\?"):
        sets.load("§")


def test_a_folder_needs_a_path():
    """`folder:` alone is no data set, nor is `imagenet:`."""
    for name in ("folder:", "imagenet:"):
        with pytest.raises(UsageError, match=f"'{name}': did you mean {name}PATH"):
            sets.load(name)


@pytest.mark.parametrize("name", ["synthetic", "cifar10"])
def test_only_folders_come_in_other_sizes(name: str):
    """The other sets are 32x32, and to ask for that is no mistake."""
    with pytest.raises(UsageError, match=f"images of {name} are 32x32: another .* for folder:PATH"):
        sets.load(name, image_size=64)
    assert 32 == sets.load("synthetic", image_size=32).train.pixels.shape[-1]


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "svhn-small"])
def test_missing_data_says_how_to_fetch_it(name: str, tmp_path: Path):
    """The message has the command."""
    with pytest.raises(RunError, match=f"`residua data get {name}`"):
        sets.load(name, tmp_path)


def test_data_is_looked_for_in_the_default_directory(monkeypatch, tmp_path: Path):
    """Without a directory, RESIDUA_DATA is the place; without that, the user's cache."""
    monkeypatch.setenv("RESIDUA_DATA", str(tmp_path))
    with pytest.raises(RunError, match=str(tmp_path)):
        sets.load("cifar10")

    monkeypatch.delenv("RESIDUA_DATA")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert tmp_path / "home" / ".cache" / "residua" == sets.default_directory()


def test_a_given_directory_comes_before_the_default(monkeypatch, tmp_path: Path):
    """--data-dir outranks RESIDUA_DATA."""
    monkeypatch.setenv("RESIDUA_DATA", str(tmp_path / "default"))

    with pytest.raises(RunError) as failure:
        sets.load("cifar100", tmp_path / "given")

    assert str(tmp_path / "given") in str(failure.value)
    assert str(tmp_path / "default") not in str(failure.value)


def test_digits_are_grey_images_of_the_right_size():
    """The bundled digits are 1,437 and 360 images of 32x32 in three equal channels."""
    pytest.importorskip("sklearn")
    data = sets.load("digits")

    assert (1_437, 3, 32, 32) == tuple(data.train.pixels.shape)
    assert (360, 3, 32, 32) == tuple(data.test.pixels.shape)
    assert tuple("0123456789") == data.classes
    assert 144 == data.val_size
    assert (0, 255) == (data.train.pixels.min(), data.train.pixels.max())
    assert torch.equal(data.train.pixels[:, 0], data.train.pixels[:, 2])
    assert 25 <= data.test.labels.bincount(minlength=10).min()


def test_digits_keep_their_labels_and_their_look():
    """Every scaled digit, shrunk again, is most like a bundled image of its own class."""
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    data = sets.load("digits")
    bundled, targets = load_digits(return_X_y=True)
    shrunk = torch.nn.functional.avg_pool2d(data.test.pixels[:, 0].float(), 4).flatten(1) / 255 * 16

    nearest = torch.cdist(shrunk, torch.from_numpy(bundled).float()).argmin(1)

    assert torch.equal(data.test.labels, torch.from_numpy(targets)[nearest])
    assert 350 <= len(nearest.unique())


def test_digits_without_scikit_learn_say_how_to_get_it(monkeypatch):
    """The optional package is named with the command that installs it."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)

    with pytest.raises(UsageError, match=r"pip install 'residua\[digits\]'"):
        sets.load("digits")


def test_synthetic_is_small_balanced_and_always_the_same(synthetic):
    """The synthetic set is the same images in every process."""
    assert (640, 3, 32, 32) == tuple(synthetic.train.pixels.shape)
    assert (160, 3, 32, 32) == tuple(synthetic.test.pixels.shape)
    assert [64] * 10 == synthetic.train.labels.bincount().tolist()
    assert [16] * 10 == synthetic.test.labels.bincount().tolist()
    assert 10 == len(synthetic.classes)
    assert torch.equal(synthetic.train.pixels, sets.load("synthetic").train.pixels)
    assert 246_400_422 == synthetic.train.pixels.sum().item()


def test_synthetic_can_be_learned(synthetic):
    """The nearest class mean of the training images names every test image."""
    means = torch.stack(
        [synthetic.train.pixels[synthetic.train.labels == c].float().mean(0) for c in range(10)]
    )

    distances = torch.cdist(synthetic.test.pixels.float().flatten(1), means.flatten(1))

    assert torch.equal(synthetic.test.labels, distances.argmin(1))


@given(st.integers(2, 60), st.data())
def test_split_parts_the_training_images(num_images: int, draw: st.DataObject):
    """Whatever the sizes, each training image is in exactly one part."""
    val_size = draw.draw(st.integers(0, num_images - 1))

    splits = sets.split(numbered(num_images), val_size=val_size)

    both = torch.cat([splits.train.labels, splits.val.labels])
    assert (num_images - val_size, val_size) == (len(splits.train), len(splits.val))
    assert list(range(num_images)) == both.sort().values.tolist()


@given(st.integers(1, 40), st.integers(0, 10))
def test_train_limit_takes_a_prefix_and_leaves_the_validation_images(limit: int, val_size: int):
    """A limited training set is the start of the whole one, beside the same validation set."""
    data = numbered(50)

    whole = sets.split(data, val_size=val_size)
    limited = sets.split(data, val_size=val_size, train_limit=limit)

    assert whole.train.labels[:limit].tolist() == limited.train.labels.tolist()
    assert whole.val.labels.tolist() == limited.val.labels.tolist()


def test_training_images_come_in_one_fixed_order(monkeypatch):
    """They are shuffled, and always in the same way: results of years apart compare."""
    monkeypatch.setattr(sets, "LOADERS", {"numbered": lambda _directory: numbered(50_000)})
    splits = sets.split(sets.load("numbered"), val_size=5_000)

    assert [36_044, 49_165, 37_807, 11_341] == splits.train.labels[:4].tolist()
    assert [19_260, 3_355, 49_230, 27_606] == splits.val.labels[:4].tolist()


def test_split_copies_nothing(synthetic):
    """The training images are held once: the parts are views, as batches need them."""
    splits = sets.split(synthetic, val_size=64, train_limit=500)

    whole = synthetic.train.pixels
    assert whole.data_ptr() == splits.train.pixels.data_ptr()
    assert whole[576:].data_ptr() == splits.val.pixels.data_ptr()
    assert splits.train.pixels.is_contiguous(memory_format=torch.channels_last)
    assert (500, 64) == (len(splits.train), len(splits.val))


def test_split_keeps_the_test_images(synthetic):
    """The test set passes through untouched."""
    assert synthetic.test is sets.split(synthetic, val_size=0).test


def test_split_of_the_official_set_keeps_classes_in_proportion(cifar10):
    """45,000 and 5,000 images by a plain shuffle: about 500 of each class validate."""
    splits = sets.split(cifar10, val_size=cifar10.val_size)

    counts = splits.val.labels.bincount(minlength=10)
    assert 45_000 == len(splits.train)
    assert 5_000 == counts.sum()
    assert 430 <= counts.min()
    assert 570 >= counts.max()


@pytest.mark.parametrize("val_size", [-1, 50, 51])
def test_an_impossible_validation_size_is_told_with_the_numbers(val_size: int):
    """At least one image must be left to train on."""
    with pytest.raises(
        UsageError, match=f"data.val_size {val_size} .* 50 training images.* 0 to 49"
    ):
        sets.split(numbered(50), val_size=val_size)


@pytest.mark.parametrize("limit", [-1, 0, 41])
def test_an_impossible_limit_is_told_with_the_numbers(limit: int):
    """No more training images can be had than are left beside the validation images."""
    message = f"data.train_limit {limit} .* 50 training images 10 validate, so it is 1 to 40"
    with pytest.raises(UsageError, match=message):
        sets.split(numbered(50), val_size=10, train_limit=limit)
