"""Whether somebody's tensors are a net of ours: what is left over, missing or of another shape."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

import torch
from torch import Tensor

from residua.arch import count, names
from residua.arch.plan import plan
from residua.arch.spec import Spec
from residua.errors import UsageError
from residua.interop.layouts import LAYOUTS, Layout
from residua.nets.build import build

Tensors = dict[str, Tensor]
# Of nets that people have weights of, besides those that papers report.
DEPTHS = (18, 20, 29, 32, 34, 44, 47, 50, 56, 101, 110, 121, 152, 161, 164, 169, 201, 272, 1001)
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
FEW = 3


def num_classes(tensors: Tensors) -> int | None:
    """The rows of the last matrix, which is the classifier's; None if there is no matrix."""
    matrices = [tensor for tensor in tensors.values() if tensor.dim() == 2]
    return len(matrices[-1]) if matrices else None


def with_classes(net: str, tensors: Tensors) -> Spec:
    """A named net with as many classes as some tensors have.

    Raises:
        UsageError: No net is called so.
    """
    spec = names.spec(net)
    return dataclasses.replace(spec, num_classes=num_classes(tensors) or spec.num_classes)


def empty(spec: Spec) -> Tensors:
    """A net's state dict without values."""
    with torch.device("meta"):
        return build(spec).state_dict()


def mismatch(layout: Layout, spec: Spec, tensors: Tensors) -> str:
    """What is unmatched, missing and of another shape, the first few of each; empty: nothing."""
    expected = {layout.key(name, plan(spec)): value for name, value in empty(spec).items()}
    unmatched = {key: value for key, value in tensors.items() if key not in expected}
    missing = {
        key: value
        for key, value in expected.items()
        if key not in tensors and not key.endswith("num_batches_tracked")  # old files lack it
    }
    different = [
        f"{key} {_size(tensors[key])} for {_size(value)}"
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    told = {
        "unmatched": shown(unmatched),
        "missing": shown(missing),
        "of another shape": different,
    }
    return "; ".join(f"{len(each)} {what} ({some(each)})" for what, each in told.items() if each)


def shown(tensors: Tensors) -> list[str]:
    """Names with shapes."""
    return [f"{key} {_size(tensor)}" for key, tensor in tensors.items()]


def some(texts: Collection[str]) -> str:
    """The first few of several texts."""
    return ", ".join([*list(texts)[:FEW], *(("…",) if len(texts) > FEW else ())])


def hint(net: str, tensors: Tensors) -> str:
    """Whose net the tensors fit, of all nets, or else which nets have as many parameters.

    Args:
        net: The one that was asked for; it and its family are preferred.
        tensors: Somebody's state dict.

    Returns:
        A line of its own, or nothing.
    """
    params = sum(t.numel() for key, t in tensors.items() if not key.endswith(BUFFERS))
    fitting: list[str] = []
    family = net.partition("-")[0]

    def likeness(name: str) -> tuple[bool, bool, str]:
        return (name != net, not name.startswith(family), name)

    for other in sorted({net} | _candidates(), key=likeness):
        try:
            spec = with_classes(other, tensors)
        except UsageError:  # no legal depth
            continue
        if count.params(spec) != params:
            continue
        for layout in LAYOUTS:
            if layout.holds(other) and not mismatch(layout, spec, layout.present(tensors)):
                return f"\nits tensors are those of {other} as {layout.project} lays it out"
        fitting.append(other)
    return f"\nits number of parameters is that of {' and '.join(fitting[:FEW])}" if fitting else ""


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"


def _candidates() -> set[str]:
    """The named nets, and at usual depths those that projects have besides."""
    patterns = [pattern for layout in LAYOUTS for pattern in layout.nets]
    return {
        *names.names(),
        *(re.sub("[DL]", str(depth), pattern) for pattern in patterns for depth in DEPTHS),
    }
