"""Weight files: tensors as safetensors, and beside them a JSON that says what they are.

What whitens the input is a file of its own beside them: thousands of numbers squared.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safe
from torch import Tensor

from residua.arch.spec import Spec
from residua.data.normalise import Normalisation
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, build
from residua.runs.config import spec_from_json, to_json
from residua.runs.files import write_atomically


def save_weights(path: Path, net: Net, meta: Meta) -> None:
    """Write ``path`` (safetensors) and, beside it, the same name with ``.json``.

    With whitening there is ``.whitening.safetensors`` too; the JSON has its SHA-256.

    Raises:
        UsageError: The net is a folded copy, or its layers are otherwise not those of its spec.
        OSError: The place cannot be written to.
    """
    tensors = {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}
    with torch.device("meta"):
        expected = build(net.spec).state_dict()
    if _shapes(tensors) != _shapes(expected):
        raise UsageError(
            "the layers are not those of the net's spec: save the net, not its folded copy"
        )
    whitening = save_whitening(path, meta)
    write_atomically(path, safe.save(tensors))
    # On one line: a mean per pixel is 3,072 numbers.
    text = json.dumps(description(net, meta, whitening=whitening))
    write_atomically(path.with_suffix(".json"), text.encode() + b"\n")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def description(net: Net, meta: Meta, *, whitening: str | None) -> dict[str, Any]:
    """What weights are, as JSON; ``whitening`` is what :func:`save_whitening` returned."""
    return {
        "net": meta.net,
        "data": meta.data,
        "spec": to_json(net.spec),
        "classes": list(meta.classes),
        "mean": meta.mean.tolist(),
        "std": None if meta.std is None else meta.std.tolist(),
        "whitening": whitening,
        "image_size": meta.image_size,
    }


def save_whitening(path: Path, meta: Meta) -> str | None:
    """Write what whitens the images beside ``path``, if they are; return its SHA-256.

    Raises:
        OSError: The place cannot be written to.
    """
    if meta.whitening is None:
        return None
    content = safe.save({"whitening": meta.whitening.cpu()})
    write_atomically(_whitening_file(path), content)
    return hashlib.sha256(content).hexdigest()


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
    try:
        net = _net(spec, safe.load_file(file))
    except Exception as error:  # noqa: BLE001 - a spec that nobody made can fail anywhere
        complaints = str(error).removeprefix("Error(s) in loading state_dict for Net:").strip()
        first = complaints.partition("\n")[0][:200]
        raise RunError(
            f"{file} is damaged or of another net than its .json says: {first}"
        ) from None
    net.meta = meta
    return net.eval()


def _net(spec: Spec, tensors: dict[str, torch.Tensor]) -> Net:
    """A net of these tensors, refused before there is room for one of another size."""
    num_units = sum(max(1, depth) for depth in spec.depths)
    if num_units > len(tensors):
        raise ValueError(f"{len(tensors)} tensors for {num_units} units")
    with torch.device("meta"):
        net = build(spec)
    net.to_empty(device="cpu").load_state_dict(tensors)
    return net


def normalisation(meta: Meta) -> Normalisation:
    """What is done to a net's images before it sees them."""
    return Normalisation(meta.mean, meta.std, meta.whitening)


def _description(file: Path) -> tuple[Spec, Meta]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        # Files of before there was whitening do not speak of it.
        whitening = content.get("whitening")
        meta = Meta(
            net=content["net"],
            data=content["data"],
            classes=tuple(content["classes"]),
            mean=torch.tensor(content["mean"], dtype=torch.float32),
            std=None if content["std"] is None else torch.tensor(content["std"]),
            whitening=None if whitening is None else _whitening(file, whitening),
            image_size=int(content["image_size"]),
        )
        spec = spec_from_json(content["spec"])
        _check_sizes(meta, c=spec.in_channels)
    except RunError as error:
        raise RunError(f"{file}: {error}") from None
    except (
        AttributeError,
        ArithmeticError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise RunError(f"{file} is damaged ({type(error).__name__}: {error!s:.200})") from None
    return spec, meta


def _check_sizes(meta: Meta, *, c: int) -> None:
    """Refuse a normalisation that is not of the images' size."""
    size = (c, meta.image_size, meta.image_size)
    square = (math.prod(size), math.prod(size))
    if not (
        meta.mean.shape in ({(c,), size} if meta.whitening is None else {size})
        and (meta.std is None or meta.std.shape == (c,))
        and (meta.whitening is None or meta.whitening.shape == square)
    ):
        raise RunError("mean, std or whitening is not of the images' size")


def _whitening_file(file: Path) -> Path:
    return file.with_suffix(".whitening.safetensors")


def _whitening(file: Path, digest: str) -> torch.Tensor:
    """The matrix that a description asks for, no other."""
    path = _whitening_file(file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path.name} beside it cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise RunError(f"{path.name} is damaged or belongs to other weights")
    return safe.load(content)["whitening"]
