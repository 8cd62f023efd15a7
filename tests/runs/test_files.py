"""Files that are whole or absent."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from residua.runs.files import write_atomically, write_json


def names(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return [path.name for path in directory.iterdir()]


def test_a_file_has_the_content_and_no_company(tmp_path: Path):
    """Every byte arrives; the temporary file is gone."""
    content = bytes(range(256)) * 300
    write_atomically(tmp_path / "weights.bin", content)
    assert content == (tmp_path / "weights.bin").read_bytes()
    assert ["weights.bin"] == names(tmp_path)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path):
    """A shorter content leaves nothing of a longer one."""
    (tmp_path / "file").write_bytes(b"a long content")
    write_atomically(tmp_path / "file", b"short")
    assert b"short" == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("old", [b"what was there", None], ids=["replacing", "new"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes | None
):
    """When the content cannot be put down, the old file stays and no part of the new one."""
    file = tmp_path / "record.json"
    if old is not None:
        file.write_bytes(old)

    def full(_descriptor: int):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(file, b"new")
    assert (errno.ENOSPC, str(file)) == (caught.value.errno, caught.value.filename)

    assert old == (file.read_bytes() if file.exists() else None)
    assert ([] if old is None else ["record.json"]) == names(tmp_path)


def test_the_content_is_on_the_disk_before_the_name_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Sync the file, rename it, sync its directory: a power cut never leaves an empty file."""
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(descriptor: int):
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("sync directory" if is_directory else "sync file")
        sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        assert b"content" == self.read_bytes()
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    write_atomically(tmp_path / "file", b"content")

    assert ["sync file", "rename", "sync directory"] == events


@pytest.mark.parametrize("place", ["absent/file", "occupied/file"])
def test_a_place_that_is_no_directory_is_an_os_error(tmp_path: Path, place: str):
    """Neither a missing directory nor a file in its stead is written to."""
    (tmp_path / "occupied").write_bytes(b"a file")
    with pytest.raises(OSError, match=r"occupied|absent"):
        write_atomically(tmp_path / place, b"content")
    assert ["occupied"] == names(tmp_path)
    assert b"a file" == (tmp_path / "occupied").read_bytes()


def test_json_is_readable_and_ends_its_line(tmp_path: Path):
    """A document comes back equal, on several lines."""
    document = {"net": "cifar/resnet-8", "error": 8.75, "val": None, "at": [1, 2]}
    write_json(tmp_path / "file.json", document)
    text = (tmp_path / "file.json").read_text()
    assert document == json.loads(text)
    assert text.endswith("}\n")
    assert text.count("\n") > len(document)


def test_json_has_no_nan(tmp_path: Path):
    """NaN is no JSON; a document with one leaves the old file alone."""
    (tmp_path / "file.json").write_text("{}")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert "{}" == (tmp_path / "file.json").read_text()
