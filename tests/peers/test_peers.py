"""Peers: weights copied from other people's nets into ours give what theirs give."""

import importlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from residua.arch import count, names
from residua.arch.spec import Spec
from residua.nets.build import Net, build

from .conftest import EQUAL
from .layouts import LAYOUTS, Layout
from .table import PEERS, Peer

pytestmark = pytest.mark.peers

SMALL = 3_000_000  # parameters of a net whose gradients are compared as well
LARGE = 2_000_000_000  # multiply-adds an image of a net that float64 would take too long for
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
DIFFERENT = json.loads((Path(__file__).parent / "why_different.json").read_text("utf-8"))


def declared(theirs: str) -> nn.Module:
    """A peer's net without values: its initialisation would be overwritten here."""
    pytest.importorskip(
        theirs.split(".", maxsplit=1)[0], reason="its package is not installed (group peers)"
    )
    module, function = theirs.rsplit(".", 1)
    with torch.device("meta"):
        return getattr(importlib.import_module(module), function)()


def built(theirs: str, *, dtype: torch.dtype, fixed_pool: bool = False) -> nn.Module:
    """A peer's net, every tensor random and away from where training would start."""
    net = declared(theirs).to(dtype).to_empty(device="cpu")
    if fixed_pool:  # its 7×7 window is all that 224 pixels leave; smaller images leave less
        net.get_submodule("features").add_module("final_pool", nn.AdaptiveAvgPool2d(1))
    torch.manual_seed(0)
    for name, tensor in net.state_dict().items():
        if tensor.dim() > 1:  # convolutions, classifier
            nn.init.normal_(tensor, std=math.sqrt(2 / tensor[0].numel()))
        elif name.endswith(("running_var", "weight")):
            nn.init.uniform_(tensor, 0.2, 0.8)  # above 1, a thousand layers explode
        elif name.endswith("num_batches_tracked"):
            nn.init.zeros_(tensor)
        else:
            nn.init.normal_(tensor, std=0.2)
    return net


def copied(peer: nn.Module, spec: Spec, layout: Layout) -> tuple[Net, dict[str, str]]:
    """Our net with a peer's tensors, each used exactly once, and their key of each of ours."""
    with torch.device("meta"):
        net = build(spec)
    keys = {ours: layout.key(ours, net.plan) for ours in net.state_dict()}
    tensors = {key: tensor.clone() for key, tensor in peer.state_dict().items()}
    assert sorted(tensors) == sorted(keys.values())
    ours = {name: tensors[theirs] for name, theirs in keys.items()}
    # A classifier may be kept as a 1×1 convolution.
    ours["classifier.weight"] = ours["classifier.weight"].flatten(1)
    net.load_state_dict(ours, assign=True)
    return net, keys


def difference(expected: Tensor, actual: Tensor) -> float:
    """The largest difference in proportion to the largest value."""
    assert expected.isfinite().all()
    return ((expected - actual).abs().max() / expected.abs().max()).item()


def close(expected: Tensor | None, actual: Tensor | None) -> None:
    """Fail where two tensors, or gradients that must be there, differ."""
    assert expected is not None
    assert actual is not None
    assert difference(expected, actual) <= TOLERANCE.get(expected.dtype, 0)


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_equal_in_function(peer: Peer, record_property):
    """Logits in evaluation and in training, statistics, and of small nets all gradients."""
    side = 32 if "cifar" in peer.theirs else 64  # pytorchcv's CIFAR nets take no other
    large = count.macs(peer.spec, image_size=side) > LARGE
    dtype = torch.float32 if large else torch.float64
    theirs = built(peer.theirs, dtype=dtype, fixed_pool=peer.fixed_pool)
    ours, keys = copied(theirs, peer.spec, LAYOUTS[peer.layout])
    inputs = [torch.randn(2, 3, side, side, dtype=dtype) for _ in range(2)]
    inputs[1].copy_(inputs[0])
    with torch.no_grad():
        close(theirs.eval()(inputs[0]), ours.eval()(inputs[1]))
    small = count.params(peer.spec) < SMALL
    with torch.set_grad_enabled(small):
        logits = [
            net.train()(x.requires_grad_(small))
            for net, x in zip((theirs, ours), inputs, strict=True)
        ]
    close(*logits)
    for name, buffer in ours.named_buffers():
        close(theirs.get_buffer(keys[name]), buffer)
    if small:
        for result in logits:
            result.backward(torch.linspace(-1, 1, result.numel(), dtype=dtype).view_as(result))
        close(*(x.grad for x in inputs))
        for name, weight in ours.named_parameters():
            close(theirs.get_parameter(keys[name]).grad, weight.grad)
    record_property(EQUAL, peer.theirs)


@pytest.mark.parametrize("row", DIFFERENT, ids=lambda row: row["theirs"])
def test_why_a_peer_of_the_same_name_is_another_net(row: dict[str, Any]):
    """Its count differs from the paper's net, or its tensors, or what it computes with the same."""
    spec = names.spec(row["ours"])
    params = sum(weight.numel() for weight in declared(row["theirs"]).parameters())
    assert row["params_theirs"] == params
    assert row["params_ours"] == count.params(spec)
    if row["params_theirs"] != row["params_ours"]:
        return
    known = next(other for other in PEERS if other.theirs == row["theirs"])
    peer = built(row["theirs"], dtype=torch.float64)
    theirs, _ = copied(peer, known.spec, LAYOUTS[known.layout])
    ours = build(replace(spec, num_classes=known.classes))
    tensors = theirs.state_dict()
    if set(tensors) == set(ours.state_dict()):
        ours.load_state_dict(tensors)
        x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
        with torch.no_grad():
            assert difference(theirs.eval()(x), ours.double().eval()(x)) > 1e-3


def test_enough_nets_are_compared():
    """The table holds at least 45 nets, none twice."""
    assert len({peer.theirs for peer in PEERS}) == len(PEERS) >= 45
