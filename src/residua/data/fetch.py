"""Data sets fetched into a directory, and checked there."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from residua.data import cifar, listing, sets, svhn
from residua.data.download import SourceError, download
from residua.data.files import Place, Say, digest
from residua.errors import RunError


@dataclass(frozen=True, slots=True)
class Checked:
    """A file of a data set: the MD5 of what lies there, if that can be read, and if it is right."""

    name: str
    md5: str | None
    ok: bool


def check(name: str, directory: Path | None = None) -> list[Checked]:
    """Compare the files of a data set with their published checksums.

    The files are those that would be read or, where there are none, those that would be fetched.
    Those of a ``folder:PATH`` or ``imagenet:PATH`` have no checksum; they are right if they can be
    decoded.

    Args:
        name: A data set's name, as for `sets.load`; one that needs no file has none to check.
        directory: Where downloaded data lies; `sets.default_directory` if None.

    Raises:
        UsageError: If the name is unknown, or an optional package that it needs is missing.
        RunError: If a folder is not as it should be.
    """
    sets.check_name(name)
    directory = directory or sets.default_directory()
    if name.startswith((sets.FOLDER, sets.IMAGENET)):
        return _check_folder(name)
    return [_checked(place, directory) for place in _places(name, directory)]


def get(name: str, directory: Path | None = None, *, say: Say) -> list[Checked]:
    """Fetch what a data set lacks, and return the result of `check`, in which all is right.

    For a ``folder:PATH`` or ``imagenet:PATH`` there is nothing to fetch, be it right or not.

    Args:
        name: A data set's name.
        directory: Where it is put; `sets.default_directory` if None.
        say: Is told of progress.

    Raises:
        UsageError: If the name is unknown.
        RunError: If no source gives a file, it cannot be written, or files of other origin are
            damaged that would be read before it.
    """
    directory = directory or sets.default_directory()
    checked = check(name, directory)
    if name.startswith((sets.FOLDER, sets.IMAGENET)) or all(file.ok for file in checked):
        say(f"{name}: nothing to fetch")
        return checked
    forms = _forms(name, directory)
    ours = {place.path for form in forms for place in form}
    if others := {directory / file.name for file in checked if not file.ok} - ours:
        raise RunError(
            f"{min(others)} is damaged or missing, and the files beside it would be read before "
            f"what is fetched: remove them, then fetch again"
        )
    failures: list[str] = []
    for form in forms:
        try:
            for place in form:
                if not _checked(place, directory).ok:
                    download(place, say=say)
        except SourceError as error:
            failures.append(str(error))
        else:
            return check(name, directory)
    raise RunError(
        f"{'. '.join(failures)}.\nTry again later (a download goes on where it stopped), or put "
        f"the files into {directory} yourself."
    )


def _places(name: str, directory: Path) -> list[Place]:
    """Return the files that would be read, else those that would be fetched."""
    if name in svhn.FILES:
        return svhn.places(name, directory)
    if name not in cifar.BY_NAME:
        return []
    found = cifar.BY_NAME[name].find(directory)
    return found[1] if found else _forms(name, directory)[0]


def _forms(name: str, directory: Path) -> list[list[Place]]:
    """Return the forms in which a data set can be fetched, the preferred one first."""
    if name in svhn.FILES:
        return [svhn.places(name, directory)]
    versions = [cifar.BY_NAME[name].python]
    if importlib.util.find_spec("pyarrow") and importlib.util.find_spec("PIL"):
        versions.append(cifar.BY_NAME[name].parquet)
    return [version.targets(directory) for version in versions]


def _checked(place: Place, directory: Path) -> Checked:
    name = place.path.relative_to(directory).as_posix()
    md5 = _digest(place.path, "MD5")
    right = md5 if place.file.algorithm == "MD5" else _digest(place.path, place.file.algorithm)
    return Checked(name, md5, ok=right == place.file.checksum)


def _digest(path: Path, algorithm: str) -> str | None:
    try:
        return digest(path, algorithm)
    except OSError:
        return None


def _check_folder(name: str) -> list[Checked]:
    folders, root = sets.import_room("folders"), sets.folder_path(name)
    in_two = name.startswith(sets.IMAGENET)
    parts = listing.pair(root, "train", "val") if in_two else listing.train_and_test(root)
    return [
        Checked(path.relative_to(root).as_posix(), _digest(path, "MD5"), ok=ok)
        for part in parts
        for path, ok in folders.readable(part)
    ]
