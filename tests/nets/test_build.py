"""Build: initialisation, gates, order of execution and the names that weight files rely on."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

import residua
from residua import UsageError
from residua.arch import families, layers, names
from residua.arch.plan import plan
from residua.arch.spec import Gate, ResidualSpec, Shortcut, Spec, Survival
from residua.nets.build import Meta, Net, build, create, draw_gates, expected_gates
from residua.nets.units import run_units

IMAGES = (2, 3, 8, 8)


def seeded(spec: Spec) -> Net:
    """A net with weights from seed 0, in evaluation mode and float64."""
    torch.manual_seed(0)
    return build(spec).double().eval()


def images() -> torch.Tensor:
    """Two small images in float64."""
    return torch.randn(IMAGES, dtype=torch.float64)


@pytest.mark.parametrize("init", ["fan_in", "fan_out"])
@pytest.mark.parametrize("family", ["resnet", "densenet"])
def test_convolutions_start_with_the_spread_of_their_fan(init: str, family: str):
    """Each convolution is drawn from N(0, 2/(k²·fan)): mean and spread within five errors."""
    spec = families.resnet(20) if family == "resnet" else families.densenet(22, 12, bc=True)
    torch.manual_seed(0)
    net = build(dataclasses.replace(spec, init=init))  # type: ignore[type-var]
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) > 10
    for conv in convolutions:
        channels = conv.in_channels if init == "fan_in" else conv.out_channels
        expected = math.sqrt(2 / (conv.kernel_size[0] ** 2 * channels))
        weight = conv.weight.detach()
        assert expected == pytest.approx(weight.std().item(), rel=5 / math.sqrt(2 * weight.numel()))
        assert abs(weight.mean().item()) < 5 * expected / math.sqrt(weight.numel())


def test_norms_and_classifier_start_as_the_papers_code_has_them():
    """BN starts at 1 and 0; the classifier's weights fill ±1/√c_in, its biases are 0."""
    net = seeded(families.resnet(20))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.ones_like(module.weight).equal(module.weight)
            assert torch.zeros_like(module.bias).equal(module.bias)
    assert torch.zeros(10).equal(net.classifier.bias.float())
    bound = 1 / math.sqrt(64)
    assert 0.95 * bound < net.classifier.weight.abs().max().item() <= bound


def test_gates_start_at_their_bias():
    """The bias of every gate's convolution starts where the spec says.  Source: he2016 §3.2."""
    shortcut = Shortcut(carry=Gate(exclusive=True, bias=-6.0))
    net = seeded(dataclasses.replace(families.resnet(8), shortcut=shortcut))
    biases = [value for key, value in net.state_dict().items() if key.endswith("gate.conv1.bias")]
    assert [-6.0] * (16 + 32 + 64) == torch.cat(biases).tolist()


def test_the_same_seed_builds_the_same_net():
    """Weights are drawn from torch's global generator alone."""
    first, second = seeded(families.resnet(8)), seeded(families.resnet(8))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize("name", ["cifar/resnet-8", "cifar/densenet-10-4"])
def test_create_sets_classes_and_channels(name: str):
    """``num_classes`` and ``in_channels`` change the first and the last layer only."""
    usual, other = create(name), create(name, num_classes=7, in_channels=1)
    assert (2, 10) == usual(torch.randn(2, 3, 8, 8)).shape
    assert (2, 7) == other(torch.randn(2, 1, 8, 8)).shape
    assert (7, 1) == (other.spec.num_classes, other.spec.in_channels)
    shapes = zip(usual.state_dict().items(), other.state_dict().values(), strict=True)
    changed = {key for (key, one), two in shapes if one.shape != two.shape}
    assert {"stem.conv1.weight", "classifier.weight", "classifier.bias"} == changed


def test_create_refuses_an_unknown_name():
    """An unknown net is a wrong use, told with the nearest names."""
    with pytest.raises(residua.UsageError, match="cifar/resnet-110"):
        create("cifar/resnt-110")


# A net of every family, and of the options that change what stands at the start of a stage.
FAMILIES = [
    *("cifar/plain-8", "cifar/resnet-8", "cifar/resnet-8-b", "cifar/resnet-8-c"),
    *("cifar/resnet-11-bottleneck", "cifar/preresnet-8", "cifar/preresnet-11-bottleneck"),
    *("cifar/sd-resnet-8", "cifar/wrn-10-2-dropout", "cifar/densenet-10-4"),
    *("cifar/densenet-bc-10-4", "cifar/pyramidnet-8-a24", "cifar/pyramidnet-8-m2"),
    *("cifar/pyramidnet-11-a24-bottleneck", "cifar/pyramidnet-8-a24+project-halving"),
    *("imagenet/resnet-18", "imagenet/resnet-18-a", "imagenet/densenet-121"),
]


@pytest.mark.parametrize("name", FAMILIES)
def test_any_image_size_and_number_of_channels_work(name: str):
    """Pooling is global, and nothing halves what is one pixel wide: 8 pixels are enough."""
    net = create(name, in_channels=2, num_classes=3).eval()
    for height, width in ((8, 8), (9, 9), (31, 31), (48, 48), (64, 64), (8, 40)):
        with torch.inference_mode():
            features = net.forward_features(torch.randn(1, 2, height, width))
        assert (1, net.num_features) == features.shape[:2]
        # The count of multiply-adds believes the same of square images.
        *_, (_, side), _ = layers.walk(net.spec, image_size=height)
        assert height != width or (side, side) == features.shape[2:]
        assert (1, 3) == net.forward_head(features).shape


@pytest.mark.parametrize("name", ["cifar/resnet-8", "cifar/wrn-10-1", "cifar/densenet-10-4"])
def test_features_and_head_make_up_the_net(name: str):
    """Logits are the head of the features; before the classifier they are means of the maps."""
    net = seeded(names.spec(name))
    x = images()
    features = net.forward_features(x)
    assert net(x).equal(net.forward_head(features))
    pooled = net.forward_head(features, pre_logits=True)
    assert (2, net.num_features) == pooled.shape
    assert features.mean((2, 3)).equal(pooled)
    assert net.get_classifier()(pooled).equal(net(x))
    maps = run_units([(unit, 1.0) for unit in net.units], net.stem(x))
    assert net.classify(maps).equal(net(x))


def test_a_new_classifier_for_other_classes():
    """It is fresh and of the net's type; all else stays, but the names of the classes."""
    net = seeded(families.resnet(8))
    mean = torch.rand(3)
    net.meta = Meta(
        net="cifar/resnet-8", data="pets", classes=("a",) * 10, mean=mean, std=None, image_size=8
    )
    x = images()
    features = net.forward_features(x)
    net.reset_classifier(7)
    assert (2, 7) == net(x).shape
    assert (7, 7, 64) == (net.num_classes, net.spec.num_classes, net.num_features)
    assert features.equal(net.forward_features(x))
    assert torch.zeros(7, dtype=torch.float64).equal(net.classifier.bias)
    assert ((), mean) == (net.meta.classes, net.meta.mean)
    assert build(net.spec).state_dict().keys() == net.state_dict().keys()


def test_no_classes_leave_the_features():
    """With 0 classes, asked for at once or later, a net ends in its pooled features."""
    net = seeded(families.resnet(8))
    x = images()
    features = net.forward_head(net.forward_features(x), pre_logits=True)
    net.reset_classifier(0)
    assert features.equal(net(x))
    born = create("cifar/resnet-8", num_classes=0)
    assert (2, 64) == born(torch.randn(IMAGES)).shape
    assert not [name for name in born.state_dict() if name.startswith("classifier")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"num_classes": -1}, "num_classes must be 0"), ({"in_channels": 0}, "in_channels must be")],
)
def test_create_refuses_impossible_numbers(arguments: dict[str, int], message: str):
    """What has no meaning is told, where torch would build something odd."""
    with pytest.raises(residua.UsageError, match=message):
        create("cifar/resnet-8", **arguments)  # type: ignore[arg-type]


def test_feature_dropout_stands_before_the_classifier():
    """In training it drops pooled features; in evaluation it is not there."""
    spec = dataclasses.replace(families.pyramid(8, 24), feature_dropout=0.5)
    net = seeded(spec)
    x = images()
    features = net.head(net.units[2](net.units[1](net.units[0](net.stem(x))))).mean((2, 3))
    torch.testing.assert_close(net.classifier(features), net(x))
    seen: list[torch.Tensor] = []
    net.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net.train()(x)
    dropped = seen[0] == 0
    assert 0.2 < dropped.double().mean().item() < 0.8


@pytest.mark.parametrize(
    "order",
    [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 8, 7], [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]],
    ids=["delete the last", "swap the last two", "repeat the first"],
)
def test_order_executes_the_units_named(order: list[int]):
    """Deleting, swapping and repeating units equals calling them by hand."""
    net = seeded(families.resnet(20))
    x = images()
    y = net.stem(x)
    for index in order:
        y = net.units[index](y)
    expected = net.classifier(net.head(y).mean((2, 3)))
    assert expected.equal(net(x, order=order))
    assert not expected.equal(net(x))


def test_the_default_order_is_the_plans():
    """No order means every unit once, first to last."""
    net = seeded(families.resnet(20))
    x = images()
    assert net(x, order=range(9)).equal(net(x))


def test_gates_follow_their_unit_through_an_order():
    """A gate belongs to a row of the plan, not to a place in the execution."""
    net = seeded(families.resnet(20))
    x = images()
    gates = [1.0] * 9
    gates[7] = 0.0
    expected = net(x, order=[0, 1, 2, 3, 4, 5, 6, 8])  # option A: a deleted unit is the identity
    torch.testing.assert_close(expected, net(x, gates=gates, order=[0, 1, 2, 3, 4, 5, 6, 8, 7]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gates": [1.0, 1.0]}, "3 units need a gate each, not 2"),
        ({"gates": [1.0] * 4}, "3 units need a gate each, not 4"),
        ({"order": [0, -1]}, "units are 0 to 2"),
        ({"order": [0, 3]}, "units are 0 to 2"),
    ],
)
def test_gates_and_orders_that_fit_no_unit_are_refused(
    arguments: dict[str, list[Any]], message: str
):
    """With how many units there are."""
    net = residua.create("cifar/resnet-8").eval()
    with pytest.raises(UsageError, match=message):
        net(torch.zeros(1, 3, 32, 32), **arguments)


def test_a_unit_that_widens_cannot_be_left_out():
    """Without it the next one meets too few channels, and says so."""
    net = seeded(families.resnet(20))
    with pytest.raises(RuntimeError, match="channels"):
        net(images(), order=[0, 1, 2, 4, 5, 6, 7, 8])


def test_expected_gates_are_the_survival_probabilities():
    """p_l = 1 - l/L·(1 - p_L) for unit l = 1…L.  Source: huang2016 eq. 4."""
    rows = plan(families.stochastic(110))
    gates = expected_gates(rows)
    assert 54 == len(gates)
    assert 1 - 1 / 108 == pytest.approx(gates[0])
    assert 0.75 == pytest.approx(gates[26])
    assert 0.5 == pytest.approx(gates[53])
    assert (3 * 54 - 1) / 4 == pytest.approx(sum(gates))


def test_evaluation_uses_the_expected_gates():
    """In evaluation each branch is scaled by its survival, and nothing is random."""
    spec = dataclasses.replace(families.stochastic(20), survival=Survival(final=0.2))
    net = seeded(spec)
    x = images()
    assert net(x, gates=[1 - (i + 1) / 9 * 0.8 for i in range(9)]).allclose(net(x), rtol=1e-12)
    assert net(x).equal(net(x))
    assert not net(x, gates=[1.0] * 9).allclose(net(x))


def test_training_draws_anew_for_each_batch():
    """Each unit survives with its probability, one draw for a whole batch."""
    rows = plan(families.stochastic(20))
    generator = torch.Generator().manual_seed(0)
    draws = torch.tensor([draw_gates(rows, generator) for _ in range(4000)])
    assert {0.0, 1.0} == set(draws.unique().tolist())
    expected = torch.tensor(expected_gates(rows))
    error = (expected * (1 - expected) / 4000).sqrt()
    assert ((draws.mean(0) - expected).abs() < 5 * error).all()


def test_draws_are_a_function_of_the_generator():
    """The same generator state gives the same gates, another seed others."""
    rows = plan(families.stochastic(110))
    drawn = [draw_gates(rows, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_training_step_uses_the_drawn_gates():
    """The forward pass of training equals one with the gates that the global generator gives."""
    torch.manual_seed(0)
    net = build(families.stochastic(20)).double().train()
    x = images()
    state = torch.get_rng_state()
    gates = draw_gates(net.plan)
    assert 0.0 in gates
    torch.set_rng_state(state)
    y = net(x)
    assert net(x, gates=gates).equal(y)


def test_nets_without_stochastic_depth_draw_nothing():
    """Training such a net leaves the random generator alone."""
    net = build(families.resnet(8)).train()
    x = torch.randn(IMAGES)
    state = torch.get_rng_state()
    net(x)
    assert state.equal(torch.get_rng_state())
    assert (1.0,) * 3 == draw_gates(net.plan)


def test_a_skipped_unit_learns_nothing():
    """Its weights get no gradient and its running statistics stay; those of the others do not."""
    net = build(families.stochastic(20)).double().train()
    gates = [1.0] * 9
    gates[3] = gates[5] = 0.0
    net(images(), gates=gates).sum().backward()
    for index, unit in enumerate(net.units):
        skipped = index in {3, 5}
        assert all((weight.grad is None) == skipped for weight in unit.parameters()), index
        seen = unit.branch.norm1.num_batches_tracked.item()  # type: ignore[union-attr,operator]
        assert (0 if skipped else 1) == seen


STEM = ["stem.conv1.weight"]
CLASSIFIER = ["classifier.weight", "classifier.bias"]


def norm(name: str) -> list[str]:
    """The keys of one batch normalisation."""
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{name}.{part}" for part in parts]


def branch(index: int, kinds: str) -> list[str]:
    """The keys of a branch whose layers are ``kinds``: c a convolution, n a normalisation."""
    keys: list[str] = []
    counts = {"c": 0, "n": 0}
    for kind in kinds:
        counts[kind] += 1
        name = f"units.{index}.branch.{'conv' if kind == 'c' else 'norm'}{counts[kind]}"
        keys += [f"{name}.weight"] if kind == "c" else norm(name)
    return keys


KEYS: dict[str, list[str]] = {
    "cifar/resnet-8": [
        *(STEM + norm("stem.norm1")),
        *(branch(0, "cncn") + branch(1, "cncn") + branch(2, "cncn")),
        *CLASSIFIER,
    ],
    "cifar/resnet-8-b": [
        *(STEM + norm("stem.norm1")),
        *branch(0, "cncn"),
        *(*branch(1, "cncn"), "units.1.carry.conv1.weight", *norm("units.1.carry.norm1")),
        *(*branch(2, "cncn"), "units.2.carry.conv1.weight", *norm("units.2.carry.norm1")),
        *CLASSIFIER,
    ],
    "cifar/preresnet-8": [
        *(STEM + norm("units.0.shared.norm1")),
        *(key for key in branch(0, "ncnc") if "branch.norm1" not in key),
        *(branch(1, "ncnc") + branch(2, "ncnc")),
        *(norm("head.norm1") + CLASSIFIER),
    ],
    "cifar/pyramidnet-11-a24-bottleneck": [
        *(STEM + norm("stem.norm1")),
        *(branch(0, "ncncncn") + branch(1, "ncncncn") + branch(2, "ncncncn")),
        *(norm("head.norm1") + CLASSIFIER),
    ],
    "cifar/densenet-bc-10-4": [
        *(STEM + branch(0, "ncnc") + branch(1, "nc") + branch(2, "ncnc") + branch(3, "nc")),
        *(branch(4, "ncnc") + norm("head.norm1") + CLASSIFIER),
    ],
}


@pytest.mark.parametrize("name", KEYS)
def test_weight_files_have_meaningful_keys(name: str):
    """Keys say where a tensor lives: stem, unit and path, kind and order; they are a promise."""
    assert KEYS[name] == list(create(name).state_dict())


@pytest.mark.parametrize(
    "name", ["cifar/resnet-8-c", "cifar/wrn-10-2-dropout", "cifar/densenet-10-4"]
)
def test_the_module_holds_the_layers_of_the_plan(name: str):
    """What is built is what is counted: one module per layer, with its parameters."""
    net = create(name)
    expected = [layer.params for layer, _ in layers.walk(net.spec) if layer.params]
    modules = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    found = [module for module in net.modules() if isinstance(module, modules)]
    params = [sum(weight.numel() for weight in module.parameters()) for module in found]
    assert sorted(expected) == sorted(params)


def test_a_net_knows_its_spec_and_plan():
    """Units stand in the plan's order, one a row; nothing is loaded yet."""
    spec = families.pyramid(20, 24)
    net = build(spec)
    assert isinstance(net.spec, ResidualSpec)
    assert spec == net.spec
    assert plan(spec) == net.plan
    assert 9 == len(net.units)
    assert not net.meta
