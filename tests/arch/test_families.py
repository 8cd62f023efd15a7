"""CIFAR families: the papers' depth rules, and errors that state them."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua import UsageError
from residua.arch import families
from residua.arch.spec import Spec

RULES: dict[str, tuple[Callable[[int], Spec], int, int]] = {
    "resnet": (families.resnet, 6, 2),
    "resnet of bottlenecks": (lambda d: families.resnet(d, bottleneck=True), 9, 2),
    "plain": (families.plain, 6, 2),
    "preresnet": (families.preact, 6, 2),
    "preresnet of bottlenecks": (lambda d: families.preact(d, bottleneck=True), 9, 2),
    "sd-resnet": (families.stochastic, 6, 2),
    "wrn": (lambda d: families.wide(d, 2), 6, 4),
    "densenet": (lambda d: families.densenet(d, 12), 3, 4),
    "densenet-bc": (lambda d: families.densenet(d, 12, bc=True), 6, 4),
    "pyramidnet": (lambda d: families.pyramid(d, 48), 6, 2),
    "pyramidnet of bottlenecks": (lambda d: families.pyramid(d, 48, bottleneck=True), 9, 2),
}
FAMILIES = st.sampled_from(list(RULES))


@given(family=FAMILIES, num=st.integers(1, 1000))
def test_legal_depths_give_three_equal_stages(family: str, num: int):
    """A depth of per·n + plus has n units a stage."""
    build, per, plus = RULES[family]
    assert (num,) * 3 == build(per * num + plus).depths


@given(family=FAMILIES, depth=st.integers(-100, 20_000))
def test_other_depths_are_refused_with_the_rule_and_the_nearest(family: str, depth: int):
    """The message has the rule, and depths that are legal and as near as can be."""
    build, per, plus = RULES[family]
    legal = range(per + plus, families.DEEPEST + 1, per)
    if depth in legal:
        return
    with pytest.raises(UsageError, match=rf"no depth {depth}: .* {per}n \+ {plus} ") as caught:
        build(depth)
    nearest = [int(word) for word in str(caught.value).rpartition("nearest: ")[2].split(" and ")]
    assert set(nearest) <= set(legal)
    assert min(abs(depth - near) for near in legal) == min(abs(depth - near) for near in nearest)


@pytest.mark.parametrize(
    ("depth", "nearest"),
    [(0, "8"), (-4, "8"), (7, "8"), (9, "8 and 14"), (111, "110 and 116"), (10**9, "9998")],
)
def test_the_nearest_depths_of_a_resnet(depth: int, nearest: str):
    """Zero, negative, between two, and huge."""
    with pytest.raises(UsageError, match=f"at most 10000; nearest: {nearest}$"):
        families.resnet(depth)


def test_the_message_is_one_clear_line():
    """What is wrong, the rule, what to do."""
    with pytest.raises(UsageError) as caught:
        families.wide(27, 10)
    expected = "wrn has no depth 27: the rule is depth = 6n + 4 with n ≥ 1, at most 10000; "
    assert f"{expected}nearest: 22 and 28" == str(caught.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: families.wide(28, 0), "widen must be at least 1, not 0"),
        (lambda: families.wide(28, -3), "widen must be at least 1, not -3"),
        (lambda: families.densenet(40, 0), "growth must be at least 1, not 0"),
        (lambda: families.pyramid(110, -1), "alpha must be at least 0, not -1"),
        (lambda: families.pyramid(110, math.nan), "alpha must be at least 0, not nan"),
        (lambda: families.pyramid(110, math.inf), "alpha must be at least 0, not inf"),
        (
            lambda: families.pyramid(110, 0.5, multiplicative=True),
            "alpha must be at least 1, not 0.5",
        ),
    ],
)
def test_widths_out_of_range_are_refused(build: Callable[[], Spec], message: str):
    """A net cannot be narrower than nothing, nor narrow on its way."""
    with pytest.raises(UsageError, match=f"^{message}$"):
        build()


def test_bottlenecks_follow_the_imagenet_nets():
    """1×1, 3×3, 1×1 with a fourfold output and projections where the shape changes (he2016)."""
    spec = families.resnet(164, bottleneck=True)
    assert ((1, 3, 1), 4, 0) == (spec.kernels, spec.expansion, spec.stride_at)
    assert families.SHORTCUTS["b"] == spec.shortcut


@pytest.mark.parametrize(
    ("spec", "width"),
    [
        (families.densenet(40, 12), 16),
        (families.densenet(100, 12, bc=True), 24),
        (families.wide(28, 10), 16),
        (families.pyramid(110, 48), 16),
    ],
)
def test_stems_are_as_wide_as_the_papers(spec: Spec, width: int):
    """16 channels, but 2k for DenseNet-BC.  Source: huang2017 §3."""
    assert width == spec.stem.width


@pytest.mark.parametrize(
    ("spec", "init"),
    [
        (families.resnet(20), "fan_in"),
        (families.wide(16, 4), "fan_in"),
        (families.preact(20), "fan_out"),
        (families.stochastic(20), "fan_out"),
        (families.densenet(40, 12), "fan_out"),
        (families.pyramid(110, 48), "fan_out"),
    ],
)
def test_initialisation_is_the_authors(spec: Spec, init: str):
    """He's fan is the input's in he2015 and WRN, the output's in what follows fb.resnet.torch."""
    assert init == spec.init
