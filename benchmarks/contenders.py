"""The nets that are compared: pytorchcv's, as shipped and tuned, and ours as training runs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import roofline
from benchmarks.machine import CPU
from residua.arch import names
from residua.data import sets
from residua.interop.layouts import PYTORCHCV
from residua.nets.build import Net, create
from residua.runs.config import DataChoice, Run
from residua.training.loop import Fit, train_step
from residua.training.recipes import Augment, Budget, Recipe, Sgd, Steps
from residua.training.runtime import Runtime
from residua.training.train import prepare

SHIPPED, TUNED, OURS = "peer as shipped", "peer tuned", "ours"
LR = 0.01  # low enough for any of the nets on any images


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same net twice.

    Attributes:
        title: What the tables call it.
        ours: Our name of it.
        theirs: ``module.function`` in ``pytorchcv.models``.
    """

    title: str
    ours: str
    theirs: str


# Equal in function, as tests/peers shows; but the peer's PreResNet projects where channels change,
# in 2 of its 54 shortcuts (0.1 % of the multiply-adds), and ours carries as the paper's.
PAIRS = {
    pair.title: pair
    for pair in (
        Pair(title="ResNet-20", ours="cifar/resnet-20-b", theirs="resnet_cifar.resnet20"),
        Pair(title="ResNet-110", ours="cifar/resnet-110-b", theirs="resnet_cifar.resnet110"),
        Pair(
            title="PreResNet-110",
            ours="cifar/preresnet-110",
            theirs="preresnet_cifar.preresnet110",
        ),
        Pair(title="WRN-16-10", ours="cifar/wrn-16-10", theirs="wrn_cifar.wrn16_10"),
        Pair(
            title="DenseNet-BC-40-12",
            ours="cifar/densenet-bc-40-12",
            theirs="densenet_cifar.densenet40_k12_bc",
        ),
        Pair(
            title="DenseNet-BC-100-12",
            ours="cifar/densenet-bc-100-12",
            theirs="densenet_cifar.densenet100_k12_bc",
        ),
        Pair(
            title="PyramidNet-110-a48",
            ours="cifar/pyramidnet-110-a48",
            theirs="pyramidnet_cifar.pyramidnet110_a48",
        ),
    )
}


def peer(pair: Pair) -> nn.Module:
    """Pytorchcv's net for ten classes, with fresh weights, the same in every run."""
    torch.manual_seed(0)
    module, function = f"pytorchcv.models.{pair.theirs}_cifar10".rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}: make .venv/.stamp-peers installs the nets to compare") from None


def peer_step(net: nn.Module, batch: tuple[Tensor, Tensor], *, tuned: bool) -> Callable[[], None]:
    """A training step as their users write it.

    Tuned: in bf16 and channels_last, and on a GPU compiled, which is the custom there.
    """
    x, y = batch
    x = x.contiguous()
    net = net.to(x.device)
    if tuned:
        net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stub lacks it
        x = x.contiguous(memory_format=torch.channels_last)
    net.train()
    forward: Callable[[Tensor], Tensor] = torch.compile(net) if tuned and x.is_cuda else net
    optimiser = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=tuned):
            loss = functional.cross_entropy(forward(x), y)
        loss.backward()
        optimiser.step()

    return step


def our_state(name: str, *, batch_size: int, runtime: Runtime = CPU) -> Fit:
    """A run of ours before its first step, in bf16, on images that lie ready."""
    data = sets.load("synthetic")
    recipe = Recipe(
        name="benchmark",
        budget=Budget(length=1),
        batch_size=batch_size,
        optim=Sgd(lr=LR),
        schedule=Steps(at=()),
        augment=Augment(pad=0, flip=False),
        precision="bf16",
    )
    choice = DataChoice(name=data.name, val_size=data.val_size)
    state = prepare(Run(net=name, data=choice, recipe=recipe, seed=0), data, runtime)
    state.net.train()
    return state


def our_step(state: Fit) -> Callable[[], None]:
    """The training loop's own step, with all that belongs to it."""

    def step() -> None:
        train_step(state, LR)
        state.step += 1

    return step


def training_step(
    name: str, pair: Pair, batch_size: int, runtime: Runtime = CPU
) -> Callable[[], None]:
    """The step of one contender; both peers have one batch of ours for ever."""
    state = our_state(pair.ours, batch_size=batch_size, runtime=runtime)
    if name == OURS:
        return our_step(state)
    return peer_step(peer(pair), state.batches.batch(0), tuned=name == TUNED)


def described(pair: Pair, *, batch_size: int) -> dict[str, Any]:
    """Whose nets they are, and the work of a training step of ours."""
    work = roofline.training_step(names.spec(pair.ours), images=batch_size)
    return {
        "net": pair.title,
        "ours": pair.ours,
        "peer": pair.theirs,
        "batch_size": batch_size,
        "flops": work.flops,
        "bytes": work.bytes,
    }


def settle(net: nn.Module, x: Tensor) -> None:
    """Make a batch's statistics a fresh net's running ones; without any, deep nets overflow."""
    norms: list[Any] = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches: of this one
    with torch.no_grad():
        net.train()(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()


def ours_like(net: nn.Module, name: str) -> Net:
    """Our net with the tensors of pytorchcv's net that is equal to it in function."""
    layout = next(layout for layout in PYTORCHCV if layout.holds(name))
    ours = create(name)
    theirs = net.state_dict()
    ours.load_state_dict({key: theirs[layout.key(key, ours.plan)] for key in ours.state_dict()})
    return ours.eval()
