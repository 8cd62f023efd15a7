"""Where other people's nets keep their tensors: a table from our names to theirs, per project.

Found by reading the projects: akamaster/pytorch_resnet_cifar10, kuangliu/pytorch-cifar and
bearpaw/pytorch-classification at their last commits, pytorchcv 0.0.74, timm 1.0.31 and
torchvision 0.28.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor

from residua.arch.plan import Unit
from residua.arch.variations import NUMBER

Stats = Literal["cifar", "imagenet"]
Order = Literal["ours", "centred", "newest first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One kind of net of one project: which of ours it is, and their name of each tensor.

    In names, ``{stage}`` and ``{place}`` (in the stage) count from 1, ``{stage0}``, ``{place0}``
    and ``{index}`` (in the net) from 0; ``{next}`` is the stage that a transition leads to and
    ``{n}`` the number that our name ends in.  What a table leaves out has our name.

    Attributes:
        project: Whose nets these are.
        nets: Those of our names that the project's nets are equal to in function, with capitals
            for numbers; none: all.
        unit: What their names of a unit's tensors begin with.
        parts: Their names in a unit, by ours.
        transition: What their names of a transition's tensors begin with.
        transition_parts: Their names in a transition.
        outside: Their names of stem, head and classifier.
        stats: By whose mean and deviation the project normalises images.
        order: How their channels are numbered: like ours, where zeros are appended to a carried
            signal and a dense layer's channels to all before; with zeros on both sides; or with a
            dense layer's channels first.
        formerly: A pattern in the keys of older files, and what it has become.
    """

    project: str
    nets: tuple[str, ...] = ()
    unit: str
    parts: dict[str, str] = field(default_factory=dict[str, str])
    transition: str = ""
    transition_parts: dict[str, str] = field(default_factory=dict[str, str])
    outside: dict[str, str] = field(default_factory=dict[str, str])
    stats: Stats | None = None
    order: Order = "ours"
    formerly: tuple[str, str] | None = None

    def holds(self, net: str) -> bool:
        """Whether a net of ours is one of these."""
        return not self.nets or any(numbers(pattern, net) is not None for pattern in self.nets)

    def key(self, ours: str, rows: tuple[Unit, ...]) -> str:
        """Their key of a tensor of ours, such as ``units.3.branch.conv1.weight``."""
        module, tensor = ours.rsplit(".", 1)
        if not module.startswith("units."):
            return f"{self.outside.get(module, module)}.{tensor}"
        _, index, name = module.split(".", 2)
        row = rows[int(index)]
        place = row.index - next(other.index for other in rows if other.stage == row.stage)
        prefix, parts = self.unit, self.parts
        if row.shortcut == "transition" and self.transition:
            prefix, parts = self.transition, self.transition_parts
        general = re.sub(r"\d+$", "{n}", name)
        theirs = parts.get(name, parts.get(general, name))
        return f"{prefix}.{theirs}.{tensor}".format(
            index=row.index,
            stage=row.stage,
            stage0=row.stage - 1,
            next=row.stage + 1,
            place=place + 1,
            place0=place,
            n=name[len(general) - len("{n}") :],
        )

    def present(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a file, which may be older, under their keys of today."""
        if self.formerly is None:
            return tensors
        pattern, today = self.formerly
        return {re.sub(pattern, today, key): tensor for key, tensor in tensors.items()}


def numbers(pattern: str, net: str) -> dict[str, str] | None:
    """The numbers of a name by the capitals of a pattern, or None if it is another name."""
    regex = re.sub(r"[A-Z]", lambda found: f"(?P<{found[0]}>{NUMBER})", re.escape(pattern))
    match = re.fullmatch(regex, net, flags=re.ASCII)
    return match.groupdict() if match else None


STAGES = "layer{stage}.{place0}"
CONVS_AND_BNS = {"branch.conv{n}": "conv{n}", "branch.norm{n}": "bn{n}"}
DOWNSAMPLE = {**CONVS_AND_BNS, "carry.conv1": "downsample.0", "carry.norm1": "downsample.1"}
SHORTCUT = {**CONVS_AND_BNS, "carry.conv1": "shortcut.0", "carry.norm1": "shortcut.1"}
STEM = {"stem.conv1": "conv1", "stem.norm1": "bn1"}

AKAMASTER = Layout(
    project="akamaster",
    nets=("cifar/resnet-D", "cifar/resnet-D-b"),
    unit=STAGES,
    parts=SHORTCUT,
    outside={**STEM, "classifier": "linear"},
    stats="imagenet",
    order="centred",
)

TORCHVISION = (
    Layout(
        project="torchvision",
        nets=(
            *("imagenet/resnet-18", "imagenet/resnet-34"),
            *("imagenet/resnet-D+stride-3x3", "imagenet/wrn-50-2"),
        ),
        unit=STAGES,
        parts=DOWNSAMPLE,
        outside={**STEM, "classifier": "fc"},
        stats="imagenet",
    ),
    Layout(
        project="torchvision",
        nets=("imagenet/densenet-L",),
        unit="features.denseblock{stage}.denselayer{place}",
        parts={"branch.conv{n}": "conv{n}", "branch.norm{n}": "norm{n}"},
        transition="features.transition{stage}",
        transition_parts={"branch.conv1": "conv", "branch.norm1": "norm"},
        outside={
            "stem.conv1": "features.conv0",
            "stem.norm1": "features.norm0",
            "head.norm1": "features.norm5",
        },
        stats="imagenet",
        formerly=(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),
    ),
)

KUANGLIU = (
    Layout(
        project="kuangliu",
        nets=(
            *("imagenet/resnet-18+cifar-stem", "imagenet/resnet-34+cifar-stem"),
            "imagenet/resnet-D+cifar-stem+stride-3x3",
        ),
        unit=STAGES,
        parts=SHORTCUT,
        outside={**STEM, "classifier": "linear"},
        stats="cifar",
    ),
    Layout(
        project="kuangliu",
        nets=("imagenet/densenet-L+cifar-stem",),
        unit="dense{stage}.{place0}",
        parts=CONVS_AND_BNS,
        transition="trans{stage}",
        transition_parts={"branch.conv1": "conv", "branch.norm1": "bn"},
        outside={"stem.conv1": "conv1", "head.norm1": "bn", "classifier": "linear"},
        stats="cifar",
        order="newest first",
    ),
)

BEARPAW = (
    Layout(
        project="bearpaw",
        nets=("cifar/resnet-D-b", "cifar/resnet-D-bottleneck+stride-3x3"),
        unit=STAGES,
        parts=DOWNSAMPLE,
        outside={**STEM, "classifier": "fc"},
        stats="cifar",
    ),
    Layout(
        project="bearpaw",
        nets=("cifar/wrn-N-K", "cifar/wrn-N-K-dropout", "cifar/wrn-N-K+dropout-R"),
        unit="block{stage}.layer.{place0}",
        parts={**CONVS_AND_BNS, "shared.norm1": "bn1", "carry.conv1": "convShortcut"},
        outside={"stem.conv1": "conv1", "head.norm1": "bn1", "classifier": "fc"},
        stats="cifar",
    ),
    Layout(
        project="bearpaw",
        nets=(
            *("cifar/densenet-bc-L-K", "cifar/densenet-L-K+stem-2k"),
            "cifar/densenet-L-K+compressed+stem-2k",
        ),
        unit="dense{stage}.{place0}",
        parts=CONVS_AND_BNS,
        transition="trans{stage}",
        transition_parts=CONVS_AND_BNS,
        outside={"stem.conv1": "conv1", "head.norm1": "bn", "classifier": "fc"},
        stats="cifar",
    ),
)


def _pytorchcv(
    *nets: str, parts: dict[str, str], stats: Stats, stem: str = "", norm: str = ""
) -> Layout:
    """A kind of net of pytorchcv, with what follows ``features.init_block`` in its stem's names."""
    return Layout(
        project="pytorchcv",
        nets=nets,
        unit="features.stage{stage}.unit{place}",
        parts=parts,
        transition="features.stage{next}.trans{next}",
        transition_parts={"branch.conv1": "conv.conv", "branch.norm1": "conv.bn"},
        outside={
            "stem.conv1": f"features.init_block{stem}",
            "stem.norm1": f"features.init_block{norm}",
            "head.norm1": "features.post_activ.bn",
            "classifier": "output",
        },
        stats=stats,
    )


BODY = {"branch.conv{n}": "body.conv{n}.conv", "branch.norm{n}": "body.conv{n}.bn"}
RESNET = {**BODY, "carry.conv1": "identity_conv.conv", "carry.norm1": "identity_conv.bn"}
PREACT = {**BODY, "shared.norm1": "body.conv1.bn", "carry.conv1": "identity_conv"}
DENSE = {"branch.conv{n}": "conv{n}.conv", "branch.norm{n}": "conv{n}.bn"}
DENSE_BASIC = {"branch.conv1": "conv.conv", "branch.norm1": "conv.bn"}
PYRAMID = {**BODY, "branch.norm3": "bn"}
PYRAMID_BOTTLENECK = {**BODY, "branch.norm4": "bn"}

PYTORCHCV = (
    _pytorchcv(
        *("cifar/resnet-D-b", "cifar/resnet-D-bottleneck+stride-3x3"),
        parts=RESNET,
        stats="cifar",
        stem=".conv",
        norm=".bn",
    ),
    _pytorchcv(
        *("cifar/wrn-N-K", "cifar/preresnet-D-bottleneck+stride-3x3"),
        parts=PREACT,
        stats="cifar",
    ),
    _pytorchcv("cifar/densenet-L-K+compressed+stem-2k", parts=DENSE_BASIC, stats="cifar"),
    _pytorchcv("cifar/densenet-bc-L-K", parts=DENSE, stats="cifar"),
    _pytorchcv("cifar/pyramidnet-D-aA", parts=PYRAMID, stats="cifar", stem=".conv", norm=".bn"),
    _pytorchcv(
        "cifar/pyramidnet-D-aA-bottleneck",
        parts=PYRAMID_BOTTLENECK,
        stats="cifar",
        stem=".conv",
        norm=".bn",
    ),
    _pytorchcv(
        *("imagenet/resnet-D", "imagenet/resnet-D+stride-3x3"),
        parts=RESNET,
        stats="imagenet",
        stem=".conv.conv",
        norm=".conv.bn",
    ),
    _pytorchcv("imagenet/densenet-L", parts=DENSE, stats="imagenet", stem=".conv", norm=".bn"),
    _pytorchcv(
        "imagenet/pyramidnet-D-aA",
        parts=PYRAMID_BOTTLENECK,
        stats="imagenet",
        stem=".conv",
        norm=".bn",
    ),
)

RESIDUA = Layout(project="residua", unit="units.{index}")

LAYOUTS: tuple[Layout, ...] = (
    AKAMASTER,
    *TORCHVISION,
    *(replace(layout, project="timm") for layout in TORCHVISION),
    *PYTORCHCV,
    *KUANGLIU,
    *BEARPAW,
    RESIDUA,
)
PROJECTS = tuple(dict.fromkeys(layout.project for layout in LAYOUTS))
