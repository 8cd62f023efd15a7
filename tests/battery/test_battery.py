"""Battery: what must hold of any net, checked on every net that papers report."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from residua.arch import count, names
from residua.arch.plan import plan
from residua.arch.spec import DenseSpec, Doubling, Multiplicative, ResidualSpec, Spec
from residua.nets.build import Net, build

DEEP = 100  # units of a net that is only counted with the slow tests


def short(spec: Spec) -> Spec:
    """The first two units of every stage, and narrow: of each kind of net, one is left."""
    depths = tuple(min(depth, 2) for depth in spec.depths)
    narrow = 4 if spec.stem.kind == "imagenet" else 1
    stem = replace(spec.stem, width=spec.stem.width // narrow)
    if isinstance(spec, DenseSpec):
        return replace(spec, depths=depths, stem=stem, growth=12)
    widths = spec.widths
    if isinstance(widths, Doubling):
        widths = replace(widths, base=min(widths.base // narrow, 32))
    else:
        widths = replace(widths, alpha=4 if isinstance(widths, Multiplicative) else 24)
    return replace(spec, depths=depths, stem=stem, widths=widths)


SHORT = {short(names.spec(name)): name for name in reversed(names.NAMES)}


def side(spec: Spec) -> int:
    """Images just large enough for two pixels a side before the pooling."""
    return 64 if spec.stem.kind == "imagenet" else 8


def images(spec: Spec, n: int = 4) -> Tensor:
    """Random images for a net."""
    return torch.randn(n, spec.in_channels, side(spec), side(spec))


def settled(spec: Spec) -> Net:
    """A net from seed 0 with one batch's statistics.

    Those of a fresh net are no data's, and in evaluation a thousand layers overflow on them.
    """
    torch.manual_seed(0)
    net = build(spec).train()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = 1.0
    with torch.no_grad():
        net(images(spec), gates=[1.0] * len(net.units))
    for module in norms:
        module.momentum = 0.1
        module.num_batches_tracked.zero_()  # type: ignore[union-attr]
    return net


def check_shape(net: Net) -> None:
    """Images in, one logit a class out, all finite."""
    y = net.eval()(images(net.spec))
    assert (4, net.spec.num_classes) == y.shape
    assert y.isfinite().all()


def check_counts(net: Net) -> None:
    """Closed form and module agree: all parameters, those of BN, features of the classifier."""
    sizes = {key: weight.numel() for key, weight in net.named_parameters()}
    norms = sum(size for key, size in sizes.items() if ".norm" in key)
    assert count.params(net.spec) == sum(sizes.values())
    assert count.params_no_bn(net.spec) == sum(sizes.values()) - norms
    assert count.out_features(net.spec) == net.classifier.in_features


def check_evaluation_is_deterministic(net: Net) -> None:
    """The same images give the same logits, and change no statistics."""
    net.eval()
    x = images(net.spec)
    before = deepcopy(net.state_dict())
    assert net(x).equal(net(x))
    assert all(value.equal(before[key]) for key, value in net.state_dict().items())


def check_evaluation_is_independent_of_the_batch(net: Net) -> None:
    """An image's logits do not depend on what else is in its batch."""
    net.double().eval()
    x = images(net.spec, 3).double()
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]), rtol=1e-9, atol=1e-12)


def check_gradients(net: Net) -> None:
    """A step of training gives every parameter a finite gradient, not all of it zero."""
    net.train()
    labels = torch.arange(4) % net.spec.num_classes
    gates = [1.0] * len(net.units)  # no unit of stochastic depth sleeps here
    F.cross_entropy(net(images(net.spec), gates=gates), labels).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def check_training_moves_statistics(net: Net) -> None:
    """A step of training is seen once by every normalisation."""
    net.train()(images(net.spec), gates=[1.0] * len(net.units))
    seen = {key: value for key, value in net.state_dict().items() if key.endswith("_tracked")}
    assert seen
    assert all(value == 1 for value in seen.values())


def check_state_dict_round_trip(net: Net) -> None:
    """Another net of the same name, loaded with this one's tensors, is this net."""
    torch.manual_seed(1)
    other = build(net.spec)
    x = images(net.spec)
    net.train()(x)
    assert not net.eval()(x).equal(other.eval()(x))
    other.load_state_dict(net.state_dict(), strict=True)
    assert net(x).equal(other(x))


def check_a_step_in_bfloat16(net: Net) -> None:
    """Under autocast a step of SGD leaves finite weights; the first and the last layer move."""
    net.train()
    before = [weight.detach().clone() for weight in (net.stem.conv1.weight, net.classifier.weight)]  # type: ignore[union-attr,operator]
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images(net.spec))
        loss = F.cross_entropy(logits, torch.arange(4) % net.spec.num_classes)
    assert torch.bfloat16 == logits.dtype
    loss.backward()
    optimiser.step()
    assert all(weight.isfinite().all() for weight in net.parameters())
    assert not before[0].equal(net.stem.conv1.weight)  # type: ignore[arg-type]
    assert not before[1].equal(net.classifier.weight)


CHECKS = (
    check_shape,
    check_counts,
    check_evaluation_is_deterministic,
    check_evaluation_is_independent_of_the_batch,
    check_gradients,
    check_training_moves_statistics,
    check_state_dict_round_trip,
    check_a_step_in_bfloat16,
)


@pytest.mark.parametrize("spec", SHORT, ids=[f"short {name}" for name in SHORT.values()])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_short_net(spec: Spec, check: Callable[[Net], None]):
    """Two units a stage of every kind of net among the names pass every check."""
    check(settled(spec))


@pytest.mark.slow
@pytest.mark.parametrize("name", names.NAMES)
def test_net(name: str):
    """Every named net, whole, passes every check."""
    net = settled(names.spec(name))
    for check in CHECKS:
        check(deepcopy(net))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if len(plan(names.spec(name))) > DEEP else [])
        for name in names.NAMES
    ],
)
def test_what_is_built_is_what_is_counted(name: str):
    """The closed form of every named net, whole, agrees with the module."""
    with torch.device("meta"):
        check_counts(build(names.spec(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", names.NAMES)
def test_images_of_the_papers_size_fit(name: str):
    """A net takes the images that its paper trains with, and no pixel is left over at the end."""
    spec = names.spec(name)
    with torch.device("meta"):
        net = build(spec).eval()
        maps: list[torch.Size] = []
        net.head.register_forward_hook(lambda *call: maps.append(call[2].shape))
        logits = net(torch.empty(2, spec.in_channels, spec.image_size, spec.image_size))
    assert (2, spec.num_classes) == logits.shape
    last = 7 if spec.image_size == 224 else 8
    assert [(2, count.out_features(spec), last, last)] == maps


def test_the_short_nets_are_of_all_kinds():
    """Whatever named nets have in a field of their spec, a short net has as well."""
    whole = [names.spec(name) for name in names.NAMES]
    for kind in (ResidualSpec, DenseSpec):
        for field in fields(kind):
            if field.name not in {"depths", "growth", "stem", "widths"}:
                values = [
                    {getattr(spec, field.name) for spec in specs if isinstance(spec, kind)}
                    for specs in (whole, SHORT)
                ]
                assert values[0] == values[1], field.name
