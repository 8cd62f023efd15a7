"""What a net says of an image, whole and with units left out, and where it looks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from residua import prediction, weights
from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.nets.build import Net
from residua.prediction import Prediction
from residua.studies.measures import lesions
from residua.studies.measures.saliency import grad_cam


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a net with units left out makes of an image.

    Attributes:
        now: All classes, the likeliest first.
        whole: What the whole net says, each class's probability by its name.
        pixels: The image as the net sees it.
        heat: What speaks in it for one class, in 0…1.
        looked_for: The class.
    """

    now: Prediction
    whole: dict[str, float]
    pixels: UInt8[Tensor, "c s s"]
    heat: Float[Tensor, "i j"]
    looked_for: str


def answer(
    net: Net, image: Path, *, gone: Iterable[int] = (), looked_for: str | None = None
) -> Answer:
    """Ask a net about an image with the branches of some units left out.

    Args:
        net: With ``net.meta``.
        image: The image's file.
        gone: Indices of the units.
        looked_for: The class that the heat speaks for; by default the likeliest.

    Raises:
        UsageError: The units cannot be left out, or the net takes no images.
        RunError: The file is no image, or is animated, or has too many pixels.
    """
    left = lesioned(net, lesions.without(net, gone))
    (given,) = prediction.look(net, image)
    meta, top = net.meta, net.spec.num_classes
    assert meta is not None
    (now,) = prediction.tell(left, [given], top=top)
    (whole,) = prediction.tell(net, [given], top=top)
    looked_for = looked_for or now.classes[0].name
    ((x, _),) = evaluation_batches(
        Images(given.pixels[None], torch.zeros(1, dtype=torch.int64)),
        batch_size=1,
        normalisation=weights.normalisation(meta),
        device=net.classifier.weight.device,
    )
    return Answer(
        now=now,
        whole={each.name: each.probability for each in whole.classes},
        pixels=given.pixels,
        heat=grad_cam(left, x, meta.classes.index(looked_for)),
        looked_for=looked_for,
    )


def lesioned(net: Net, variant: lesions.Variant) -> Net:
    """A copy of a net with a variant's units, each with its factor as its row's survival."""
    left = copy.deepcopy(net)
    left.plan = tuple(
        dataclasses.replace(net.plan[index], survival=gate) for index, gate in variant
    )
    left.units = nn.ModuleList(left.units[index] for index, _ in variant)
    return left
