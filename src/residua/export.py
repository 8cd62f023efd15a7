"""Nets written for other programs: each file is run before it gets its name.

What a file takes and gives is the same in every format: normalised images [n, c, s, s] of any
number, float32, and logits [n, classes].  What images were trained on, how they are normalised and
which class is which travels in the file, as in the ``.json`` beside weights of ours.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from residua import weights
from residua.data.files import put_in_place
from residua.data.images import Images
from residua.data.listing import Files
from residua.data.loaders import evaluation_batches
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net
from residua.nets.fold import fold

Format = Literal["safetensors", "onnx", "pt2"]
Written = Callable[[Float[Tensor, "n c h w"]], Tensor]

OPSET = 18  # of ONNX: what torch writes without converting, and readers of 2023 know
TOLERANCE = 1e-4  # of the largest logit, or of 1
SHAPES = {"x": {0: "n"}}
NUM_IMAGES, NUM_NOISE, BATCH_SIZE = 1_000, 32, 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that computes what the net does.

    Attributes:
        format: Its format.
        max_abs_diff: The largest difference of a logit from the net's.
        file: Where it is.
        n: On how many images it was checked.
    """

    format: Format
    max_abs_diff: float
    file: Path
    n: int


def export(
    net: Net,
    file: Path,
    *,
    kind: Format,
    folded: bool = False,
    images: Images | Files | None = None,
) -> Exported:
    """Write a net for other programs, unless what was written computes something else.

    Args:
        net: A net with ``net.meta``, in evaluation mode, such as ``residua.load`` returns.
        file: Where to; its name ends as its format is called.
        kind: The format.
        folded: Whether BN becomes part of the convolutions before it.
        images: The first thousand of them serve as check; by default some noise.

    Raises:
        UsageError: These do not go together, the net is in training mode, or a package is missing.
        RunError: The check failed or the file cannot be written; what was there stays.
    """
    if file.suffix != f".{kind}":
        raise UsageError(f"--out {file} must end in .{kind}, as the format does")
    if folded and kind == "safetensors":
        raise UsageError("safetensors are weights of ours, which keep BN: --fold is for the others")
    meta = net.meta
    if meta is None:
        raise UsageError("the net has no trained weights: residua.load(PATH) returns one that has")
    if net.training:
        raise UsageError("the net is in training mode: call net.eval() first")
    batches = list(_batches(net, meta, images))
    try:
        with tempfile.TemporaryDirectory(
            dir=file.parent, prefix=f".{file.name}.", suffix=".part"
        ) as directory:
            part = Path(directory) / file.name
            written = WRITERS[kind](_plain(fold(net)) if folded else net, meta, part)
            difference = _difference(net, written, batches)
            for each in sorted(part.parent.iterdir(), key=part.__ne__):  # that one first
                put_in_place(each, file.with_name(each.name))
    except OSError as error:
        raise RunError(
            f"cannot write to {file}: {error.strerror or error}; give --out another place"
        ) from error
    num_images = sum(map(len, batches))
    return Exported(format=kind, max_abs_diff=difference, file=file, n=num_images)


def _batches(net: Net, meta: Meta, images: Images | Files | None) -> Iterator[Tensor]:
    """Normalised images; the first batch is of one, so that another number is tried."""
    size = (net.spec.in_channels, meta.image_size, meta.image_size)
    if images is None:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randint(256, (NUM_NOISE, *size), dtype=torch.uint8, generator=generator)
        images = Images(noise, torch.zeros(NUM_NOISE, dtype=torch.int64))
    elif net.spec.in_channels != 3:
        raise UsageError(f"the net takes {size[0]} channels, data sets have 3: leave --data out")
    some = images.take(torch.arange(min(NUM_IMAGES, len(images))))
    for x, _ in evaluation_batches(
        some, batch_size=BATCH_SIZE, normalisation=weights.normalisation(meta), device="cpu"
    ):
        yield x[:1]
        if len(x) > 1:
            yield x[1:]


def _difference(net: Net, written: Written, batches: list[Tensor]) -> float:
    """The largest difference of a logit.

    Raises:
        RunError: It is more than rounding.
    """
    with torch.inference_mode():
        right = torch.cat([net(x) for x in batches])
    found = torch.cat([written(x) for x in batches])
    difference = (found - right).abs().max().item()
    allowed = TOLERANCE * max(1, right.abs().max().item())
    if not difference <= allowed:  # true of NaN too
        raise RunError(
            f"the exported net computes something else: a logit differs by {difference:.2g}, where "
            f"rounding explains {allowed:.2g}; nothing was written"
        )
    return difference


def _safetensors(net: Net, meta: Meta, file: Path) -> Written:
    weights.save_weights(file, net, meta)
    return torch.inference_mode()(weights.load(file))


def _pt2(net: Net, meta: Meta, file: Path) -> Written:
    """Write what ``torch.export.load`` reads; ``residua.json`` in it says what it is."""
    description = json.dumps(_description(net, meta, file))
    torch.export.save(_program(net, meta), file, extra_files={"residua.json": description})
    return torch.no_grad()(torch.export.load(file).module())


def _onnx(net: Net, meta: Meta, file: Path) -> Written:
    """Write ``images`` to ``logits``; metadata of the model say what it is, each value as JSON."""
    try:
        import onnxruntime  # noqa: PLC0415 - an optional package
        import onnxscript  # noqa: F401, PLC0415 - torch's exporter needs it
    except ImportError as error:
        raise UsageError("the format onnx needs packages: pip install 'residua[export]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch to itself
        exported = torch.onnx.export(
            _program(net, meta),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=SHAPES,  # for the name alone
            verbose=False,
        )
    assert exported is not None, "dynamo's exporter returns a program"
    for key, value in _description(net, meta, file).items():
        exported.model.metadata_props[key] = json.dumps(value)
    exported.save(file, external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])


def _plain(net: Net) -> Net:
    """A net with its weights in the usual order, of which alone torch's files hold no views."""
    return net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload] - torch forgets it there


def _program(net: Net, meta: Meta) -> torch.export.ExportedProgram:
    """The operations of a net: torch's own alone, and for any number of images."""
    x = torch.zeros(2, net.spec.in_channels, meta.image_size, meta.image_size)
    with torch.enable_grad():  # without it, what a folded net does is the CPU's own
        program = torch.export.export(net, (x,), dynamic_shapes={"x": {0: torch.export.Dim("n")}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where on this machine the code lies
    return program


def _description(net: Net, meta: Meta, file: Path) -> dict[str, Any]:
    """What is told about our own weights, and how to make of pixels what the net takes."""
    whitening = weights.save_whitening(file, meta)
    steps = "x = pixels / 255 - mean" if meta.std is None else "x = (pixels / 255 - mean) / std"
    if whitening:
        steps = (
            "x = pixels - mean of the image; x = 55 x / length of x; x = (x - mean) @ whitening, "
            "the tensor in the .whitening.safetensors beside this file"
        )
    description = weights.description(net, meta, whitening=whitening)
    return {**description, "preprocessing": f"RGB pixels 0 to 255, [n, c, s, s]: {steps}"}


WRITERS: dict[Format, Callable[[Net, Meta, Path], Written]] = {
    "safetensors": _safetensors,
    "onnx": _onnx,
    "pt2": _pt2,
}
