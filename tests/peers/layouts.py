"""Where other people's modules keep the tensors that our state dicts name.

A layout is a table from our names to theirs.  Unit tables are relative to the unit; in the
prefixes and names, ``{stage}`` and ``{place}`` count from 1 (``{stage0}`` and ``{place0}`` from 0),
``{next}`` is the stage that a transition leads to, and ``{n}`` is the number that ends our name.
"""

import re
from dataclasses import dataclass, field

from residua.arch.plan import Unit


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Names of one project's module: outside the units, of a unit, of a transition."""

    outside: dict[str, str]
    unit: str
    parts: dict[str, str]
    transition: str = ""
    transition_parts: dict[str, str] = field(default_factory=dict)

    def key(self, ours: str, rows: tuple[Unit, ...]) -> str:
        """Their key of a tensor of ours, such as ``units.3.branch.conv1.weight``."""
        module, tensor = ours.rsplit(".", 1)
        if not module.startswith("units."):
            return f"{self.outside[module]}.{tensor}"
        _, index, name = module.split(".", 2)
        row = rows[int(index)]
        place = row.index - next(other.index for other in rows if other.stage == row.stage)
        ends = row.shortcut == "transition"
        prefix, parts = (
            (self.transition, self.transition_parts) if ends else (self.unit, self.parts)
        )
        general = re.sub(r"\d+$", "{n}", name)
        theirs = parts[name] if name in parts else parts[general]
        return f"{prefix}.{theirs}.{tensor}".format(
            stage=row.stage,
            stage0=row.stage - 1,
            next=row.stage + 1,
            place=place + 1,
            place0=place,
            n=name[len(general) - len("{n}") :],
        )


def pytorchcv(parts: dict[str, str], *, stem: str = "", norm: str = "") -> Layout:
    """A net of pytorchcv.

    Args:
        parts: Names in a unit.
        stem: What follows ``features.init_block`` in the name of its convolution.
        norm: The same for its BN.
    """
    return Layout(
        outside={
            "stem.conv1": f"features.init_block{stem}",
            "stem.norm1": f"features.init_block{norm}",
            "head.norm1": "features.post_activ.bn",
            "classifier": "output",
        },
        unit="features.stage{stage}.unit{place}",
        parts=parts,
        transition="features.stage{next}.trans{next}",
        transition_parts={"branch.conv1": "conv.conv", "branch.norm1": "conv.bn"},
    )


BODY = {"branch.conv{n}": "body.conv{n}.conv", "branch.norm{n}": "body.conv{n}.bn"}
RESNET = {**BODY, "carry.conv1": "identity_conv.conv", "carry.norm1": "identity_conv.bn"}
PREACT = {**BODY, "shared.norm1": "body.conv1.bn", "carry.conv1": "identity_conv"}
DENSE = {"branch.conv{n}": "conv{n}.conv", "branch.norm{n}": "conv{n}.bn"}

LAYOUTS: dict[str, Layout] = {
    "pytorchcv resnet": pytorchcv(RESNET, stem=".conv", norm=".bn"),
    "pytorchcv imagenet resnet": pytorchcv(RESNET, stem=".conv.conv", norm=".conv.bn"),
    "pytorchcv preresnet": pytorchcv(PREACT),
    "pytorchcv imagenet preresnet": pytorchcv(PREACT, stem=".conv", norm=".bn"),
    "pytorchcv densenet": pytorchcv({"branch.conv1": "conv.conv", "branch.norm1": "conv.bn"}),
    "pytorchcv densenet-bc": pytorchcv(DENSE),
    "pytorchcv imagenet densenet": pytorchcv(DENSE, stem=".conv", norm=".bn"),
    "pytorchcv pyramidnet": pytorchcv({**BODY, "branch.norm3": "bn"}, stem=".conv", norm=".bn"),
    "pytorchcv pyramidnet-bottleneck": pytorchcv(
        {**BODY, "branch.norm4": "bn"}, stem=".conv", norm=".bn"
    ),
    "torchvision resnet": Layout(
        outside={"stem.conv1": "conv1", "stem.norm1": "bn1", "classifier": "fc"},
        unit="layer{stage}.{place0}",
        parts={
            "branch.conv{n}": "conv{n}",
            "branch.norm{n}": "bn{n}",
            "carry.conv1": "downsample.0",
            "carry.norm1": "downsample.1",
        },
    ),
    "torchvision densenet": Layout(
        outside={
            "stem.conv1": "features.conv0",
            "stem.norm1": "features.norm0",
            "head.norm1": "features.norm5",
            "classifier": "classifier",
        },
        unit="features.denseblock{stage}.denselayer{place}",
        parts={"branch.conv{n}": "conv{n}", "branch.norm{n}": "norm{n}"},
        transition="features.transition{stage}",
        transition_parts={"branch.conv1": "conv", "branch.norm1": "norm"},
    ),
    "timm resnetv2": Layout(
        outside={"stem.conv1": "stem.conv", "head.norm1": "norm", "classifier": "head.fc"},
        unit="stages.{stage0}.blocks.{place0}",
        parts={
            "branch.conv{n}": "conv{n}",
            "branch.norm{n}": "norm{n}",
            "shared.norm1": "norm1",
            "carry.conv1": "downsample.conv",
        },
    ),
}
