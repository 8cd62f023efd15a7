"""Weight files: tensors as safetensors, and beside them a JSON that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from residua.arch.spec import Spec
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, build
from residua.runs.config import spec_from_json, to_json
from residua.runs.files import write_atomically


def save_weights(path: Path, net: Net, meta: Meta) -> None:
    """Write ``path`` (safetensors) and, beside it, the same name with ``.json``.

    Raises:
        OSError: The place cannot be written to.
    """
    tensors = {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}
    write_atomically(path, save(tensors))
    description = {
        "net": meta.net,
        "data": meta.data,
        "spec": to_json(net.spec),
        "classes": list(meta.classes),
        "mean": meta.mean.tolist(),
        "std": None if meta.std is None else meta.std.tolist(),
        "image_size": meta.image_size,
    }
    # On one line: a mean per pixel is 3,072 numbers.
    write_atomically(path.with_suffix(".json"), json.dumps(description).encode() + b"\n")


def load(path: str | Path) -> Net:
    """The net of a run directory or weights file of ours, in evaluation mode.

    Args:
        path: A run directory, or a ``.safetensors`` file with its ``.json`` beside it.

    Returns:
        The net; ``net.meta`` is the :class:`Meta` that its weights were saved with.

    Raises:
        UsageError: There are no weights at ``path``.
        RunError: The files are damaged or do not belong together.
    """
    file = Path(path) / "model.safetensors" if Path(path).is_dir() else Path(path)
    for needed in (file, file.with_suffix(".json")):
        if not needed.is_file():
            raise UsageError(f"no weights at {path}: {needed} does not exist")
    spec, meta = _description(file.with_suffix(".json"))
    net = build(spec)
    try:
        net.load_state_dict(load_file(file))
    except (SafetensorError, RuntimeError, OSError) as error:
        first = " ".join(str(error).split())[:200]
        raise RunError(
            f"{file} is damaged or of another net than its .json says: {first}"
        ) from None
    net.meta = meta
    return net.eval()


def _description(file: Path) -> tuple[Spec, Meta]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        meta = Meta(
            net=content["net"],
            data=content["data"],
            classes=tuple(content["classes"]),
            mean=torch.tensor(content["mean"], dtype=torch.float32),
            std=None if content["std"] is None else torch.tensor(content["std"]),
            image_size=content["image_size"],
        )
        return spec_from_json(content["spec"]), meta
    except RunError as error:
        raise RunError(f"{file}: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged: {error!r}") from None
