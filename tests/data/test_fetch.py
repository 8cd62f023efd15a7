"""Whole data sets fetched from a server on this machine, and checked."""

import hashlib
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch

from residua.data import cifar, download, fetch, sets, svhn
from residua.data.fetch import Checked
from residua.data.files import File
from residua.errors import RunError, UsageError

from .archives import as_matlab, publish, random_images
from .servers import Source, serving
from .test_folders import draw


def silent(_line: str) -> None:
    """Say nothing."""


def md5(content: bytes | bytearray) -> str:
    """Return the MD5 in hexadecimal digits."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits are short."""
    monkeypatch.setattr(download, "PAUSE_S", 0.0)


class Published:
    """A small CIFAR-10, its python archive and its tables, each ready to be served."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = publish(cifar.CIFAR10, tmp_path / "published")
        made = publish(made, tmp_path / "published" / "hub", form="parquet")
        self.row, self._patch = made, monkeypatch
        assert made.python.packed
        archive = tmp_path / "published" / "packed" / made.python.packed.name
        hub = tmp_path / "published" / "hub" / made.parquet.folder
        self.archive = Source(archive.read_bytes())
        self.tables = [Source((hub / file.name).read_bytes()) for file in made.parquet.files]

    def announce(self) -> None:
        """Let the tables of data sets say where the sources are."""
        python, parquet = self.row.python, self.row.parquet
        assert python.packed
        train, test = (
            replace(file, size=len(source.content), urls=(source.url,))
            for file, source in zip(parquet.files, self.tables, strict=True)
        )
        size = len(self.archive.content)
        packed = replace(python.packed, size=size, urls=(self.archive.url,))
        row = replace(
            self.row,
            python=replace(python, packed=packed),
            parquet=replace(parquet, train=(train,), test=test),
        )
        self._patch.setitem(cifar.BY_NAME, "cifar10", row)
        self.row = row


@pytest.fixture
def published(tmp_path: Path, monkeypatch):
    """A small CIFAR-10 that is served."""
    made = Published(tmp_path, monkeypatch)
    with serving(made.archive, *made.tables):
        made.announce()
        yield made


def test_an_archive_is_fetched_and_read(published, tmp_path: Path):
    """What was fetched is checked, read as it was published, and not fetched again."""
    checked = fetch.get("cifar10", tmp_path / "new", say=silent)
    again = fetch.get("cifar10", tmp_path / "new", say=silent)

    name = "cifar-10-python.tar.gz"
    assert [Checked(name, md5(published.archive.content), ok=True)] == checked == again
    assert 1 == len(published.archive.asked)
    data = cifar.read(published.row, tmp_path / "new")
    assert torch.equal(random_images(35, seed=1).pixels, data.train.pixels)


def test_what_is_there_is_not_fetched(published, tmp_path: Path):
    """A sound folder is enough."""
    said: list[str] = []

    checked = fetch.get("cifar10", tmp_path / "published", say=said.append)

    assert [f"cifar-10-batches-py/{file.name}" for file in published.row.python.files] == [
        file.name for file in checked
    ]
    assert all(file.ok for file in checked)
    assert ["cifar10: nothing to fetch"] == said
    assert [] == published.archive.asked


def test_an_unreachable_archive_is_replaced_by_tables(published, tmp_path: Path):
    """If no source has the archive, the Hub's tables are fetched, and are the same images."""
    published.archive.status = 503
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "cifar-10-python.tar.gz").write_bytes(published.archive.content[:99])

    checked = fetch.get("cifar10", tmp_path / "new", say=silent)

    assert [True, True] == [file.ok for file in checked]
    assert [
        "plain_text/train-00000-of-00001.parquet",
        "plain_text/test-00000-of-00001.parquet",
    ] == [file.name for file in checked]
    assert md5(published.tables[1].content) == checked[1].md5
    data = cifar.read(published.row, tmp_path / "new")
    assert torch.equal(random_images(35, seed=1).pixels, data.train.pixels)


@pytest.mark.parametrize("package", ["pyarrow", "PIL"])
def test_tables_are_not_fetched_where_they_cannot_be_read(
    package: str, published, tmp_path: Path, monkeypatch
):
    """Without its packages a table would be of no use."""
    published.archive.status = 404
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        fetch.importlib.util,
        "find_spec",
        lambda name: None if name == package else find_spec(name),
    )

    with pytest.raises(RunError, match=r"HTTP 404\.\nTry again later .* or put the files into"):
        fetch.get("cifar10", tmp_path / "new", say=silent)
    assert [[], []] == [table.asked for table in published.tables]


def test_every_form_fails_and_all_are_told(published, tmp_path: Path):
    """The message has the archive's and the tables' reasons, in two lines."""
    published.archive.status = 404
    published.tables[1].status = 500

    with pytest.raises(RunError) as failure:
        fetch.get("cifar10", tmp_path / "new", say=silent)

    message = str(failure.value)
    assert re.search(r"python\.tar\.gz could not .* HTTP 404\. test-0.* HTTP 500\.\n", message)
    assert f"put the files into {tmp_path}/new yourself" in message
    assert 2 == len(message.splitlines())


def test_a_truncated_archive_is_completed(published, tmp_path: Path):
    """A file that broke off elsewhere is a beginning."""
    directory = tmp_path / "new"
    directory.mkdir()
    (directory / "cifar-10-python.tar.gz").write_bytes(published.archive.content[:1_000])
    before = fetch.check("cifar10", directory)

    after = fetch.get("cifar10", directory, say=silent)

    assert [False] == [file.ok for file in before]
    assert [True] == [file.ok for file in after]
    assert ["bytes=1000-"] == published.archive.asked


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_a_damaged_folder_is_not_hidden_by_a_download(damage: str, published, tmp_path: Path):
    """What would be read before the archive must go first, and it is the user who removes it."""
    batch = tmp_path / "published" / "cifar-10-batches-py" / "data_batch_3"
    if damage == "damaged":
        batch.write_bytes(b"damaged")
    else:
        batch.unlink()

    with pytest.raises(RunError, match=f"{batch} is damaged or missing, .* read before .*remove"):
        fetch.get("cifar10", tmp_path / "published", say=silent)
    assert (damage == "damaged") == batch.exists()
    assert [] == published.archive.asked


def test_check_names_missing_and_damaged_files(published, tmp_path: Path):
    """Each file has the MD5 that was found, if any, and a verdict."""
    folder = tmp_path / "published" / "cifar-10-batches-py"
    (folder / "data_batch_2").write_bytes(b"damaged")
    (folder / "test_batch").unlink()

    checked = {file.name: file for file in fetch.check("cifar10", tmp_path / "published")}

    assert 6 == len(checked)
    damaged, missing = (
        checked[f"cifar-10-batches-py/{name}"] for name in ("data_batch_2", "test_batch")
    )
    assert (md5(b"damaged"), False) == (damaged.md5, damaged.ok)
    assert (None, False) == (missing.md5, missing.ok)
    assert 4 == sum(file.ok for file in checked.values())
    assert published.row.python.files[0].checksum in {file.md5 for file in checked.values()}


def test_check_of_nothing_names_what_would_be_fetched(tmp_path: Path):
    """An empty directory lacks the archive."""
    assert [Checked("cifar-100-python.tar.gz", None, ok=False)] == fetch.check("cifar100", tmp_path)
    assert ["svhn/train_32x32.mat", "svhn/extra_32x32.mat", "svhn/test_32x32.mat"] == [
        file.name for file in fetch.check("svhn", tmp_path)
    ]


def test_only_the_missing_files_of_svhn_are_fetched(tmp_path: Path, monkeypatch):
    """The house numbers are several files, each fetched if it is not there."""
    contents = [bytes(as_matlab(random_images(n, seed=n))) for n in (9, 6)]
    sources = [Source(content) for content in contents]
    said: list[str] = []
    (tmp_path / "test_32x32.mat").write_bytes(contents[1])
    with serving(*sources):
        files = tuple(
            File(f"{name}_32x32.mat", md5(content), number, len(content), (source.url,))
            for name, number, content, source in zip(
                ("train", "test"), (9, 6), contents, sources, strict=True
            )
        )
        monkeypatch.setattr(svhn, "FILES", {"svhn-small": files})

        checked = fetch.get("svhn-small", tmp_path, say=said.append)

    assert ["train_32x32.mat: verified"] == said
    assert ["svhn/train_32x32.mat", "test_32x32.mat"] == [file.name for file in checked]
    assert ([None], []) == (sources[0].asked, sources[1].asked)
    data = svhn.read("svhn-small", tmp_path)
    assert (9, 6) == (len(data.train), len(data.test))


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_sets_without_files_need_nothing(name: str, tmp_path: Path):
    """There is nothing to check and nothing to fetch."""
    said: list[str] = []

    assert [] == fetch.check(name, tmp_path)
    assert [] == fetch.get(name, tmp_path, say=said.append)
    assert [f"{name}: nothing to fetch"] == said


def test_a_folder_is_checked_by_decoding_it(tmp_path: Path):
    """All files that are no images, or cannot be read, are found, not only the first."""
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        draw(tmp_path / "set" / name, 7)
    (tmp_path / "set" / "a" / "2.png").write_bytes(b"no image")
    (tmp_path / "set" / "b" / "1.png").write_bytes(b"none either")
    (tmp_path / "set" / "b" / "3.png").symlink_to("nowhere")

    checked = fetch.check(f"folder:{tmp_path}/set")

    wrong = {"a/2.png": md5(b"no image"), "b/1.png": md5(b"none either"), "b/3.png": None}
    assert wrong == {file.name: file.md5 for file in checked if not file.ok}
    assert 5 == len(checked)


def test_a_folder_is_never_fetched(tmp_path: Path):
    """A folder of one's own has no source; what is damaged in it is told as `check` tells it."""
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        draw(tmp_path / "set" / name, 7)
    (tmp_path / "set" / "a" / "2.png").write_bytes(b"no image")

    checked = fetch.get(f"folder:{tmp_path}/set", say=silent)

    assert [1, 3] == [sum(file.ok is verdict for file in checked) for verdict in (False, True)]


@pytest.mark.parametrize("verb", ["check", "get"])
def test_an_unknown_name_is_told(verb: str):
    """As `load` tells it."""
    arguments = {} if verb == "check" else {"say": silent}

    with pytest.raises(UsageError, match="unknown data set 'cifar11': did you mean cifar10"):
        getattr(fetch, verb)("cifar11", **arguments)


def test_the_default_directory_is_used(published, tmp_path: Path, monkeypatch):
    """Without --data-dir, RESIDUA_DATA is the place."""
    monkeypatch.setenv("RESIDUA_DATA", str(tmp_path / "default"))

    fetch.get("cifar10", say=silent)

    assert (
        published.archive.content == (tmp_path / "default" / "cifar-10-python.tar.gz").read_bytes()
    )
    assert [True] == [file.ok for file in fetch.check("cifar10")]


PUBLISHED = {
    place.file
    for name in ("cifar10", "cifar100", "svhn", "svhn-small")
    for form in fetch._forms(name, Path())
    for place in form
}


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: f"{file.name} {file.checksum[:4]}")
def test_every_file_has_encrypted_sources_of_that_name(file: File):
    """Sources are https, by the file's name, on different hosts, and the size is known."""
    parts = [urlsplit(url) for url in file.urls]

    assert parts
    assert {"https"} == {part.scheme for part in parts}
    assert {file.name} == {part.path.rpartition("/")[2] for part in parts}
    assert len(parts) == len({part.netloc for part in parts})
    assert file.size > 20_000_000


def test_every_name_can_be_checked(tmp_path: Path):
    """No data set is forgotten when one is added."""
    for name in sets.names():
        assert isinstance(fetch.check(name, tmp_path), list)


@pytest.mark.net
@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: f"{file.name} {file.checksum[:4]}")
def test_the_real_sources_begin_to_send_the_file(file: File):
    """Each source answers with a part of a file of the right size."""
    for url in file.urls:
        with download._open(url, file.size - 100) as response:
            assert file.size - 100 == download._start(response, file.size - 100, file)
            assert 100 == len(response.read())
