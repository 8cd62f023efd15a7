"""Nets on the Hugging Face Hub, or in a folder such as one there: weights, checksums and a card.

``config.json`` has the SHA-256 of every other file, so that what was damaged or exchanged is found
before it is read.  Nothing is unpickled.  Offline (HF_HUB_OFFLINE=1), what was fetched before is
used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

from residua import weights
from residua.card import card
from residua.errors import RunError, UsageError
from residua.nets.build import Net
from residua.runs.config import typed
from residua.runs.files import write_atomically, write_json
from residua.runs.records import RunDirectory

CONFIG, CARD, RECORD = "config.json", "README.md", "record.json"
WEIGHTS = ("model.safetensors", "model.json")
FILES = (*WEIGHTS, "model.whitening.safetensors", RECORD, CARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    library_name: Literal["residua"]
    library_version: str
    files: dict[str, str]  # with the SHA-256 of each


def save_pretrained(
    source: Net | str | Path, directory: str | Path, *, licence: str = "mit", place: str = ""
) -> None:
    """Write a net as the Hub keeps it: its weights, their checksums and a card.

    Of data in a folder of yours, the kind is told, not the path.

    Args:
        source: A run directory, whose record goes onto the card; a weights file of ours; or a net
            with ``net.meta``.
        directory: Where to; what was there of an earlier net is replaced.
        licence: Of the weights, in the Hub's words: ``mit``, ``cc-by-4.0``.
        place: What the card says to load it by; by default the directory's name.

    Raises:
        UsageError: The source has no trained weights, or other classes than they tell apart; or
            files that are not ours would be replaced.
        RunError: The source is damaged, or the directory cannot be written to.
    """
    net, record = _read(source)
    meta = net.meta
    if meta is None or not 0 < len(meta.classes) == net.num_classes:
        raise UsageError(
            "the net has no trained weights, or lost its classes' names to reset_classifier: set "
            "net.meta to say what it was trained on"
        )
    meta = dataclasses.replace(meta, data=_public(meta.data))
    path = Path(directory)
    text = card(net, meta, record=record, licence=licence, place=place or path.name)
    try:
        path.mkdir(parents=True, exist_ok=True)
        _make_room(path)
        weights.save_weights(path / WEIGHTS[0], net, meta)
        if record is not None:
            write_json(path / RECORD, record)
        write_atomically(path / CARD, text.encode())
        files = {name: _sha256(path / name) for name in FILES if (path / name).exists()}
        config = _Config(library_name="residua", library_version=version("residua"), files=files)
        write_json(path / CONFIG, dataclasses.asdict(config))
    except OSError as error:
        raise RunError(f"cannot write to {path}: {error.strerror or error}") from None


def from_pretrained(source: str | Path, *, revision: str | None = None) -> Net:
    """The net of a folder or of a repository on the Hub, in evaluation mode.

    Args:
        source: A folder that :func:`save_pretrained` wrote, or a repository such as
            ``me/resnet-20``, which is fetched unless it was before.
        revision: The repository's branch, tag or commit.

    Returns:
        The net; ``net.meta`` says what its weights were trained on.

    Raises:
        UsageError: It is no folder and no repository's name, or the package huggingface_hub is
            missing.
        RunError: The Hub cannot be reached, or a file is damaged or was tampered with.
    """
    directory = Path(source) if Path(source).is_dir() else _fetched(str(source), revision)
    _check(directory)
    return weights.load(directory)


def push_to_hub(
    source: Net | str | Path, repository: str, *, licence: str = "mit", private: bool = False
) -> str:
    """Put a net into a repository on the Hub, which is made if there is none.

    Who you are, ``hf auth login`` or HF_TOKEN says.

    Args:
        source: As for :func:`save_pretrained`.
        repository: Such as ``me/resnet-20``.
        licence: Of the weights, in the Hub's words.
        private: Whether a new repository is.

    Returns:
        The repository's address.

    Raises:
        UsageError: As :func:`save_pretrained`; or it is no repository's name, or the package
            huggingface_hub is missing.
        RunError: As :func:`save_pretrained`; or the Hub cannot be reached, or refuses.
    """
    api = _package().HfApi()
    with tempfile.TemporaryDirectory() as directory:
        save_pretrained(source, directory, licence=licence, place=repository)
        try:
            url = api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository,
                folder_path=directory,
                commit_message="Weights, checksums and card",
                delete_patterns=list(FILES),
            )
        except Exception as error:  # noqa: BLE001 - of the network, in the classes of three packages
            raise _told(repository, error) from None
    return str(url)


def _read(source: Net | str | Path) -> tuple[Net, dict[str, Any] | None]:
    if isinstance(source, Net):
        return source, None
    record = RunDirectory(Path(source)).record()
    if record is not None:
        record["data"]["name"] = _public(record["data"]["name"])
    return weights.load(source), record


def _make_room(path: Path) -> None:
    """Remove an earlier net, and nothing else.

    Raises:
        UsageError: There are other files of these names.
    """
    there = [path / name for name in (CONFIG, *FILES) if (path / name).exists()]
    if there:
        try:
            _config(path)
        except RunError:
            raise UsageError(
                f"{there[0]} is not of hub.save_pretrained: choose a new folder"
            ) from None
    for file in there:
        file.unlink()


def _public(data: str) -> str:
    """What kind of data it is, without the path on somebody's machine."""
    return data.partition(":")[0]


def _config(directory: Path) -> _Config:
    """What lies in a folder, as we wrote it down.

    Raises:
        RunError: We did not, or it is damaged.
    """
    file = directory / CONFIG
    try:
        return cast("_Config", typed(_Config, json.loads(file.read_bytes()), what=CONFIG))
    except FileNotFoundError:
        raise RunError(f"{directory} holds no {CONFIG}: it is not of hub.save_pretrained") from None
    except (OSError, RunError, ValueError, RecursionError) as error:
        raise RunError(f"{file} is damaged ({error!s:.200}): get it again") from None


def _check(directory: Path) -> None:
    """Refuse a folder whose files are not those that were written.

    Raises:
        RunError: Says which is not.
    """
    config = _config(directory)
    if not set(WEIGHTS) <= config.files.keys() <= set(FILES):
        raise RunError(
            f"{directory / CONFIG} lists other files than hub.save_pretrained writes: get it again"
        )
    for name, expected in config.files.items():
        path = directory / name
        try:
            found = _sha256(path)
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): get it again") from None
        if found != expected:
            raise RunError(
                f"{path} is damaged or was tampered with: its SHA-256 is not that of {CONFIG}; "
                f"get it again"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetched(repository: str, revision: str | None) -> Path:
    try:
        path = _package().snapshot_download(
            repository, revision=revision, allow_patterns=[CONFIG, *FILES]
        )
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise _told(repository, error) from None
    return Path(path)


def _told(repository: str, error: Exception) -> UsageError | RunError:
    """What the Hub's package says, as a mistake of the user's or a failure, on one line."""
    if type(error).__name__ == "HFValidationError":
        return UsageError(
            f"{repository!r} is neither a folder nor the name of a repository, such as me/resnet-20"
        )
    first = " ".join(str(error).split()).partition(". ")[0]
    return RunError(f"the Hugging Face Hub and {repository}: {first:.200}")


def _package() -> ModuleType:
    try:
        import huggingface_hub  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise UsageError("the Hub needs a package: pip install 'residua[hub]'") from error
    return huggingface_hub
