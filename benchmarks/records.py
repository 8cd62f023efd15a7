"""Records of finished runs, one JSON file each, as ``records/`` keeps them: no weights.

python -m benchmarks.records add RUN_DIR… [--to FOLDER] [--at-once N]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from residua.errors import RunError, UsageError
from residua.runs.config import typed
from residua.runs.files import write_json
from residua.runs.records import CONTRACT, Record, RunDirectory
from residua.training.recipes import Recipe

RECORDS = Path(__file__).parents[1] / "records"


def warn(line: object) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"{line}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Record):
    """A run's record, and what belongs to it once the run's directory is gone.

    Attributes:
        commit: Of the code that trained it; None outside of a checkout.
        at_once: The most runs that shared the device while it trained: what its seconds are worth.
    """

    commit: str | None
    at_once: int = 1

    @property
    def file_name(self) -> str:
        """Net, data, recipe, epochs, seed, device and the run's key."""
        epochs = f"{self.epochs}-epochs"
        parts = (self.net, self.data["name"], self.recipe["name"], epochs, f"s{self.seed}")
        words = [re.sub(r"[^a-z0-9.+]+", "-", part.lower()) for part in (*parts, self.device)]
        return "--".join((*words, f"{self.key}.json"))

    @property
    def typed_recipe(self) -> Recipe:
        """The recipe as a value."""
        return cast("Recipe", typed(Recipe, self.recipe, what="recipe"))


def keep(place: Path, folder: Path, *, at_once: int | None = None) -> list[Path]:
    """Put the record of every finished run in or below a directory among the others.

    Args:
        place: The directory.
        folder: Of the records.
        at_once: The most runs that shared the device; None for what a record of the same run on
            the same device says already, or else 1.

    Raises:
        UsageError: There is none.
        RunError: A file of a run is damaged, or its record is of another contract version.
    """
    found = sorted(file.parent for file in place.rglob("record.json"))
    if not found:
        raise UsageError(f"{place} holds no finished run: record.json is missing")
    folder.mkdir(parents=True, exist_ok=True)
    known = {record.file_name: record.at_once for record in read(folder)}
    files: list[Path] = []
    for path in found:
        record = _typed(path / "record.json", Record)
        env = _json(path / "env.json")
        kept = Kept(**asdict(record), commit=env.get("commit"))
        kept = replace(kept, at_once=at_once or known.get(kept.file_name, 1))
        RunDirectory(path).run()  # the record of a run that cannot be read is not worth keeping
        files.append(folder / kept.file_name)
        write_json(files[-1], asdict(kept))
    return files


def read(folder: Path = RECORDS, *, told: Callable[[str], object] = warn) -> list[Kept]:
    """The records of a folder; one that cannot be read is told and left out."""
    found: list[Kept] = []
    for file in sorted(folder.glob("*.json")):
        try:
            found.append(_typed(file, Kept))
        except RunError as error:
            told(f"left out: {error}")
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{file} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise RunError(f"{file} cannot be read (it is no JSON object)")
    return cast("dict[str, Any]", content)


def _typed(file: Path, kind: type[Record]) -> Any:  # noqa: ANN401 - one of that kind
    content = _json(file)
    contract = content.get("contract")
    if contract != CONTRACT:
        raise RunError(f"{file} is of contract version {contract!r}, not {CONTRACT}")
    try:
        typed(Recipe, content.get("recipe"), what="recipe")
        return typed(kind, content, what="record")
    except RunError as error:
        raise RunError(f"{file} cannot be read ({error})") from None


def main(arguments: list[str] | None = None) -> int:
    """Add the records of some runs, and say where they lie now."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records")
    parser.add_argument("verb", choices=["add"])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="or one above it")
    parser.add_argument("--to", type=Path, default=RECORDS, metavar="FOLDER")
    at_once = "the most runs that shared the device; default: what a record says already, or 1"
    parser.add_argument("--at-once", type=int, metavar="N", help=at_once)
    options = parser.parse_args(arguments)
    try:
        for place in options.runs:
            for file in keep(place, options.to, at_once=options.at_once):
                sys.stdout.write(f"{file}\n")
    except (RunError, UsageError) as error:
        warn(error)
        return 1 if isinstance(error, RunError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
