"""Plans: the laws that every family's rows keep, and the papers' channel counts."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from residua import UsageError
from residua.arch import families, names
from residua.arch.plan import Unit, matching, plan
from residua.arch.spec import (
    AVERAGE_PAD,
    BARE_PROJECTION,
    OPTION_A,
    OPTION_B,
    OPTION_C,
    Additive,
    DenseSpec,
    Doubling,
    Shortcut,
    Stem,
    Survival,
)

DENSE_CHANNELS = {
    "cifar/densenet-40-12": [16, 160, 160, 304, 304, 448],
    "cifar/densenet-100-12": [16, 400, 400, 784, 784, 1168],
    "cifar/densenet-100-24": [16, 784, 784, 1552, 1552, 2320],
    "cifar/densenet-bc-100-12": [24, 216, 108, 300, 150, 342],
    "cifar/densenet-bc-250-24": [48, 1032, 516, 1500, 750, 1734],
    "cifar/densenet-bc-190-40": [80, 1320, 660, 1900, 950, 2190],
}


@given(data=st.data())
def test_rows_are_a_chain(legal_names: SearchStrategy[str], data: DataObject):
    """Each row reads what the one before wrote, indices count up, stages never fall."""
    spec = names.spec(data.draw(legal_names))
    rows = plan(spec)
    assert list(range(len(rows))) == [row.index for row in rows]
    assert spec.stem.width == rows[0].c_in
    for before, after in itertools.pairwise(rows):
        assert before.c_out == after.c_in
        assert after.stage - before.stage in {0, 1}
    assert list(range(1, len(spec.depths) + 1)) == sorted({row.stage for row in rows})


@given(data=st.data())
def test_strides_multiply_to_the_familys(legal_names: SearchStrategy[str], data: DataObject):
    """Units quarter a CIFAR image's side, and with the stem make 1/32 of an ImageNet image's."""
    name = data.draw(legal_names)
    spec = names.spec(name)
    strides = math.prod(row.stride for row in plan(spec))
    assert (4 if name.startswith("cifar/") else 32 // 4) == strides


@given(data=st.data())
def test_widths_never_shrink(legal_names: SearchStrategy[str], data: DataObject):
    """From unit to unit a residual net's widths stay or grow."""
    spec = names.spec(data.draw(legal_names))
    if isinstance(spec, DenseSpec):
        return
    inner = [row.c_mid for row in plan(spec)]
    assert sorted(inner) == inner
    assert all(row.c_out == row.c_mid * spec.expansion for row in plan(spec))


@given(data=st.data())
def test_a_specs_stages_are_as_long_as_it_says(legal_names: SearchStrategy[str], data: DataObject):
    """``depths`` units a stage; a dense net has a transition after each block but the last."""
    spec = names.spec(data.draw(legal_names))
    rows = [row for row in plan(spec) if row.shortcut != "transition"]
    lengths = tuple(len(list(run)) for _, run in itertools.groupby(rows, lambda row: row.stage))
    assert spec.depths == lengths
    transitions = len(plan(spec)) - len(rows)
    assert (len(spec.depths) - 1 if isinstance(spec, DenseSpec) else 0) == transitions


@given(depth=st.integers(1, 12).map(lambda n: 6 * n + 2))
def test_a_pyramid_of_no_slope_is_constant(depth: int):
    """α = 0 adds no channel anywhere, and only the halving units carry by other than identity."""
    rows = plan(families.pyramid(depth, 0))
    assert {(16, 16, 16)} == {(row.c_in, row.c_mid, row.c_out) for row in rows}
    assert {("identity", 1), ("pad", 2)} == {(row.shortcut, row.stride) for row in rows}


@given(units=st.integers(1, 12))
def test_a_wide_net_of_k_1_is_a_preactivated_one(units: int):
    """``wide(6n + 4, 1)`` is ``preact(6n + 2)`` with WRN's shortcut, sharing and initialisation."""
    expected = dataclasses.replace(
        families.preact(6 * units + 2), shortcut=BARE_PROJECTION, share="change", init="fan_in"
    )
    assert expected == families.wide(6 * units + 4, 1)


@given(units=st.integers(1, 12), rule=st.sampled_from(["linear", "uniform"]))
def test_certain_survival_is_no_stochastic_depth(units: int, rule: str):
    """With p = 1 the plan is the one without survival."""
    spec = families.stochastic(6 * units + 2)
    certain = dataclasses.replace(spec, survival=Survival(final=1, rule=rule))  # type: ignore[arg-type]
    assert plan(dataclasses.replace(spec, survival=None)) == plan(certain)


def test_survival_falls_linearly():
    """The first of 54 units survives with 0.99074, the last with 0.5.  Source: huang2016 §3."""
    rows = plan(families.stochastic(110))
    assert [0.99074, 0.5] == [round(rows[index].survival, 5) for index in (0, 53)]


@pytest.mark.parametrize("name", DENSE_CHANNELS)
def test_dense_channels_are_the_papers(name: str):
    """Channels into and out of each block; transitions keep ⌊θm⌋.  Source: huang2017 §3."""
    rows = plan(names.spec(name))
    ends = [rows[0].c_in]
    for row in rows:
        if row.shortcut == "transition":
            ends += [row.c_in, row.c_out]
    assert DENSE_CHANNELS[name] == [*ends, rows[-1].c_out]


def test_a_transition_rounds_down():
    """Half of an odd number of channels loses one."""
    rows = plan(DenseSpec(depths=(1, 1), growth=3, compression=0.5))
    assert (19, 9) == (rows[1].c_in, rows[1].c_out)


def test_a_row_says_all_of_its_unit():
    """The first unit of stage 2 of ResNet-8."""
    expected = Unit(index=1, stage=2, c_in=16, c_mid=32, c_out=32, stride=2, shortcut="pad")
    assert expected == plan(families.resnet(8))[1]


@pytest.mark.parametrize(
    ("shortcut", "expected"),
    [
        (OPTION_A, ["identity", "pad", "pad", "pad"]),
        (AVERAGE_PAD, ["identity", "pad", "pad", "pad"]),
        (BARE_PROJECTION, ["identity", "project", "project", "project"]),
        (OPTION_C, ["project"] * 4),
        (Shortcut(match="project_halving"), ["identity", "pad", "project", "project"]),
    ],
    ids=["A", "A averaging", "B", "C", "halving"],
)
def test_shortcuts_take_the_branchs_shape(shortcut: Shortcut, expected: list[str]):
    """What is carried where nothing changes, channels grow, the size halves, and both."""
    cases = [(False, False), (True, False), (False, True), (True, True)]
    assert expected == [matching(shortcut, grows=g, halves=h) for g, h in cases]


SHORTCUTS = {
    "cifar/plain-8": ["none"] * 3,
    "cifar/resnet-8": ["identity", "pad", "pad"],
    "cifar/resnet-8-b": ["identity", "project", "project"],
    "cifar/resnet-8-c": ["project"] * 3,
    "cifar/resnet-11-bottleneck": ["project"] * 3,
    "cifar/resnet-8+scale-0.5-0.5": ["scale"] * 3,
    "cifar/resnet-8+gate-exclusive-6": ["gate"] * 3,
    "cifar/resnet-8+dropped-0.5": ["dropped"] * 3,
    "cifar/pyramidnet-8-a3": ["pad"] * 3,
    "cifar/pyramidnet-8-a3+project": ["project"] * 3,
    "cifar/pyramidnet-8-a3+project-halving": ["pad", "project", "project"],
    "cifar/densenet-7-4": ["concat", "transition", "concat", "transition", "concat"],
}


@pytest.mark.parametrize("name", SHORTCUTS)
def test_rows_name_their_shortcut(name: str):
    """The column that people read says how the input reaches the output."""
    assert SHORTCUTS[name] == [row.shortcut for row in plan(names.spec(name))]


SHARING = {
    "cifar/resnet-14": [False] * 6,
    "cifar/preresnet-14": [True, *[False] * 5],
    "cifar/preresnet-14+shared-stages": [True, False] * 3,
    "cifar/preresnet-20-bottleneck": [True, False] * 3,
    "cifar/wrn-16-2": [True, False] * 3,
    "cifar/wrn-16-1": [False, False, True, False, True, False],
    "cifar/resnet-14+relu-only": [True, *[False] * 5],
}


@pytest.mark.parametrize("name", SHARING)
def test_sharing_is_the_papers(name: str):
    """Both paths read the activated input: first unit, changed channels, or every stage's start.

    WRN of k = 1 widens nothing in its first stage, so its first unit shares nothing (the authors'
    code).
    """
    assert SHARING[name] == [row.shares_first for row in plan(names.spec(name))]


def test_zero_padding_does_not_narrow():
    """Appending channels cannot take some away; a projection can."""
    spec = dataclasses.replace(families.resnet(8), stem=Stem(width=32))
    with pytest.raises(UsageError, match="unit 0 narrows from 32 channels to 16"):
        plan(spec)
    assert 16 == plan(dataclasses.replace(spec, shortcut=OPTION_B))[0].c_out


def test_equal_specs_share_a_plan_and_others_do_not():
    """Plans are remembered by the spec's value, in which 48 and 48.0 are one."""
    spec = families.pyramid(110, 48)
    same = dataclasses.replace(spec, widths=Additive(alpha=48.0))
    assert plan(spec) == plan(same)
    assert plan(spec) != plan(dataclasses.replace(spec, widths=Doubling()))
