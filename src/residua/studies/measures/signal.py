"""How large signals and gradients are, layer by layer, in one step of training.

He 2015 holds that vanishing gradients are not what makes deep plain nets hard to train, for BN
keeps signals and gradients healthy; posts say the opposite.  Here both can be read off a net.
Source: he2015 §4.1.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from residua.data.images import Images
from residua.data.loaders import evaluation_batches
from residua.data.normalise import Normalisation
from residua.nets.build import Net, expected_gates
from residua.nets.parts import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One convolution, from the stem to the last unit's.

    Attributes:
        name: Its key in the net, such as ``units.3.branch.conv1``.
        response: Standard deviation of what it gives, behind its BN if one follows at once; before
            any ReLU or sum.
        gradient: Norm of the gradient of the batch's mean loss at its weights.
    """

    name: str
    response: float
    gradient: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit's output.

    Attributes:
        std: Standard deviation of all its values.
        gradient: Norm of the gradient of an image's own loss at the image's maps; mean over images.
        shrunk: Share of images whose gradient is smaller at the unit's input than at its output.
    """

    std: float
    gradient: float
    shrunk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A net's signals in one batch.

    Attributes:
        loss: Mean cross-entropy, in nats.
        layers: The convolutions in the order of execution, those on shortcuts left out.
        units: The units in the order of the plan.
    """

    loss: float
    layers: tuple[Layer, ...]
    units: tuple[Unit, ...]


def measure(net: Net, images: Images, normalisation: Normalisation) -> Signal:
    """Signals and gradients of a net on some images, taken as one batch of training.

    BN uses the batch's statistics, as at that moment of training; nothing is dropped, and branches
    count by their survival probability.

    Args:
        net: Any net; a copy of it is measured.
        images: One batch, not augmented.
        normalisation: The net's.
    """
    net = copy.deepcopy(net).train()
    replace(net, nn.Dropout, lambda _: nn.Identity())
    batches = evaluation_batches(
        images,
        batch_size=len(images),
        normalisation=normalisation,
        device=net.classifier.weight.device,
    )
    ((x, labels),) = batches
    convolutions = _convolutions(net)
    responses = _watch(net, convolutions)
    maps, losses = _forward(net, x, labels)
    losses.mean().backward()
    # Of the mean loss each image has 1/n, and its gradient too.
    gradients = [len(x) * _gradient(each).flatten(1).norm(dim=1) for each in maps]
    return Signal(
        loss=losses.mean().item(),
        layers=tuple(
            Layer(
                name=name,
                response=responses[name],
                gradient=_gradient(conv.weight).norm().item(),
            )
            for name, conv in convolutions.items()
        ),
        units=tuple(
            Unit(
                std=maps[index + 1].std().item(),
                gradient=gradients[index + 1].mean().item(),
                shrunk=(gradients[index] < gradients[index + 1]).double().mean().item(),
            )
            for index in range(len(net.units))
        ),
    )


def without_norms(net: Net) -> Net:
    """A copy of a net whose every BN does nothing: what its signals are like without.

    Of a net with fresh weights this is its BN-free twin at initialisation.  Weights that were
    trained with BN do not fit a net without it, so of a trained net it says little.
    """
    twin = copy.deepcopy(net)
    replace(twin, nn.BatchNorm2d, lambda _: nn.Identity())
    return twin


def _forward(
    net: Net, x: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"]
) -> tuple[list[Tensor], Float[Tensor, " n"]]:
    """The stem's and each unit's output, which will keep their gradients, and each image's loss."""
    maps = [net.stem(x)]
    for unit, gate in zip(net.units, expected_gates(net.plan), strict=True):
        maps.append(unit(maps[-1], gate))
    for each in maps:
        each.retain_grad()
    return maps, functional.cross_entropy(net.classify(maps[-1]), labels, reduction="none")


def _convolutions(net: Net) -> dict[str, nn.Conv2d]:
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and (name.startswith("stem.") or ".branch." in name)
    }


def _watch(net: Net, convolutions: dict[str, nn.Conv2d]) -> dict[str, float]:
    """A dictionary that the next forward pass fills with the responses' standard deviations."""
    responses: dict[str, float] = {}

    def record(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:  # noqa: ANN401 - torch's own
            responses[name] = output.detach().std().item()

        return hook

    following = _following(net)
    for name, conv in convolutions.items():
        after = following.get(name)
        watched = after if isinstance(after, nn.BatchNorm2d) else conv
        watched.register_forward_hook(record(name))
    return responses


def _following(net: Net) -> dict[str, nn.Module]:
    """What stands right behind each module in its chain."""
    found: dict[str, nn.Module] = {}
    for name, chain in net.named_modules():
        if isinstance(chain, nn.Sequential):
            children = list(chain.named_children())
            for (key, _), (_, after) in pairwise(children):
                found[f"{name}.{key}"] = after
    return found


def _gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
