"""Our nets among timm's: ``import residua.timm`` registers every net of the papers.

``timm.create_model("residua_cifar_wrn_28_10")`` then builds ``cifar/wrn-28-10``; what becomes of
other names, :func:`residua.arch.names.identifier` says.  The methods that timm's users expect are
those of :class:`residua.nets.build.Net`, which needs no timm.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from residua.arch import names, papers
from residua.arch.spec import Spec
from residua.data.normalise import ILSVRC_MEAN, ILSVRC_STD
from residua.errors import UsageError
from residua.nets.build import Net, create

__all__ = ["register"]  # timm adds the names that it knows

PREFIX = "residua_"
# Of all pixels of CIFAR-10's training images, to four digits.
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2470, 0.2435, 0.2616)

default_cfgs: dict[str, Any] = {}  # timm looks for them here


def register(name: str) -> str:
    """Let timm build a net by its name, which may be any that the grammar reads.

    Args:
        name: Our name of the net.

    Returns:
        Timm's name of it.

    Raises:
        UsageError: As :func:`residua.arch.names.spec`.
    """
    word = PREFIX + names.identifier(name)
    spec = names.spec(name)

    def entry(*, pretrained: bool = False, **arguments: Any) -> nn.Module:  # noqa: ANN401 - timm's and ours
        if pretrained:
            raise UsageError(
                f"there are no pretrained weights of {word}: checkpoint_path takes your own, the "
                f"model.safetensors of a run"
            )
        return build_model_with_cfg(
            partial(_net, name),
            word,
            pretrained,
            feature_cfg={"feature_cls": "hook", "out_indices": tuple(range(len(spec.depths)))},
            **arguments,
        )

    entry.__name__ = entry.__qualname__ = word
    entry.__doc__ = f"``residua.create({name!r})``, as timm builds it."
    default_cfgs.update(generate_default_cfgs({word: _config(name, spec)}))
    globals()[word] = register_model(entry)
    return word


def _net(name: str, *, num_classes: int, in_chans: int, **others: object) -> Net:
    """What timm finishes; of its other options, those that change nothing pass."""
    nothing = {"global_pool": ("avg",)}
    meaningful = sorted(
        key for key, value in others.items() if value not in nothing.get(key, (0, ""))
    )
    if meaningful:
        raise UsageError(
            f"nets of residua take num_classes, in_chans, features_only and out_indices, not "
            f"{', '.join(meaningful)}: all else is in a net's name"
        )
    net = create(name, num_classes=num_classes, in_channels=in_chans)
    net.in_chans = in_chans  # type: ignore[assignment] - torch expects modules alone there
    net.feature_info = _feature_info(net)  # type: ignore[assignment] - as above
    return net


def _feature_info(net: Net) -> list[dict[str, Any]]:
    """A row for each stage: its last maps, those of the last stage as they are pooled."""
    lasts = {row.stage: row for row in net.plan if row.shortcut != "transition"}
    start = 4 if net.spec.stem.kind == "imagenet" else 1
    return [
        {
            "num_chs": row.c_out,
            "reduction": start * 2 ** (stage - 1),
            "module": "head" if stage == len(lasts) else f"units.{row.index}",
        }
        for stage, row in lasts.items()
    ]


def _config(name: str, spec: Spec) -> dict[str, Any]:
    """What timm's data loaders and tables ask for; it has fields for no mean image."""
    imagenet = name.startswith("imagenet/")
    paper = papers.paper(names.entry(name).paper)
    return {
        "input_size": (spec.in_channels, spec.image_size, spec.image_size),
        "num_classes": spec.num_classes,
        "mean": ILSVRC_MEAN if imagenet else CIFAR_MEAN,
        "std": ILSVRC_STD if imagenet else CIFAR_STD,
        "crop_pct": 0.875 if imagenet else 1.0,
        "interpolation": "bilinear",
        "first_conv": "stem.conv1",
        "classifier": "classifier",
        "license": "mit",
        "paper_name": paper.title,
        "paper_ids": f"arXiv:{paper.arxiv}" if paper.arxiv else None,
    }


for _name in names.NAMES:
    register(_name)
