"""ImageNet families: the papers' tables and what each net does otherwise than on CIFAR."""

from collections.abc import Callable

import pytest

from residua import UsageError
from residua.arch import imagenet
from residua.arch.plan import plan
from residua.arch.spec import OPTION_A, OPTION_B, OPTION_C, DenseSpec, ResidualSpec, Spec

NETS: dict[str, tuple[Callable[[int], Spec], tuple[int, ...]]] = {
    "plain": (imagenet.plain, (18, 34)),
    "resnet": (imagenet.resnet, (18, 34, 50, 101, 152, 200)),
    "preresnet": (imagenet.preact, (50, 101, 152, 200)),
    "sd-resnet": (imagenet.stochastic, (50, 101, 152, 200)),
    "wrn": (lambda depth: imagenet.wide(depth, 2), (18, 34, 50)),
    "densenet": (imagenet.densenet, (121, 161, 169, 201, 264)),
    "pyramidnet": (lambda depth: imagenet.pyramid(depth, 300), (50, 101, 152, 200)),
}
LEGAL = [(family, depth) for family, (_, depths) in NETS.items() for depth in depths]


@pytest.mark.parametrize(("family", "depth"), LEGAL)
def test_depths_are_the_papers(family: str, depth: int):
    """Stem, the branches' convolutions, transitions and classifier come to the depth.

    Only DenseNet-264's printed blocks have one layer more.
    """
    spec = NETS[family][0](depth)
    if isinstance(spec, DenseSpec):
        layers = 2 * sum(spec.depths) + len(spec.depths) + 1
    else:
        layers = len(spec.kernels) * sum(spec.depths) + 2
    assert depth + (depth == 264) == layers
    assert (224, 1000, "imagenet") == (spec.image_size, spec.num_classes, spec.stem.kind)


@pytest.mark.parametrize("family", NETS)
@pytest.mark.parametrize("depth", [0, -18, 19, 1202])
def test_other_depths_are_refused_with_the_legal_ones(family: str, depth: int):
    """The message lists the papers' depths and names the nearest."""
    build, depths = NETS[family]
    nearest = min(depths, key=lambda legal: abs(legal - depth))
    listed = ", ".join(map(str, depths))
    with pytest.raises(
        UsageError,
        match=rf"^{family} has no depth {depth} on ImageNet: .* {listed}; nearest: {nearest}$",
    ):
        build(depth)


def test_shortcuts_are_the_papers():
    """A bare ResNet has option B, as most reports of he2015 have it."""
    assert [OPTION_B, OPTION_A, OPTION_C] == [
        imagenet.resnet(34).shortcut,
        imagenet.resnet(34, shortcut="a").shortcut,
        imagenet.resnet(34, shortcut="c").shortcut,
    ]


def test_wide_nets_widen_units_not_the_stem():
    """64 channels, then 64K, 128K, 256K and 512K.  Source: the authors' pretrained code."""
    rows = plan(imagenet.wide(18, 1.5))
    assert [64, 96, 96, 192, 192] == [row.c_in for row in rows[:5]]
    assert 768 == rows[-1].c_out


def test_the_wide_bottleneck_doubles_its_inner_channels_only():
    """WRN-50-2: 128 inner channels in a unit of 256, 2048 features at the end."""
    rows = plan(imagenet.wide(50, 2))
    assert (64, 128, 256) == (rows[0].c_in, rows[0].c_mid, rows[0].c_out)
    assert (1024, 2048) == (rows[-1].c_mid, rows[-1].c_out)


@pytest.mark.parametrize(
    ("depth", "widen", "message"),
    [
        (18, 1.33, r"wrn-18 has no width of 64 · 1.33: it must be whole"),
        (18, 0, "widen must be at least 1, not 0"),
        (50, 3, "wrn-50 has no widening by 3: its bottlenecks are widened by 2"),
    ],
)
def test_impossible_widenings_are_refused(depth: int, widen: float, message: str):
    """A width must be whole, and the paper's bottleneck has one widening."""
    with pytest.raises(UsageError, match=f"^{message}$"):
        imagenet.wide(depth, widen)


def test_the_first_activation_stands_before_pooling():
    """Pre-activated ImageNet nets activate right after the first convolution (he2016 appendix)."""
    spec = imagenet.preact(50)
    assert spec.stem.preactivates
    assert ("bn", "relu") == spec.stem.ops


def test_a_pyramid_starts_at_64():
    """300 channels over 66 units of 200 layers: 64 grows to 364, times four."""
    rows = plan(imagenet.pyramid(200, 300))
    assert (66, 64, 69) == (len(rows), rows[0].c_in, rows[0].c_mid)
    assert (364, 1456) == (rows[-1].c_mid, rows[-1].c_out)
    with pytest.raises(UsageError, match="alpha must be at least 0"):
        imagenet.pyramid(200, -1)


@pytest.mark.parametrize(("depth", "growth", "features"), [(121, 32, 1024), (161, 48, 2208)])
def test_dense_nets_have_the_papers_growth(depth: int, growth: int, features: int):
    """32 channels a layer, 48 in the widest; a stem of twice that."""
    spec = imagenet.densenet(depth)
    assert (growth, 2 * growth) == (spec.growth, spec.stem.width)
    assert features == plan(spec)[-1].c_out


def test_stochastic_depth_is_the_linear_rule_to_a_half():
    """The first of 50 units survives with 0.99, the last with 0.5."""
    spec = imagenet.stochastic(152)
    assert isinstance(spec, ResidualSpec)
    assert [0.99, 0.5] == [plan(spec)[index].survival for index in (0, -1)]
