"""Specs: width rules at hand-computed points, refusals, and no field that no named net needs."""

import copy
import dataclasses
import math
import typing
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from residua import UsageError
from residua.arch import names, spec
from residua.arch.spec import (
    Additive,
    DenseSpec,
    Doubling,
    Joints,
    Multiplicative,
    ResidualSpec,
    Stem,
    Survival,
)

JSON = TypeAdapter(spec.Spec)
TAGS = {"kind"}  # tells the members of a union apart
ARGUMENTS = {"in_channels"}  # of residua.create: the papers' nets all read colour images


def parts(value: object) -> typing.Iterator[tuple[str, str, object]]:
    """Every field of a spec and of what it holds: class, field, value."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return
    owner = "Spec" if isinstance(value, ResidualSpec | DenseSpec) else type(value).__name__
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        yield owner, field.name, inner
        yield from parts(inner)


def used() -> dict[tuple[str, str], set[object]]:
    """The values that the named nets have in each field."""
    found: dict[tuple[str, str], set[object]] = {}
    for name in names.names():
        for owner, field, value in parts(names.spec(name)):
            found.setdefault((owner, field), set()).add(value)
    return found


def test_every_field_tells_two_named_nets_apart():
    """A field in which all named nets agree is an option that nobody needs."""
    idle = {key for key, values in used().items() if len(values) == 1}
    assert set() == {key for key in idle if key[1] not in TAGS | ARGUMENTS}


def test_every_choice_is_some_named_nets():
    """Each value that a field offers by name is the one of at least one named net."""
    found = used()
    offered = {
        (owner, field, choice)
        for owner, field in found
        for cls in ([ResidualSpec, DenseSpec] if owner == "Spec" else [getattr(spec, owner)])
        for name, hint in typing.get_type_hints(cls).items()
        if name == field and typing.get_origin(hint) is typing.Literal
        for choice in typing.get_args(hint)
    }
    assert len(offered) > 15
    assert set() == {(o, f, choice) for o, f, choice in offered if choice not in found[o, f]}


def test_every_class_of_a_union_is_some_named_nets():
    """Each width rule and each kind of carried path belongs to a named net."""
    owners = {owner for owner, _ in used()}
    members = [*typing.get_args(spec.Widths), *typing.get_args(spec.Carry)]
    assert set() == {member.__name__ for member in members} - owners


@pytest.mark.parametrize("name", names.names())
def test_specs_survive_json_and_are_values(name: str):
    """A spec through JSON is equal, hashes equally, and cannot be changed."""
    mine = names.spec(name)
    back = JSON.validate_json(JSON.dump_json(mine))
    assert mine == back
    assert hash(mine) == hash(back)
    assert mine == copy.deepcopy(mine)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.num_classes = 7  # type: ignore[misc]


def widths(rule: spec.Widths, num_units: int, start: int = 16) -> list[int]:
    """All widths of a net without stages."""
    return [rule.width(i, stage=0, num_units=num_units, start=start) for i in range(num_units)]


def test_doubling_depends_on_the_stage_alone():
    """16, 32, 64, whatever the unit.  Source: he2015 §4.2."""
    rule = Doubling()
    found = [rule.width(9, stage=stage, num_units=27, start=3) for stage in range(3)]
    assert [16, 32, 64] == found


def test_additive_widths_are_the_papers():
    """α = 48 over 54 units: the first stage as the authors' code has it.  Source: han2017."""
    expected = [17, 18, 19, 20, 20, 21, 22, 23, 24, 25, 26, 27, 28, 28, 29, 30, 31, 32]
    found = widths(Additive(alpha=48), 54)
    assert expected == found[:18]
    assert 64 == found[-1]


def test_additive_widths_are_not_the_printed_recursion():
    """A floor inside the recursion, taken on integers, would never widen: 48/54 is below 1."""
    width = 16
    for _ in range(54):
        width = math.floor(width + Fraction(48, 54))
    assert 16 == width
    assert 64 == widths(Additive(alpha=48), 54)[-1]


@given(alpha=st.integers(0, 4000), num_units=st.integers(1, 400), start=st.integers(1, 64))
def test_additive_widths_round_half_up(alpha: int, num_units: int, start: int):
    """Each is the integer nearest to the real width; of two, the larger."""
    rule = Additive(alpha=alpha / 4)
    for index, width in enumerate(widths(rule, num_units, start)):
        exact = start + Fraction(alpha, 4) * (index + 1) / num_units
        assert exact - Fraction(1, 2) < width <= exact + Fraction(1, 2)


def test_additive_widths_of_a_decimal_alpha_are_exact():
    """α = 0.3 is three tenths, not the binary number beside it: 1/2 of a step is rounded up."""
    assert [16, 17] == [
        Additive(alpha=alpha, steps=3).width(4, stage=0, num_units=9, start=16)
        for alpha in (0.29, 0.3)
    ]


def test_steps_keep_the_slope_of_a_longer_net():
    """The post's net widens by 48/54 a unit though it has 51 of them."""
    assert widths(Additive(alpha=48), 54)[:51] == widths(Additive(alpha=48, steps=54), 51)


def test_multiplicative_widths_end_at_alpha_times_the_start():
    """α = 4.75 over 54 units: 16 … 76, slowly at first.  Source: han2017 eq. 3."""
    found = widths(Multiplicative(alpha=4.75), 54)
    assert [16, 17, 17, 18, 18, 19, 20, 20] == found[:8]
    assert 76 == found[-1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("linear", [0.9, 0.8, 0.7, 0.6, 0.5]), ("uniform", [0.5] * 5)],
)
def test_survival_rules(rule: typing.Literal["linear", "uniform"], expected: list[float]):
    """1 - l/L·(1 - p) from l = 1, or p throughout.  Source: huang2016 §3."""
    survival = Survival(final=0.5, rule=rule)
    assert expected == pytest.approx([survival.of(index, num_units=5) for index in range(5)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": ()}, "at least one unit a stage"),
        ({"depths": (2, 0, 2)}, "at least one unit a stage"),
        ({"kernels": (2, 2)}, "kernels must be odd"),
        ({"stride_at": 2}, "stride_at 2 names none of 2 convolutions"),
        ({"kernels": ()}, "stride_at 0 names none of 0 convolutions"),
        ({"share": "first"}, "share needs joints that stand first"),
        ({"dropout": 0.3}, "both a rate and a joint"),
        ({"joints": Joints(between=("bn", "relu", "drop"))}, "both a rate and a joint"),
        (
            {"joints": Joints(between=("drop",)), "dropout": 0.3, "kernels": (3,)},
            "dropout stands between convolutions",
        ),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str):
    """A spec that no unit could compute cannot be made; the message says why."""
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(ResidualSpec(depths=(1, 1, 1)), **changes)


def test_the_default_spec_is_a_small_resnet():
    """What is not said is he2015's CIFAR net: option A, original order, stem of 16."""
    assert names.spec("cifar/resnet-8") == ResidualSpec(depths=(1, 1, 1))
    assert Stem(kind="cifar", width=16, ops=("bn", "relu")) == ResidualSpec(depths=(1,)).stem
