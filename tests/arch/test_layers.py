"""Layers: what stands in a unit for every order, and where stem and head take over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from residua.arch import layers, names
from residua.arch.layers import Layer
from residua.arch.plan import plan
from residua.arch.spec import DenseSpec, ResidualSpec, Spec

SHORT = {"conv": "C", "norm": "n", "relu": "r", "dropout": "d", "pad": "P"}
SHORT |= {"average_pool": "A", "max_pool": "M", "linear": "L"}


def line(parts: tuple[Layer, ...]) -> str:
    """Layers as one letter each."""
    return "".join(SHORT[layer.kind] for layer in parts)


# name: stem, first unit (shared:branch:carry:after), second unit, head
ORDERS = {
    "cifar/resnet-14": ("Cnr", ":CnrCn::r", ":CnrCn::r", ""),
    "cifar/resnet-14+bn-after-addition": ("Cnr", ":CnrC::nr", ":CnrC::nr", ""),
    "cifar/resnet-14+relu-before-addition": ("Cnr", ":CnrCnr::", ":CnrCnr::", ""),
    "cifar/resnet-14+relu-only": ("Cn", "r:CnrCn::", ":rCnrCn::", "r"),
    "cifar/preresnet-14": ("C", "nr:CnrC::", ":nrCnrC::", "nr"),
    "cifar/resnet-14+one-layer": ("Cnr", ":Cn::r", ":Cn::r", ""),
    "cifar/preresnet-14+one-layer": ("C", "nr:C::", ":nrC::", "nr"),
    "cifar/resnet-20-bottleneck": ("Cnr", ":CnrCnrCn:Cn:r", ":CnrCnrCn::r", ""),
    "cifar/resnet-20-bottleneck+relu-only": ("Cn", "r:CnrCnrCn:Cn:", ":rCnrCnrCn::", "r"),
    "cifar/resnet-20-bottleneck+bn-after-addition": ("Cnr", ":CnrCnrC:Cn:nr", ":CnrCnrC::nr", ""),
    "cifar/preresnet-20-bottleneck": ("C", "nr:CnrCnrC:C:", ":nrCnrCnrC::", "nr"),
    "cifar/resnet-14+dropped-0.5": ("Cnr", ":CnrCn:d:r", ":CnrCn:d:r", ""),
    "cifar/wrn-16-2": ("C", "nr:CnrC:C:", ":nrCnrC::", "nr"),
    "cifar/wrn-16-2-dropout": ("C", "nr:CnrdC:C:", ":nrCnrdC::", "nr"),
    "cifar/wrn-16-2+b131": ("C", "nr:CnrCnrC:C:", ":nrCnrCnrC::", "nr"),
    "cifar/wrn-16-2+layers-1": ("C", "nr:C:C:", ":nrC::", "nr"),
    "cifar/pyramidnet-14-a12": ("Cn", ":nCnrCn:P:", ":nCnrCn:P:", "nr"),
    "cifar/pyramidnet-14-a12+unit-a": ("Cn", ":nrCnrC:P:", ":nrCnrC:P:", "nr"),
    "cifar/pyramidnet-14-a12+unit-b": ("Cn", ":nCnrC:P:", ":nCnrC:P:", "nr"),
    "cifar/pyramidnet-14-a12+unit-c": ("Cn", ":nrCnrCn:P:", ":nrCnrCn:P:", "nr"),
    "cifar/pyramidnet-20-a12-bottleneck": ("Cn", ":nCnrCnrCn:P:", ":nCnrCnrCn:P:", "nr"),
    "cifar/densenet-10-4": ("C", ":nrC::", ":nrC::", "nr"),
    "cifar/densenet-10-4+dropout-0.2": ("C", ":nrCd::", ":nrCd::", "nr"),
    "cifar/densenet-bc-16-4": ("C", ":nrCnrC::", ":nrCnrC::", "nr"),
    "cifar/densenet-bc-16-4+dropout-0.2": ("C", ":nrCdnrCd::", ":nrCdnrCd::", "nr"),
    "imagenet/resnet-18": ("CnrM", ":CnrCn::r", ":CnrCn::r", ""),
    "imagenet/resnet-18+relu-only": ("CnrM", ":CnrCn::", ":rCnrCn::", "r"),
    "imagenet/preresnet-50-bottleneck": ("CnrM", ":CnrCnrC:C:", ":nrCnrCnrC::", "nr"),
    "imagenet/densenet-121": ("CnrM", ":nrCnrC::", ":nrCnrC::", "nr"),
    "imagenet/pyramidnet-50-a48": ("CnrM", ":nCnrCnrCn:P:", ":nCnrCnrCn:P:", "nr"),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_a_net_is_its_papers(name: str):
    """Stem, first two units and head, read as one letter a layer.  Source: he2016 Fig. 4 and more.

    Pre-activated orders put the first activation before the paths split, and an extra one after
    the last addition (he2016 appendix).
    """
    spec = names.spec(name)
    units = [layers.unit(spec, row) for row in plan(spec)[:2]]
    lines = [":".join(map(line, (u.shared, u.branch, u.carry, u.after))) for u in units]
    assert ORDERS[name] == (line(layers.stem(spec)), *lines, line(layers.head(spec)))


def test_a_transition_normalises_reduces_and_averages():
    """BN, ReLU, 1×1 convolution, with dropout after it if there is any, 2×2 averages."""
    spec = names.spec("cifar/densenet-bc-16-4+dropout-0.2")
    rows = [row for row in plan(spec) if row.shortcut == "transition"]
    parts = layers.unit(spec, rows[0]).branch
    assert "nrCdA" == line(parts)
    assert [(2, 2), (1, 1)] == [(parts[-1].kernel, parts[-1].stride), (parts[2].kernel, 1)]


def test_siblings_are_named_by_kind_and_order():
    """The names that weight files rely on: conv1, norm1, relu1, conv2 and so on."""
    spec = names.spec("cifar/wrn-16-2-dropout")
    parts = layers.unit(spec, plan(spec)[1]).branch
    expected = ["norm1", "relu1", "conv1", "norm2", "relu2", "dropout1", "conv2"]
    assert expected == [layer.name for layer in parts]
    assert 0.3 == parts[5].rate


def test_a_gate_has_a_biased_convolution():
    """A 1×1 convolution over the carried channels, with the bias that the paper initialises."""
    spec = names.spec("cifar/resnet-8+gate-shortcut-6")
    (conv,) = layers.unit(spec, plan(spec)[1]).gate
    assert (32, 32, 1, True) == (conv.c_in, conv.c_out, conv.kernel, conv.bias)
    assert 32 * 32 + 32 == conv.params


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar/resnet-20-bottleneck", [2, 1, 1]),
        ("cifar/resnet-20-bottleneck+stride-3x3", [1, 2, 1]),
        ("cifar/preresnet-20-bottleneck", [2, 1, 1]),
        ("imagenet/resnet-50", [2, 1, 1]),
        ("imagenet/preresnet-50-bottleneck", [2, 1, 1]),
        ("imagenet/wrn-50-2", [1, 2, 1]),
        ("imagenet/pyramidnet-50-a48", [1, 2, 1]),
        ("cifar/pyramidnet-20-a12-bottleneck", [1, 2, 1]),
        ("cifar/wrn-16-2+b131", [2, 1, 1]),
    ],
)
def test_the_convolution_with_the_stride_is_the_authors(name: str, expected: list[int]):
    """He's bottlenecks stride in the first 1×1; Torch's and PyramidNet's in the 3×3."""
    spec = names.spec(name)
    row = next(row for row in plan(spec) if row.stride == 2)
    branch = layers.unit(spec, row).branch
    assert expected == [layer.stride for layer in branch if layer.kind == "conv"]


def test_zero_padding_subsamples_or_averages():
    """He 2015 takes every second pixel; Huang's and Han's code averages 2×2, where it halves."""
    windows = {}
    for name in ("cifar/resnet-8", "cifar/sd-resnet-8", "cifar/pyramidnet-8-a3"):
        spec = names.spec(name)
        carries = [layers.unit(spec, row).carry for row in plan(spec)]
        windows[name] = [carry[0].kernel if carry else None for carry in carries]
    assert [[None, 1, 1], [None, 2, 2], [1, 2, 2]] == list(windows.values())


@pytest.mark.parametrize(("name", "rate"), [("200-a450+dropout-0.5", 0.5), ("200-a300", 0.0)])
def test_dropout_before_the_classifier(name: str, rate: float):
    """The authors drop features of the widest PyramidNet only."""
    assert rate == layers.classifier(names.spec(f"imagenet/pyramidnet-{name}")).rate


def unit_by_unit(spec: Spec) -> list[Layer]:
    """Every layer of every unit, with what stands before and after them."""
    found = list(layers.stem(spec))
    for row in plan(spec):
        parts = layers.unit(spec, row)
        found += [*parts.shared, *parts.carry, *parts.branch, *parts.gate, *parts.after]
    return [*found, *layers.head(spec), layers.classifier(spec)]


@given(data=st.data())
def test_walking_is_unit_by_unit(legal_names: SearchStrategy[str], data: DataObject):
    """``walk``, which does equal units once, yields every layer of every unit in order."""
    spec = names.spec(data.draw(legal_names))
    assert unit_by_unit(spec) == [layer for layer, _ in layers.walk(spec)]


def test_a_first_unit_without_its_own_activation_is_not_like_the_second():
    """The stem activates for it, though the rows of both are equal otherwise."""
    spec = names.spec("imagenet/resnet-18+relu-only")
    assert unit_by_unit(spec) == [layer for layer, _ in layers.walk(spec)]


@given(data=st.data(), side=st.integers(9, 80))
def test_sides_follow_the_strides(cifar_names: SearchStrategy[str], data: DataObject, side: int):
    """Each halving rounds up, but a dense net's rounds down; the classifier sees one pixel."""
    spec = names.spec(data.draw(cifar_names))
    halves = [side]
    for _ in range(2):
        halves.append(halves[-1] // 2 if isinstance(spec, DenseSpec) else -(-halves[-1] // 2))
    *found, last = [size for _, size in layers.walk(spec, image_size=side)]
    assert halves == list(dict.fromkeys(found))
    assert 1 == last


def test_a_unit_that_only_halves_still_halves_each_time():
    """Equal consecutive rows of different stages are not taken for one stretch."""
    spec = names.spec("cifar/pyramidnet-8-a0")
    assert isinstance(spec, ResidualSpec)
    sides = [side for layer, side in layers.walk(spec) if layer.name == "conv2"]
    assert [32, 16, 8] == sides
