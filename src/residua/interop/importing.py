"""Other people's weights made ours: every tensor used once, or an error that says which is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from residua.arch.plan import plan
from residua.arch.spec import Spec
from residua.data import cifar, sets
from residua.data.normalise import ILSVRC_MEAN, ILSVRC_STD
from residua.errors import UsageError
from residua.interop.channels import in_our_order
from residua.interop.differences import why_not
from residua.interop.layouts import LAYOUTS, PROJECTS, Layout, Stats
from residua.interop.matching import Tensors, empty, hint, mismatch, shown, some, with_classes
from residua.interop.reading import read
from residua.nets.build import Meta, Net, build

Triple = tuple[float, float, float]
STATS: dict[Stats, tuple[Triple, Triple]] = {
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": (ILSVRC_MEAN, ILSVRC_STD),
}
# What images of a size, in so many classes, are unless it is said.
USUAL = {(32, 10): "cifar10", (32, 100): "cifar100", (224, 1000): "imagenet"}
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which weights a file holds.

    Attributes:
        net: Our name of the net.
        project: Whose layout they have, or ``auto``.
        data: What they were trained on; by default told from the number of classes.
        mean: Subtracted from pixels in 0…1, by channel; by default the project's.
        std: Divided by; by default the project's.
    """

    net: str
    project: str = AUTO
    data: str | None = None
    mean: Triple | None = None
    std: Triple | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A net with other people's weights, whose they are, and how many tensors they were."""

    net: Net
    project: str
    tensors: int


def import_weights(file: Path, source: Source) -> Imported:
    """Our net with the weights in somebody's file.

    Args:
        file: Safetensors, or what ``torch.save`` wrote; it is read without running anything in it.
        source: What it holds.

    Returns:
        The net in evaluation mode; ``net.meta`` has its normalisation and classes.

    Raises:
        UsageError: No such file, net or project; the project's net of this name is another one; or
            the tensors are not this net's: those left over, missing and of another shape are named.
        RunError: The file is damaged, or could be read only by running what it contains.
    """
    tensors = read(file)
    spec = with_classes(source.net, tensors)
    layout = _layout(source, spec, tensors)
    theirs = layout.present(tensors)
    if wrong := mismatch(layout, spec, theirs):
        raise UsageError(
            f"{file} does not hold {source.net} as {layout.project} lays it out: {wrong}"
            f"{hint(source.net, tensors)}"
        )
    net = build(spec)
    net.meta = _meta(source, layout, spec)
    state = net.state_dict()  # whose own count of batches, 0, stands in for one that is missing
    keys = {name: layout.key(name, net.plan) for name in state}
    state |= {name: theirs[key] for name, key in keys.items() if key in theirs}
    net.load_state_dict(in_our_order(state, spec, layout.order))
    return Imported(net.eval(), layout.project, len(tensors))


def _layout(source: Source, spec: Spec, tensors: Tensors) -> Layout:
    """The layout of a project that holds the net; of several, that of most of the tensors."""
    if source.project not in {AUTO, *PROJECTS}:
        raise UsageError(
            f"no layout is called {source.project!r}; there are {', '.join((*PROJECTS, AUTO))}"
        )
    asked = [layout for layout in LAYOUTS if source.project in {AUTO, layout.project}]
    holding = [layout for layout in asked if layout.holds(source.net)]
    if not holding:
        nets = ", ".join(net for layout in asked for net in layout.nets)
        why = why_not(source.project, source.net) or f"its nets are {nets}"
        raise UsageError(f"{source.project} has no {source.net}: {why}")
    ours = empty(spec)

    def known(layout: Layout) -> int:
        return len({layout.key(name, plan(spec)) for name in ours} & layout.present(tensors).keys())

    best = max(holding, key=known)
    if source.project == AUTO and not known(best):
        raise UsageError(
            f"nobody's {source.net} that is known here has tensors of these names: "
            f"{some(shown(tensors))}{hint(source.net, tensors)}"
        )
    return best


def _meta(source: Source, layout: Layout, spec: Spec) -> Meta:
    mean, std = STATS[layout.stats] if layout.stats else (None, None)
    mean, std = source.mean or mean, source.std or std
    if mean is None or std is None:
        raise UsageError(
            "the file does not say how its images were normalised: give --mean and --std, three "
            "numbers each for pixels in 0…1"
        )
    if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise UsageError("--mean takes numbers, and --std numbers above 0")
    if source.data and source.data != "imagenet":
        sets.check_name(source.data)
    data = source.data or USUAL.get((spec.image_size, spec.num_classes), "unknown")
    known = cifar.BY_NAME.get(data)
    classes = known.classes if known else tuple(map(str, range(spec.num_classes)))
    if len(classes) != spec.num_classes:
        raise UsageError(
            f"{data} has {len(classes)} classes, the net in the file {spec.num_classes}"
        )
    return Meta(
        net=source.net,
        data=data,
        classes=classes,
        mean=torch.tensor(mean),
        std=torch.tensor(std),
        image_size=spec.image_size,
    )
