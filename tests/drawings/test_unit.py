"""A unit's picture shows the unit that is built."""

import re

import pytest

from residua.arch import layers, names
from residua.arch.plan import plan
from residua.drawings.unit import boxes, unit
from residua.errors import UsageError

LONGEST = 20  # characters that fit into a box


def words(name: str, index: int) -> tuple[list[str], ...]:
    """What the boxes of a unit say: before the paths part, branch, carried, after."""
    entry = names.entry(name)
    parts = boxes(entry.spec, plan(entry.spec)[index])
    chains = (parts.shared, parts.branch, parts.carry, parts.after)
    return tuple([part.words for part in chain] for chain in chains)


def test_the_original_unit_is_that_of_figure_2():
    """Conv, BN, ReLU, conv, BN, sum, ReLU; option A beside it where the size halves."""
    branch = ["3×3 conv, 32, /2", "BN", "ReLU", "3×3 conv, 32", "BN"]
    assert ([], branch, ["every 2nd pixel", "zeros to 32"], ["ReLU"]) == words("cifar/resnet-20", 3)
    assert [] == words("cifar/resnet-20", 4)[2]


def test_a_wide_unit_has_dropout_between_its_convolutions():
    """BN and ReLU are shared where the width changes, dropout stands before the second one."""
    shared, branch, carry, after = words("cifar/wrn-28-10-dropout", 0)
    assert ["BN", "ReLU"] == shared
    assert ["3×3 conv, 160", "BN", "ReLU", "dropout 0.3", "3×3 conv, 160"] == branch
    assert (["1×1 conv, 160"], []) == (carry, after)


def test_what_multiplies_is_drawn():
    """Scales, gates and survival are boxes of their own."""
    assert "× 0.5" in words("cifar/resnet-110+scale-0.5-0.5", 1)[1]
    assert ["g = σ(1×1 conv)", "× (1 − g)"] == words("cifar/resnet-110+gate-exclusive-6", 1)[2]
    assert "survives: 0.500" == words("cifar/sd-resnet-110", 53)[1][-1]


@pytest.mark.parametrize(
    ("name", "meet"),
    [
        ("cifar/plain-20", None),
        ("cifar/resnet-20", "add"),
        ("cifar/densenet-40-12", "concat"),
    ],
)
def test_signals_meet_as_the_family_has_it(name, meet):
    """A plain unit has one signal, a residual one adds, a dense one concatenates."""
    entry = names.entry(name)
    assert meet == boxes(entry.spec, plan(entry.spec)[0]).meet


@pytest.mark.parametrize("name", names.names())
def test_every_reported_net_can_be_drawn(name):
    """Every convolution of a unit is in its picture, and all words are short enough for a box."""
    entry = names.entry(name)
    for row in (plan(entry.spec)[0], plan(entry.spec)[-1]):
        shapes = "".join(unit(entry, row.index).shapes)
        made = layers.unit(entry.spec, row)
        chains = (made.shared, made.branch, made.carry, made.gate, made.after)
        convolutions = [layer for chain in chains for layer in chain if layer.kind == "conv"]
        assert len(convolutions) == shapes.count(" conv")
        assert max(map(len, re.findall(">([^<>]+)</text>", shapes))) <= LONGEST


def test_a_unit_that_is_not_there():
    """A wrong index is answered with the right ones."""
    with pytest.raises(UsageError, match="resnet-20 has no unit 9: they are 0 to 8"):
        unit(names.entry("cifar/resnet-20"), 9)
