"""A run as a value: net, data, recipe and seed, with canonical JSON, a key and ``--set``.

This is the border where JSON from outside becomes typed values, and the only user of pydantic.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from residua.arch.spec import Spec
from residua.errors import RunError, UsageError
from residua.training.recipes import Recipe

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChoice:
    """Which images a run sees.

    Attributes:
        name: The data set.
        val_size: Training images held back for validation.
        train_limit: Use only the first so many training images of a fixed shuffle.
        image_size: Width and height of the images, in pixels.
    """

    name: str
    val_size: int
    train_limit: int | None = None
    image_size: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that makes a run; equal runs give equal results on equal machines."""

    net: str
    data: DataChoice
    recipe: Recipe
    seed: int

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for this run."""
        content = json.loads(json.dumps(to_json(self)), parse_float=_number)
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def slug(self) -> str:
        """A name for the run's directory."""
        return f"{self.net}--{self.recipe.name}--s{self.seed}--{self.key}".replace("/", "-")


def to_json(value: Run | Spec) -> dict[str, Any]:
    """A run or spec as plain JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(value)))


def run_from_json(content: object) -> Run:
    """A run from what :func:`to_json` made.

    Raises:
        RunError: A key is unknown or missing, or a value has the wrong type.
    """
    return cast("Run", typed(Run, content, what="run"))


def spec_from_json(content: object) -> Spec:
    """A spec from what :func:`to_json` made.

    Raises:
        RunError: A key is unknown or missing, or a value has the wrong type.
    """
    return cast("Spec", typed(Spec, content, what="spec"))


def override(run: Run, assignments: tuple[str, ...]) -> Run:
    """A run with some ``path=value`` settings applied in turn, such as ``recipe.optim.lr=0.05``.

    Raises:
        UsageError: A path does not exist (the nearest is named), or a value does not fit it.
    """
    content = to_json(run)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set wants path=value, not {assignment!r}")
        settable = {
            path: place
            for path, place in _leaves(content).items()
            if path.startswith(("recipe.", "data.")) and path != "data.name"
        }
        if path not in settable:
            nearest = difflib.get_close_matches(path, settable, n=3, cutoff=0)
            raise UsageError(f"nothing is set by {path!r}; nearest: {', '.join(nearest)}")
        parent, name = settable[path]
        parent[name] = value = _value(text)
        if isinstance(value, dict):  # what it leaves out can be set after it, too
            with contextlib.suppress(RunError):
                content = to_json(run_from_json(content))
    try:
        return run_from_json(content)
    except RunError as error:
        raise UsageError(f"--set {' '.join(assignments)}: {error}") from None


def by_path(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value of nested dictionaries by its dotted path."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat |= by_path(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """The keys at which two dictionaries differ, with both values; None where one has no such."""
    return [
        (path, one.get(path), other.get(path))
        for path in dict.fromkeys([*one, *other])
        if one.get(path) != other.get(path)
    ]


def typed(kind: Any, content: object, *, what: str) -> object:  # noqa: ANN401 - a class or a union of classes
    """JSON from outside as a value of one of our types.

    Raises:
        RunError: A key is unknown or missing, or a value has the wrong type.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - keeps `list` instant

    try:
        return _adapter(kind).validate_python(content, extra="forbid")
    except ValidationError as error:
        raise RunError(f"not a {what} that can be read: {_first(error)}") from None


@functools.cache  # it takes longer to make than to use
def _adapter(kind: Any) -> TypeAdapter[object]:  # noqa: ANN401 - as above
    from pydantic import TypeAdapter  # noqa: PLC0415 - as above

    return TypeAdapter(kind)


def _leaves(content: dict[str, Any], prefix: str = "") -> dict[str, tuple[dict[str, Any], str]]:
    """Every dotted path, with the dictionary and key that it stands for."""
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for name, value in content.items():
        found[f"{prefix}{name}"] = (content, name)
        if isinstance(value, dict):
            found |= _leaves(cast("dict[str, Any]", value), f"{prefix}{name}.")
    return found


def _number(text: str) -> float:
    """64000.0 as 64000: the same number has one key, whichever way it was written."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _first(error: ValidationError) -> str:
    """The first complaint of a validation, as one line."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
