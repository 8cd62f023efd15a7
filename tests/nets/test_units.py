"""Units: each module of a row does what its docstring's law says, number by number."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from residua.arch import families
from residua.arch.layers import Layer
from residua.arch.plan import plan
from residua.arch.spec import (
    AVERAGE_PAD,
    BARE_PROJECTION,
    NO_SHORTCUT,
    OPTION_A,
    OPTION_B,
    OPTION_C,
    Dropped,
    Gate,
    ResidualSpec,
    Scale,
    Shortcut,
)
from residua.nets.units import (
    DenseLayer,
    GatedAdd,
    ResidualUnit,
    ScaledAdd,
    Transition,
    ZeroPad,
    unit,
)

CARRIES = {
    "identity": OPTION_A,
    "average": AVERAGE_PAD,
    "option B": OPTION_B,
    "option C": OPTION_C,
    "absent": NO_SHORTCUT,
    "scaled": Shortcut(carry=Scale(carry=0.25, branch=0.5)),
    "gated": Shortcut(carry=Gate(exclusive=False, bias=-1.0)),
    "exclusively gated": Shortcut(carry=Gate(exclusive=True, bias=-1.0)),
    "dropped": Shortcut(carry=Dropped()),
}


def basic(shortcut: Shortcut = OPTION_A, **changes: object) -> ResidualSpec:
    """ResNet-8 with another shortcut: one unit a stage."""
    return dataclasses.replace(families.resnet(8), shortcut=shortcut, **changes)  # type: ignore[arg-type]


def make(spec: ResidualSpec, index: int) -> ResidualUnit:
    """Unit ``index`` in evaluation mode, in float64, with weights that leave nothing at rest."""
    torch.manual_seed(index)
    made = unit(spec, plan(spec)[index]).double().eval()
    assert isinstance(made, ResidualUnit)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]
    return made


def maps(*shape: int) -> torch.Tensor:
    """Random maps in float64."""
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("window", [1, 2])
def test_zero_pad_appends_zeros_after_halving(side: int, window: int):
    """The halved input comes first, every appended channel is zero, odd sides round up."""
    x = maps(2, 3, side, side)
    y = ZeroPad(added=4, stride=2, window=window)(x)
    half = (side + 1) // 2
    expected = torch.empty(2, 3, half, half, dtype=torch.float64)
    for i in range(half):
        for j in range(half):
            there = x[:, :, 2 * i : 2 * i + window, 2 * j : 2 * j + window]
            expected[:, :, i, j] = there.mean((2, 3))  # the last window of an odd side is cut
    assert (2, 7, half, half) == y.shape
    torch.testing.assert_close(expected, y[:, :3])
    assert torch.zeros(2, 4, half, half, dtype=torch.float64).equal(y[:, 3:])


def test_zero_pad_without_stride_keeps_every_pixel():
    """A unit that only widens carries its input untouched, whatever the window."""
    x = maps(2, 3, 5, 5)
    assert x.equal(ZeroPad(added=2, stride=1, window=1)(x)[:, :3])


def test_zero_pad_shows_itself():
    """The printed module says how it pads."""
    pad = ZeroPad(added=4, stride=2, window=2)
    assert repr(pad) == "ZeroPad(added=4, stride=2, window=2)"


@pytest.mark.parametrize("shortcut", [OPTION_A, AVERAGE_PAD, OPTION_B])
@pytest.mark.parametrize("side", [7, 8, 9])
def test_both_paths_of_a_halving_unit_agree_in_size(shortcut: Shortcut, side: int):
    """Carry and branch round odd sides alike: ⌈side/2⌉."""
    y = make(basic(shortcut), 1)(maps(1, 16, side, side))
    assert (1, 32, -(-side // 2), -(-side // 2)) == y.shape


def test_scaled_add():
    """a·carry + b·branch."""
    carry, branch = maps(1, 2, 3, 3), maps(1, 2, 3, 3)
    y = ScaledAdd(Scale(carry=0.25, branch=0.5))(carry, branch)
    torch.testing.assert_close(0.25 * carry + 0.5 * branch, y)


@pytest.mark.parametrize("exclusive", [False, True])
def test_gated_add(exclusive: bool):  # noqa: FBT001 - a parameter of the test
    """(1 - g)·carry, and the branch whole or scaled by g, with g from the carried signal."""
    convolution = Layer(name="conv1", kind="conv", c_in=3, c_out=3, kernel=1, bias=True)
    add = GatedAdd(Gate(exclusive=exclusive, bias=-2.0), (convolution,)).double()
    carry, branch = maps(2, 3, 4, 4), maps(2, 3, 4, 4)
    weight, bias = (add.get_parameter(f"gate.conv1.{kind}") for kind in ("weight", "bias"))
    gate = torch.sigmoid(F.conv2d(carry, weight, bias))
    expected = (1 - gate) * carry + (gate * branch if exclusive else branch)
    torch.testing.assert_close(expected, add(carry, branch))


def test_a_gated_unit_reads_its_gate_from_what_it_carries():
    """Where the shape changes, the gate's convolution reads the padded signal."""
    made = make(basic(CARRIES["gated"]), 1)
    x = maps(2, 16, 6, 6)
    assert made.carry is not None
    carried = made.carry(x)
    expected = F.relu(made.join(carried, made.branch(x)))
    torch.testing.assert_close(expected, made(x))
    assert (32, 32, 1, 1) == made.join.gate.conv1.weight.shape  # type: ignore[union-attr]


@pytest.mark.parametrize("shortcut", CARRIES.values(), ids=CARRIES.keys())
@pytest.mark.parametrize("index", [0, 1])
def test_a_gate_multiplies_the_branch(shortcut: Shortcut, index: int):
    """A number and a tensor act alike: the branch's output is scaled before it joins."""
    spec = basic(shortcut)
    made = make(spec, index)
    x = maps(2, plan(spec)[index].c_in, 6, 6)
    y = 0.3 * made.branch(x)
    expected = made.after(y if made.carry is None else made.join(made.carry(x), y))
    torch.testing.assert_close(expected, made(x, 0.3))
    torch.testing.assert_close(expected, made(x, torch.tensor(0.3, dtype=torch.float64)))


def test_a_gate_may_differ_from_image_to_image():
    """A tensor of one gate an image deletes the branch for some of them only."""
    made = make(basic(), 0)
    x = maps(2, 16, 6, 6)
    y = made(x, torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1))
    torch.testing.assert_close(made(x, 0.0)[:1], y[:1])
    torch.testing.assert_close(made(x)[1:], y[1:])


@pytest.mark.parametrize("shortcut", CARRIES.values(), ids=CARRIES.keys())
@pytest.mark.parametrize("index", [0, 1])
def test_deleting_a_branch_equals_multiplying_it_by_zero(shortcut: Shortcut, index: int):
    """The number 0 leaves what a gate tensor of 0 leaves: scaled or gated carries stay so."""
    spec = basic(shortcut)
    made = make(spec, index)
    x = maps(2, plan(spec)[index].c_in, 6, 6)
    torch.testing.assert_close(made(x, torch.tensor(0.0, dtype=torch.float64)), made(x, 0.0))


def test_a_deleted_branch_is_not_computed():
    """A gate of 0 costs nothing: no layer of the branch runs, and none gets a gradient."""
    made = make(basic(), 0)
    ran: list[str] = []
    made.branch.register_forward_hook(lambda *_: ran.append("branch"))
    x = maps(2, 16, 6, 6).requires_grad_()
    made(x, 0.0).sum().backward()
    assert [] == ran
    assert [None] * 6 == [weight.grad for weight in made.branch.parameters()]
    assert x.grad is not None
    torch.testing.assert_close((x > 0).double(), x.grad)


def test_a_plain_unit_has_one_path():
    """Without a shortcut a unit is its branch, followed by what stands after."""
    made = make(basic(NO_SHORTCUT), 1)
    x = maps(2, 16, 6, 6)
    assert made.carry is None
    torch.testing.assert_close(F.relu(made.branch(x)), made(x))


def test_option_c_projects_where_the_shape_stays():
    """Option C projects, with BN, in every shortcut; option B only where the shape changes."""
    always, where_needed = make(basic(OPTION_C), 0), make(basic(OPTION_B), 0)
    assert ["conv1", "norm1"] == [name for name, _ in always.carry.named_children()]  # type: ignore[union-attr]
    assert [] == list(where_needed.carry.named_children())  # type: ignore[union-attr]


@pytest.mark.parametrize("share", ["never", "change"])
def test_both_paths_read_a_shared_preactivation(share: str):
    """Where it is shared, the projection reads the activated input; elsewhere the raw one."""
    spec = dataclasses.replace(
        families.preact(8),
        shortcut=BARE_PROJECTION,
        share=share,  # type: ignore[arg-type]
    )
    made = make(spec, 1)
    x = maps(2, 16, 6, 6)
    first = made.shared if share == "change" else made.branch
    active = F.relu(first.norm1(x))  # type: ignore[operator]
    rest = [
        module for name, module in made.branch.named_children() if name not in {"norm1", "relu1"}
    ]
    expected = nn.Sequential(*rest)(active) + made.carry.conv1(active if share == "change" else x)  # type: ignore[union-attr,operator]
    torch.testing.assert_close(expected, made(x))


def test_a_dropped_carry_drops_in_training_only():
    """In training the carried signal is 0 or doubled; in evaluation it passes."""
    spec = basic(CARRIES["dropped"])
    made = make(spec, 0)
    x = maps(4, 16, 8, 8)
    assert made.carry is not None
    assert x.equal(made.carry(x))
    made.train()
    ratio = made.carry(x) / x
    assert {0.0, 2.0} == set(ratio.unique().tolist())


def test_dropout_of_wide_nets_stands_before_the_second_convolution():
    """BN, ReLU, convolution, BN, ReLU, dropout, convolution.  Source: zagoruyko2016 Fig. 1(d)."""
    spec = families.wide(10, 1, dropout=0.3)
    made = unit(spec, plan(spec)[0])
    expected = ["norm1", "relu1", "conv1", "norm2", "relu2", "dropout1", "conv2"]
    assert expected == [name for name, _ in made.branch.named_children()]
    assert made.branch.dropout1.p == 0.3  # type: ignore[union-attr]


@pytest.mark.parametrize("bc", [False, True])
def test_a_dense_layer_appends(bc: bool):  # noqa: FBT001 - a parameter of the test
    """The input's channels come first, unchanged, then ``growth`` new ones, times the gate."""
    spec = families.densenet(10, 5, bc=bc)
    layer = unit(spec, plan(spec)[0]).double().eval()
    assert isinstance(layer, DenseLayer)
    x = maps(2, spec.stem.width, 6, 6)
    y = layer(x)
    assert (2, spec.stem.width + 5, 6, 6) == y.shape
    assert x.equal(y[:, : spec.stem.width])
    torch.testing.assert_close(layer.branch(x), y[:, spec.stem.width :])
    torch.testing.assert_close(0.5 * y[:, spec.stem.width :], layer(x, 0.5)[:, spec.stem.width :])


def test_a_bottleneck_layer_narrows_to_four_growths():
    """BN, ReLU, 1×1 to 4k, BN, ReLU, 3×3 to k.  Source: huang2017 §3."""
    spec = families.densenet(100, 12, bc=True)
    branch = unit(spec, plan(spec)[15]).branch
    names = [name for name, _ in branch.named_children()]
    assert ["norm1", "relu1", "conv1", "norm2", "relu2", "conv2"] == names
    assert (48, 24 + 15 * 12, 1, 1) == branch.conv1.weight.shape  # type: ignore[union-attr]
    assert (12, 48, 3, 3) == branch.conv2.weight.shape  # type: ignore[union-attr]


@pytest.mark.parametrize("side", [6, 7])
def test_a_transition_compresses_and_halves(side: int):
    """BN, ReLU, 1×1 convolution to half the channels, 2×2 average pooling that floors odd sides."""
    spec = families.densenet(10, 5, bc=True)
    transition = unit(spec, plan(spec)[1]).double().eval()
    assert isinstance(transition, Transition)
    x = maps(2, 15, side, side)
    branch = transition.branch
    active = F.relu(branch.norm1(x))  # type: ignore[operator]
    expected = F.avg_pool2d(F.conv2d(active, branch.conv1.weight), 2)  # type: ignore[arg-type]
    assert (2, 7, 3, 3) == expected.shape
    torch.testing.assert_close(expected, transition(x))
