"""CIFAR-10 and CIFAR-100: the official files, small made ones in every version, and broken ones."""

import hashlib
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from residua.data import cifar, pickled
from residua.data.images import Images, unfilled
from residua.data.normalise import mean_std
from residua.errors import RunError, UsageError

from .archives import as_parquet, as_png, as_records, publish, random_images
from .archives import pickle_as_python2 as to_pickle

BOTH = pytest.mark.parametrize("row", [cifar.CIFAR10, cifar.CIFAR100], ids=["10", "100"])
FORMS = pytest.mark.parametrize("form", ["python", "binary", "parquet"])


class Hostile:
    """Makes a directory when it is unpickled by `pickle`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_official_counts_and_classes(cifar10):
    """CIFAR-10 is 50,000 and 10,000 images in ten classes of equal size, 5,000 to validate."""
    assert (50_000, 3, 32, 32) == tuple(cifar10.train.pixels.shape)
    assert (10_000, 3, 32, 32) == tuple(cifar10.test.pixels.shape)
    assert [5_000] * 10 == cifar10.train.labels.bincount().tolist()
    assert [1_000] * 10 == cifar10.test.labels.bincount().tolist()
    assert 5_000 == cifar10.val_size
    assert "airplane automobile bird cat deer dog frog horse ship truck" == " ".join(
        cifar10.classes
    )


def test_official_first_images(cifar10):
    """The files are in order: a frog and two trucks first, and a cat first in the test set."""
    names = [cifar10.classes[label] for label in cifar10.train.labels[:5]]

    assert ["frog", "truck", "truck", "deer", "automobile"] == names
    assert [3, 8, 8, 0, 6] == cifar10.test.labels[:5].tolist()
    assert [59, 62, 63] == cifar10.train.pixels[0, :, 0, 0].tolist()
    assert [59, 43, 50] == cifar10.train.pixels[0, 0, 0, :3].tolist()


def test_official_mean_and_deviation(cifar10):
    """The training pixels have the mean and deviation that everyone prints."""
    mean, std = mean_std(cifar10.train, per_pixel=False)

    assert std is not None
    assert [0.4914, 0.4822, 0.4465] == [round(value, 4) for value in mean.tolist()]
    assert [0.2470, 0.2435, 0.2616] == [round(value, 4) for value in std.tolist()]


def test_official_classes_are_those_of_the_archive(cifar10, cifar10_dir: Path):
    """The names that we keep, so that every version has them, are those in ``batches.meta``."""
    meta = (cifar10_dir / "cifar-10-batches-py" / "batches.meta").read_bytes()

    names = pickled.read(bytearray(meta))[b"label_names"]  # pyright: ignore[reportIndexIssue]

    assert [name.decode() for name in names] == list(cifar10.classes)


def test_cifar100_has_a_hundred_classes_in_order():
    """The fine classes are numbered in the order of their names."""
    classes = cifar.CIFAR100.classes

    assert 100 == len(set(classes))
    assert sorted(classes) == list(classes)
    assert ("apple", "aquarium_fish", "crab", "worm") == (*classes[:2], classes[26], classes[-1])


def test_the_official_images_in_the_binary_version(cifar10, tmp_path: Path):
    """CIFAR-10 written as the binary version has that version's MD5s, and is read as it was."""
    version = cifar.CIFAR10.binary
    pieces = [*cifar10.train.parts([10_000] * 5), cifar10.test]
    for file, images in zip(version.files, pieces, strict=True):
        (tmp_path / file.name).write_bytes(as_records(images, 1))

    data = cifar.read(cifar.CIFAR10, tmp_path)

    for expected, found in ((cifar10.train, data.train), (cifar10.test, data.test)):
        assert torch.equal(expected.pixels, found.pixels)
        assert torch.equal(expected.labels, found.labels)


def test_official_images_in_a_table(cifar10):
    """Some of CIFAR-10's test images, written as the Hub keeps them, are read as they were."""
    images, _ = cifar10.test.parts([1_005, 8_995])
    found = unfilled(1_005)

    found.fill(cifar.CIFAR10.parquet.parse(as_parquet(images, "label")), num_classes=10)

    assert torch.equal(images.pixels, found.pixels)
    assert torch.equal(images.labels, found.labels)


@FORMS
@BOTH
def test_every_version_in_every_place_has_the_same_images(row, form: str, tmp_path: Path):
    """Folder, its inside and packed archive give the same images, and reading writes nothing."""
    made = publish(row, tmp_path, form=form)
    version: cifar.Version = getattr(made, form)
    num_train = 7 * len(row.python.train)
    num_classes = len(row.classes)
    before = sorted(tmp_path.rglob("*"))

    places = [
        tmp_path,
        tmp_path / version.folder,
        *([tmp_path / "packed"] if version.packed else []),
    ]
    sets = [cifar.read(made, place) for place in places]

    expected = (
        random_images(num_train, num_classes=num_classes, seed=1),
        random_images(7, num_classes=num_classes, seed=2),
    )
    assert before == sorted(tmp_path.rglob("*"))
    for data in sets:
        assert (row.name, row.classes, 5_000) == (data.name, data.classes, data.val_size)
        for images, found in zip(expected, (data.train, data.test), strict=True):
            assert torch.equal(images.pixels, found.pixels)
            assert torch.equal(images.labels, found.labels)


def test_the_python_version_comes_first(tmp_path: Path):
    """Of several versions in one directory the python version is read, even if only packed."""
    made = publish(cifar.CIFAR100, tmp_path, form="binary")
    python = publish(cifar.CIFAR100, tmp_path / "other").python
    assert python.packed
    packed = tmp_path / "other" / "packed" / python.packed.name
    packed.rename(tmp_path / packed.name)

    found = replace(made, python=python).find(tmp_path)

    assert found
    assert (python, [tmp_path / packed.name]) == (found[0], [place.path for place in found[1]])


def test_training_and_test_images_do_not_share_memory(tmp_path: Path):
    """Who keeps the test images alone does not keep the training images alive."""
    data = cifar.read(publish(cifar.CIFAR10, tmp_path), tmp_path)

    storages = {images.pixels.untyped_storage().data_ptr() for images in (data.train, data.test)}

    assert 2 == len(storages)


def test_missing_data_names_every_place_and_what_to_do(tmp_path: Path):
    """An empty directory's message has the three places, the command that fetches, the options."""
    with pytest.raises(RunError) as failure:
        cifar.read(cifar.CIFAR10, tmp_path)

    message = str(failure.value)
    for part in (
        f"{tmp_path}/cifar-10-batches-py/data_batch_1",
        f"{tmp_path}/data_batch_1",
        f"{tmp_path}/cifar-10-python.tar.gz",
        "`residua data get cifar10`",
        "--data-dir",
        "RESIDUA_DATA",
    ):
        assert part in message
    assert 2 == len(message.splitlines())


def test_a_missing_file_is_named(tmp_path: Path):
    """A folder without one of its files is no data set."""
    made = publish(cifar.CIFAR10, tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_4").unlink()

    with pytest.raises(RunError, match=r"CIFAR-10 cannot be read: .*data_batch_4'\nFetch it"):
        cifar.read(made, tmp_path)


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("python", "data_batch_3"),
        ("python", "test_batch"),
        ("binary", "data_batch_1.bin"),
        ("parquet", "train-00000-of-00001.parquet"),
    ],
)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit flipped"])
def test_a_damaged_file_is_named_with_both_checksums(
    form: str, name: str, damage: str, tmp_path: Path
):
    """A file that differs in one bit is refused before it is parsed."""
    made = publish(cifar.CIFAR10, tmp_path, form=form)
    version: cifar.Version = getattr(made, form)
    path = tmp_path / version.folder / name
    content = bytearray(path.read_bytes())
    match damage:
        case "truncated":
            del content[-1:]
        case "emptied":
            content.clear()
        case _:
            content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(RunError) as failure:
        cifar.read(made, tmp_path)

    (file,) = (file for file in version.files if file.name == name)
    kind, algorithm = ("SHA-256", "sha256") if form == "parquet" else ("MD5", "md5")
    found = hashlib.new(algorithm, content).hexdigest()
    message = str(failure.value)
    assert (
        f"{path} is corrupt or truncated: expected {kind} {file.checksum}, found {found}."
        in message
    )
    assert 2 == len(message.splitlines())


def test_a_damaged_archive_is_named_before_it_is_opened(tmp_path: Path):
    """A download that broke off is told by the archive's own MD5."""
    made = publish(cifar.CIFAR10, tmp_path)
    path = tmp_path / "packed" / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:-1])

    assert made.python.packed
    message = f"{path} is corrupt or truncated: expected MD5 {made.python.packed.checksum}"
    with pytest.raises(RunError, match=message):
        cifar.read(made, path.parent)


def test_a_damaged_member_is_named(tmp_path: Path):
    """The members of a sound archive are checked too."""
    made = publish(cifar.CIFAR100, tmp_path)
    expected = "0" * 32
    python = replace(made.python, test=replace(made.python.test, checksum=expected))

    with pytest.raises(
        RunError,
        match=f"cifar-100-python.tar.gz:cifar-100-python/test is .* expected MD5 {expected}",
    ):
        cifar.read(replace(made, python=python), tmp_path / "packed")


def test_a_hostile_pickle_is_not_executed(tmp_path: Path):
    """A pickle that would make a directory makes none, with the wrong MD5 and with the right."""
    target = tmp_path / "made"
    hostile = pickle.dumps(Hostile(target), protocol=2)
    made = publish(cifar.CIFAR10, tmp_path, data_batch_2=hostile)

    with pytest.raises(
        RunError, match=r"data_batch_2 has the right checksum but .* it names 'posix.mkdir"
    ):
        cifar.read(made, tmp_path)
    with pytest.raises(RunError, match="expected MD5 c99cafc"):
        cifar.read(cifar.CIFAR10, tmp_path)

    assert not target.exists()


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((7, 3071), [0] * 7, r"7 labels and data of \(7, 3071\), not rows of 3072"),
        ((6, 3072), [0] * 7, r"7 labels and data of \(6, 3072\)"),
        ((7, 3072), [0] * 8, r"8 labels and data"),
        ((6, 3072), [0] * 6, "it holds 6 images, not 7"),
        ((8, 3072), [0] * 8, "it holds 8 or more images, not 7"),
        ((7, 3072), [0, 1, 2, 3, 4, 5, 10], "a label is not one of 0 to 9"),
        ((7, 3072), [0, 1, 2, 3, 4, 5, -1], "a label is not one of 0 to 9"),
        ((7, 3072), [0, 1, 2, 3, 4, 5, b"6"], "a label is not a number"),
        ((7, 3072), b"0123456", "it holds no data with labels"),
        ((7 * 3072,), [0] * 7, "it is no uint8 matrix"),
    ],
)
@pytest.mark.parametrize("name", ["data_batch_5", "test_batch"])
def test_wrong_content_under_the_right_md5_is_told(
    name, shape, labels, message: str, tmp_path: Path
):
    """Shapes and labels are checked even when the MD5 is right."""
    data = torch.zeros(shape, dtype=torch.uint8)
    wrong = to_pickle({b"labels": labels, b"data": data})
    made = publish(cifar.CIFAR10, tmp_path, **{name: wrong})

    with pytest.raises(
        RunError, match=f"{name} has the right checksum but cannot be used: {message}"
    ):
        cifar.read(made, tmp_path)


def with_label(label: int) -> Images:
    """Return seven images, the third of another label."""
    images = random_images(7)
    images.labels[2] = label
    return images


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_records(random_images(7), 1)[:-1], "21510 bytes are no rows of 3073"),
        (as_records(random_images(6), 1), "it holds 6 images, not 7"),
        (as_records(with_label(10), 1), "a label is not one of 0 to 9"),
    ],
    ids=["truncated", "short", "label"],
)
def test_wrong_rows_are_told(content: bytearray, message: str, tmp_path: Path):
    """The binary version's length and labels are checked too."""
    made = publish(cifar.CIFAR10, tmp_path, form="binary", **{"data_batch_2.bin": content})

    with pytest.raises(RunError, match=rf"data_batch_2\.bin has .* cannot be used: {message}"):
        cifar.read(made, tmp_path)


def tables() -> dict[str, tuple[bytearray, str]]:
    """Return wrong tables by what is wrong with them, each with what is said about it."""
    images = random_images(7)
    pngs = [{"bytes": as_png(picture), "path": None} for picture in images.pixels]
    wide = [{"bytes": as_png(torch.zeros(3, 32, 33, dtype=torch.uint8)), "path": None}]
    broken = [{"bytes": as_png(images.pixels[0])[:100], "path": None}]
    good = as_parquet(images, "label")
    return {
        "no table": (bytearray(b"PAR1 but no more PAR1"), "it is no parquet table of images"),
        "truncated": (good[:-10], "it is no parquet table of images"),
        "no images": (as_parquet(images, "label", img=[1] * 7), "it is no parquet table"),
        "images as text": (
            as_parquet(images, "label", img=[{"bytes": "x", "path": "x"}] * 7),
            "its columns img and label are",
        ),
        "no labels": (as_parquet(images, "other"), "it is no parquet table of images"),
        "labels as text": (
            as_parquet(images, "label", label=["1"] * 7),
            "its columns img and label",
        ),
        "a label too large": (as_parquet(with_label(10), "label"), "a label is not one of 0 to 9"),
        "too few": (as_parquet(random_images(6), "label"), "it holds 6 images, not 7"),
        "too many": (as_parquet(random_images(12), "label"), "it holds 12 or more images, not 7"),
        "no bytes": (as_parquet(images, "label", img=[*pngs[:6], None]), "a value is missing"),
        "another size": (
            as_parquet(images, "label", img=wide + pngs[1:]),
            "has 33x32 pixels, not 32x32",
        ),
        "a broken image": (as_parquet(images, "label", img=broken + pngs[1:]), "it is damaged"),
        "no png": (
            as_parquet(images, "label", img=[{"bytes": b"GIF89a", "path": None}, *pngs[1:]]),
            "it is no PNG image",
        ),
    }


TABLES = tables()


@pytest.mark.parametrize("what", TABLES)
def test_wrong_tables_are_told(what: str, tmp_path: Path):
    """Whatever is wrong with a parquet file under the right SHA-256, it is told."""
    content, message = TABLES[what]
    made = publish(
        cifar.CIFAR10, tmp_path, form="parquet", **{"test-00000-of-00001.parquet": content}
    )

    with pytest.raises(RunError, match=f"test-00000-of-00001.parquet has .* used: .*{message}"):
        cifar.read(made, tmp_path)


@pytest.mark.parametrize("package", ["pyarrow", "PIL"])
def test_parquet_without_its_packages_says_how_to_get_them(
    package: str, monkeypatch, tmp_path: Path
):
    """The optional packages are named with the command that installs them."""
    made = publish(cifar.CIFAR10, tmp_path, form="parquet")
    for name in ("parquet", "decoding"):
        monkeypatch.delitem(sys.modules, f"residua.data.{name}", raising=False)
        monkeypatch.delattr(f"residua.data.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UsageError, match=r"pip install 'residua\[parquet\]'"):
        cifar.read(made, tmp_path)
