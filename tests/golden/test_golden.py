"""Golden: weight files written today keep loading, and keep giving the same logits."""

import hashlib
import zlib
from typing import Any

import pytest
import torch
from torch import Tensor

from residua.arch import count, names
from residua.nets.build import Net, build

Golden = dict[str, dict[str, Any]]

NETS = (
    "cifar/plain-20",
    "cifar/resnet-20",
    "cifar/resnet-20-b",
    "cifar/resnet-20-c",
    "cifar/resnet-20+bn-after-addition",
    "cifar/resnet-20+gate-exclusive-6",
    "cifar/resnet-20+one-layer",
    "cifar/resnet-20+relu-only",
    "cifar/resnet-20+scale-0.5-1",
    "cifar/resnet-29-bottleneck",
    "cifar/preresnet-20",
    "cifar/preresnet-29-bottleneck",
    "cifar/sd-resnet-20",
    "cifar/wrn-16-1",
    "cifar/wrn-16-2-dropout",
    "cifar/wrn-16-1+b131",
    "cifar/densenet-22-4",
    "cifar/densenet-bc-22-4",
    "cifar/pyramidnet-20-a24",
    "cifar/pyramidnet-20-m4",
    "cifar/pyramidnet-20-a24+project",
    "cifar/pyramidnet-20-a24+unit-c",
    "cifar/pyramidnet-29-a24-bottleneck",
    "cifar/pyramidnet-104-a48-post",
    "imagenet/plain-18",
    "imagenet/resnet-18",
    "imagenet/resnet-18-a",
    "imagenet/resnet-50",
    "imagenet/preresnet-50-bottleneck",
    "imagenet/sd-resnet-50",
    "imagenet/wrn-18-1.5",
    "imagenet/wrn-50-2",
    "imagenet/densenet-121",
    "imagenet/pyramidnet-50-a100",
)


def uniform(key: str, shape: torch.Size) -> Tensor:
    """Numbers in [0, 1) that depend on key and position alone: integer hashing, no generator."""
    x = torch.arange(shape.numel()) + zlib.crc32(key.encode())
    for factor in (0x7FEB352D, 0x2C1B3C6D):
        x &= 0xFFFFFFFF
        x ^= x >> 16
        x = x * factor & 0xFFFFFFFF
    return (x.double() / 2**32).view(shape)


def fixed(key: str, like: Tensor) -> Tensor:
    """A value for one tensor of a state dict, of a size that keeps signals alive."""
    u = uniform(key, like.shape)
    if key.endswith("num_batches_tracked"):
        return torch.zeros_like(like, device="cpu")
    if like.dim() > 1:  # variance 2/fan
        return (u - 0.5) * (24 / like[0].numel()) ** 0.5
    if key.endswith((".weight", "running_var")):
        return 0.5 + u
    return 0.4 * (u - 0.5)


def empty(name: str) -> Net:
    """A net without values."""
    with torch.device("meta"):
        return build(names.spec(name)).double()


def expect(golden: Golden, name: str, key: str, actual: Any, *, accept: bool) -> Any:
    """What is written down for a net, or what is now being accepted as such."""
    if accept:
        golden.setdefault(name, {})[key] = actual
    return golden[name][key]


@pytest.mark.parametrize("name", NETS)
def test_keys_and_shapes_stay(name: str, golden: Golden, accept: bool):  # noqa: FBT001 - a fixture
    """A state dict has the same keys in the same order, and each tensor its shape."""
    tensors = empty(name).state_dict()
    lines = [f"{key} {tuple(tensor.shape)}\n" for key, tensor in tensors.items()]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert expect(golden, name, "tensors", len(lines), accept=accept) == len(lines)
    assert expect(golden, name, "keys", digest, accept=accept) == digest


def logits(name: str) -> list[list[float]]:
    """What a net of fixed weights makes of two fixed images, to six digits, four classes each."""
    net = empty(name)
    net.load_state_dict(
        {key: fixed(key, tensor) for key, tensor in net.state_dict().items()}, assign=True
    )
    side = 32 if name.startswith("imagenet/") else 16
    with torch.no_grad():
        out = net.eval()(4 * uniform("images", torch.Size((2, 3, side, side))) - 2)
    return [[float(f"{value:.6g}") for value in row] for row in out[:, :4].tolist()]


def costly(name: str) -> list[pytest.MarkDecorator]:
    """Nets that take their time only run with the slow tests."""
    return [pytest.mark.slow] if count.params(names.spec(name)) > 3_000_000 else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=costly(name)) for name in NETS])
def test_logits_stay(name: str, golden: Golden, accept: bool):  # noqa: FBT001 - a fixture
    """In evaluation, given weights and images give the logits that were written down."""
    actual = logits(name)
    expected = expect(golden, name, "logits", actual, accept=accept)
    for one, other in zip(expected, actual, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-7)


def test_nothing_else_is_expected(golden: Golden, accept: bool):  # noqa: FBT001 - a fixture
    """No net is forgotten in the list, and none left over in the file."""
    assert accept or sorted(NETS) == sorted(golden)
    assert len(NETS) == len(set(NETS))


def test_logits_tell_nets_apart():
    """A net of the same tensors but another function would be noticed."""
    assert logits("cifar/resnet-20") != logits("cifar/resnet-20+relu-before-addition")
    assert logits("cifar/resnet-29-bottleneck") != logits("cifar/resnet-29-bottleneck+stride-3x3")
