"""A batch in parts: BN over groups of any size, dropout, and what is refused."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.errors import UsageError
from residua.nets.build import Net, create
from residua.nets.parts import GhostNorm, SharedDropout, SharedNorm, replace
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.training.batch_groups import share_out
from residua.training.loop import Fit
from residua.training.progress import Watcher
from residua.training.ranks import Ranks
from residua.training.train import train

MakeRun = Callable[..., Run]
Start = Callable[..., Fit]

CHANNELS = 3


class Meeting:
    """Threads that play ranks, and hand each other tensors."""

    def __init__(self, size: int):
        self.barrier = threading.Barrier(size, timeout=20)
        self.tensors = [torch.empty(0)] * size

    def gather(self, index: int) -> Callable[[Tensor], Tensor]:
        """Return the way in which one of them gathers."""

        def gather(tensor: Tensor) -> Tensor:
            self.tensors[index] = tensor
            self.barrier.wait()
            everyone = torch.stack(self.tensors)
            self.barrier.wait()
            return everyone

        return gather

    def run(self, task: Callable[[int], None]) -> None:
        """Let each do its task."""
        threads = [
            threading.Thread(target=task, args=(index,)) for index in range(len(self.tensors))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def norm(dtype: torch.dtype = torch.float64) -> nn.BatchNorm2d:
    """Return a BN layer in which no value is a special one."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.BatchNorm2d(CHANNELS, momentum=0.3, eps=1e-3, dtype=dtype)
    for name, tensor in layer.state_dict().items():
        if name != "num_batches_tracked":
            tensor.copy_(torch.rand(CHANNELS, generator=generator) + 0.5)
    return layer


def maps(*, channels_last: bool, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return eight images, far from normal, and the gradient of what becomes of them."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(8, CHANNELS, 5, 4, generator=generator) * 2 + torch.arange(8).view(-1, 1, 1, 1)
    grad = torch.randn(x.shape, generator=generator)
    order = torch.channels_last if channels_last else torch.contiguous_format
    return x.to(dtype, memory_format=order), grad.to(dtype, memory_format=order)


def results(layer: nn.Module, x: Tensor, grad: Tensor) -> dict[str, Tensor]:
    """Return a layer's output, gradients and statistics."""
    x = x.detach().requires_grad_()
    y = layer(x)
    y.backward(grad)
    return {"y": y, "x.grad": grad_of(x)} | after(layer)


def after(layer: nn.Module) -> dict[str, Tensor]:
    """Return a layer's gradients and statistics."""
    gradients = {f"{name}.grad": grad_of(p) for name, p in layer.named_parameters()}
    return gradients | dict(layer.named_buffers())


def grad_of(tensor: Tensor) -> Tensor:
    """Return the gradient that there must be."""
    assert tensor.grad is not None
    return tensor.grad


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("num_parts", [2, 4])
def test_parts_are_normalised_as_the_whole(num_parts: int, *, channels_last: bool):
    """Outputs, gradients and statistics of several parts are those of BN on all their images."""
    x, grad = maps(channels_last=channels_last)
    expected = results(norm(), x, grad)

    meeting = Meeting(num_parts)
    layers = [SharedNorm(norm(), gather=meeting.gather(index)) for index in range(num_parts)]
    found: list[dict[str, Tensor]] = [{}] * num_parts

    def task(index: int) -> None:
        part = slice(index * 8 // num_parts, (index + 1) * 8 // num_parts)
        found[index] = results(layers[index], x[part], grad[part])

    meeting.run(task)

    for name in ("y", "x.grad"):
        torch.testing.assert_close(torch.cat([part[name] for part in found]), expected[name])
    for name in ("weight.grad", "bias.grad"):
        torch.testing.assert_close(sum(part[name] for part in found), expected[name])
    for part in found:
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            torch.testing.assert_close(part[name], expected[name])


def test_parts_in_bf16_are_normalised_by_exact_statistics():
    """Inputs may be bf16 as under autocast; weights and statistics stay as they are."""
    x, grad = maps(channels_last=True, dtype=torch.bfloat16)
    expected = results(norm(torch.float32), x.float(), grad.float())
    layer = SharedNorm(norm(torch.float32), gather=lambda tensor: tensor[None])
    found = results(layer, x, grad)
    assert torch.bfloat16 == found["y"].dtype == found["x.grad"].dtype
    for name, value in expected.items():
        torch.testing.assert_close(found[name].to(value.dtype), value, rtol=0.02, atol=0.02)
    torch.testing.assert_close(found["running_var"], expected["running_var"])


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("num_groups", [2, 4, 8])
def test_ghost_groups_are_normalised_each_by_itself(num_groups: int, *, channels_last: bool):
    """Each group has its own mean and variance; the running ones take in the mean over groups."""
    x, grad = maps(channels_last=channels_last)
    like = norm()
    found = results(GhostNorm(norm(), num_groups=num_groups), x, grad)

    x = x.detach().requires_grad_()
    groups = x.view(num_groups, 8 // num_groups, CHANNELS, 5, 4)
    mean = groups.mean((1, 3, 4), keepdim=True)
    var = groups.var((1, 3, 4), keepdim=True, correction=0)
    shape = (CHANNELS, 1, 1)
    y = (groups - mean) / (var + 1e-3).sqrt() * like.weight.view(shape) + like.bias.view(shape)
    y.flatten(0, 1).backward(grad)
    unbiased = groups.var((1, 3, 4)).mean(0)
    expected = {
        "y": y.flatten(0, 1),
        "x.grad": grad_of(x),
        "weight.grad": grad_of(like.weight),
        "bias.grad": grad_of(like.bias),
        "running_mean": 0.7 * like.running_mean + 0.3 * mean.flatten(1).mean(0),
        "running_var": 0.7 * like.running_var + 0.3 * unbiased,
        "num_batches_tracked": torch.tensor(1),
    }
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize(
    "make",
    [
        lambda like: GhostNorm(like, num_groups=2),
        lambda like: SharedNorm(like, gather=lambda tensor: tensor[None]),
    ],
    ids=["ghost", "shared"],
)
def test_evaluation_knows_no_groups(make: Callable[[nn.BatchNorm2d], nn.BatchNorm2d]):
    """With running statistics it is plain BN, to the bit, and nothing is counted."""
    x, _ = maps(channels_last=True)
    layer = make(norm()).eval()
    assert norm().eval()(x).equal(layer(x))
    assert 0 == int(layer.num_batches_tracked)  # type: ignore[arg-type] - it tracks


@pytest.mark.parametrize("shape", [(8, 5), (8, 3, 6, 4)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_the_parts_of_a_mask_are_the_mask(shape: tuple[int, ...], *, channels_last: bool):
    """What several parts drop and keep is what dropout does to the whole, and so the gradients."""
    x = torch.rand(shape) + 1
    if channels_last and len(shape) == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    torch.manual_seed(3)
    whole = x.clone().requires_grad_()
    expected = functional.dropout(whole, 0.4)
    expected.sum().backward()

    parts = x.clone().requires_grad_()
    found = []
    for index, part in enumerate(parts.chunk(4)):
        torch.manual_seed(3)
        found.append(SharedDropout(0.4, index=index, count=4)(part))
    torch.cat(found).sum().backward()

    assert 0 < int((expected == 0).sum()) < expected.numel()
    assert expected.equal(torch.cat(found))
    assert grad_of(whole).equal(grad_of(parts))
    assert x.equal(SharedDropout(0.4, index=0, count=4).eval()(x))


def kinds(net: Net) -> set[type]:
    """Return the kinds of BN and dropout in a net."""
    return {type(m) for m in net.modules() if isinstance(m, nn.BatchNorm2d | nn.Dropout)}


@pytest.mark.parametrize(
    ("group", "count", "expected"),
    [
        (None, 1, {nn.BatchNorm2d, nn.Dropout}),
        (32, 1, {nn.BatchNorm2d, nn.Dropout}),
        (8, 1, {GhostNorm, nn.Dropout}),
        (None, 4, {SharedNorm, SharedDropout}),
        (16, 4, {SharedNorm, SharedDropout}),
        (8, 4, {nn.BatchNorm2d, SharedDropout}),
        (4, 4, {GhostNorm, SharedDropout}),
    ],
)
def test_layers_are_those_that_the_group_needs(
    make_run: MakeRun, group: int | None, count: int, expected: set[type]
):
    """Torch's own where a rank's part is a group, and nothing else of the net is touched."""
    net = create("cifar/wrn-10-1-dropout")
    before = net.state_dict()
    recipe = make_run(f"recipe.bn_group={group or 'null'}").recipe
    share_out(net, recipe, Ranks(count=count))
    assert expected == kinds(net)
    assert list(before) == list(net.state_dict())
    assert all(value.equal(net.state_dict()[name]) for name, value in before.items())
    if GhostNorm in expected:
        groups = {m.num_groups for m in net.modules() if isinstance(m, GhostNorm)}
        assert {32 // count // (group or 32)} == groups


@pytest.mark.parametrize(
    ("batch", "group", "count", "message"),
    [
        (32, 5, 1, r"bn_group 5 .* batch of 32 on one device: it is one of 1, 2, 4, 8, 16, 32$"),
        (32, 64, 1, r"bn_group 64 .* batch of 32 on one device"),
        (32, 12, 2, r"bn_group 12 .* batch of 32 on 2 devices: it is one of 1, 2, 4, 8, 16, 32$"),
        (36, 4, 6, r"bn_group 4 .* batch of 36 on 6 devices: it is one of 1, 2, 3, 6, 12, 18, 36$"),
        (32, 0, 1, r"bn_group 0 .* batch of 32 on one device"),
        (32, "null", 3, r"recipe\.batch_size 32 cannot be shared out over 3 devices: .* of 3$"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    make_run: MakeRun, batch: int, group: object, count: int, message: str
):
    """One line says what is possible."""
    run = make_run(f"recipe.batch_size={batch}", f"recipe.bn_group={group}")
    with pytest.raises(UsageError, match=message) as caught:
        share_out(create("cifar/resnet-8"), run.recipe, Ranks(count=count))
    assert "\n" not in str(caught.value)


def test_one_device_trains_in_ghost_groups(
    make_run: MakeRun, start: Start, directory: Callable[[Run], RunDirectory], data
):
    """A smaller group is another run with other weights, and the record says what it was."""
    runs = [make_run(*setting, epochs=1) for setting in ((), ("recipe.bn_group=8",))]
    states = [start(run) for run in runs]
    records = [
        train(state, data, directory(state.run, str(index)), Watcher())  # type: ignore[call-arg]
        for index, state in enumerate(states)
    ]
    assert [32, 8] == [record.bn_group for record in records]
    assert records[0].train_loss != records[1].train_loss
    assert GhostNorm in kinds(states[1].net)


def test_layers_inside_layers_are_replaced():
    """Wherever a layer of the kind lies; those of a derived kind stay."""
    tree = nn.Sequential(nn.Sequential(nn.Dropout(0.1)), nn.Dropout(0.2), nn.Dropout2d(0.3))
    replace(tree, nn.Dropout, lambda drop: nn.Threshold(drop.p, 0))
    assert [0.1, 0.2] == [m.threshold for m in tree.modules() if isinstance(m, nn.Threshold)]
    assert isinstance(tree[2], nn.Dropout2d)
