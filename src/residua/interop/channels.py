"""Channels in our order: some projects number those of the carried signal another way."""

from __future__ import annotations

from torch import Tensor

from residua.arch import layers
from residua.arch.layers import Layer
from residua.arch.plan import Unit, plan
from residua.arch.spec import Spec
from residua.interop.layouts import Order

Channels = list[int]  # for each channel of ours, which of theirs it is
Axes = dict[str, tuple[Channels, Channels]]  # of a module by name: its output's and its input's


def in_our_order(tensors: dict[str, Tensor], spec: Spec, order: Order) -> dict[str, Tensor]:
    """A state dict under our names with every axis of channels renumbered; its function stays.

    Args:
        tensors: The state dict; of the units, only branches may have any, as in all nets that are
            numbered another way.
        spec: The net.
        order: How its channels are numbered.
    """
    if order == "ours":
        return tensors
    axes = _axes(spec, order)
    return {key: _renumbered(tensor, key, axes) for key, tensor in tensors.items()}


def _axes(spec: Spec, order: Order) -> Axes:
    axes: Axes = {}
    stream = list(range(spec.stem.width))
    for row in plan(spec):
        after = _after(row, stream, order)
        grown = list(range(spec.growth)) if spec.kind == "dense" and row.stride == 1 else after
        branch = layers.unit(spec, row).branch
        axes |= _along(f"units.{row.index}.branch", branch, stream, grown)
        stream = after
    classifier = layers.classifier(spec)
    axes["classifier"] = (list(range(classifier.c_out)), stream)
    return axes | _along("head", layers.head(spec), stream, stream)


def _after(row: Unit, stream: Channels, order: Order) -> Channels:
    """The channels that leave a unit, from those that enter it."""
    added = row.c_out - row.c_in
    if row.shortcut == "pad" and order == "centred":
        before, behind = range(added // 2), range(added // 2 + row.c_in, row.c_out)
        return [added // 2 + channel for channel in stream] + [*before, *behind]
    if row.shortcut == "concat" and order == "newest first":
        return [added + channel for channel in stream] + list(range(added))
    return stream if row.shortcut == "identity" else list(range(row.c_out))


def _along(prefix: str, parts: tuple[Layer, ...], enters: Channels, leaves: Channels) -> Axes:
    """The channels at some layers in a row; between convolutions both orders are the same."""
    axes: Axes = {}
    convs = [layer for layer in parts if layer.kind == "conv"]
    here = enters
    for layer in parts:
        reads = here
        if layer.kind == "conv":
            here = leaves if layer is convs[-1] else list(range(layer.c_out))
        axes[f"{prefix}.{layer.name}"] = (here, reads)
    return axes


def _renumbered(tensor: Tensor, key: str, axes: Axes) -> Tensor:
    module = key.rpartition(".")[0]
    if module not in axes or not tensor.dim():
        return tensor
    leaves, enters = axes[module]
    return tensor[leaves][:, enters] if tensor.dim() > 1 else tensor[leaves]
