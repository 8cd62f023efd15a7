"""Other people's weight files, read without running anything in them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from residua.errors import RunError, UsageError

WRAPPERS = ("state_dict", "net", "model")  # under which training scripts keep the weights
# Of nets inside DataParallel, of compiled ones, and of both in either order.
PREFIXES = ("module.", "_orig_mod.", "module.")


def read(file: Path) -> dict[str, Tensor]:
    """The state dict in a file of safetensors or of ``torch.save``, its keys without wrapping.

    Raises:
        UsageError: There is no such file.
        RunError: The file is damaged or truncated, holds no state dict, or could be read only by
            running what it contains.
    """
    if not file.is_file():
        raise UsageError(f"{file} does not exist")
    content = _content(file)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise RunError(f"{file} holds no state dict but what is of type {type(content).__name__}")
    others = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        kind = type(content[others[0]]).__name__
        raise RunError(f"{file} holds no state dict: {others[0]!r} is no tensor but of type {kind}")
    return _unprefixed({str(key): value for key, value in content.items()})


def _content(file: Path) -> object:
    with file.open("rb") as stream:
        safe = stream.read(9)[8:] == b"{"  # the header's length in eight bytes, then JSON
    try:
        if safe:
            return load_file(file)
        with warnings.catch_warnings(action="ignore"):  # about pickles that it then refuses
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - damage can break a reader anywhere
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise RunError(
                f"{file} was not read: besides tensors it holds {refused[1]}, and making "
                "that would run code from the file\n"
                "ask its author for the weights alone: torch.save(net.state_dict(), file)"
            ) from None
        reason = " ".join(str(error).split()).removeprefix("Weights only load failed. ")
        raise RunError(
            f"{file} is truncated, damaged or no weight file"
            f" ({type(error).__name__}{f': {reason[:100]}' if reason else ''})"
        ) from None


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors
