"""Reference: our nets equal those written out from the papers, in value and gradient."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from residua.arch import families, imagenet, names
from residua.arch.spec import Doubling, Spec, Stem
from residua.nets.build import Net, build

from . import han2017, he2015, he2016, huang2016, huang2017, zagoruyko2016
from .notation import Weights

Reference = Callable[[Tensor, Weights], Tensor]

BY_NAME: dict[str, Reference] = {
    "cifar/plain-20": partial(he2015.resnet, depth=20, option="none"),
    "cifar/resnet-20": partial(he2015.resnet, depth=20, option="A"),
    "cifar/resnet-20-b": partial(he2015.resnet, depth=20, option="B"),
    "cifar/resnet-20-c": partial(he2015.resnet, depth=20, option="C"),
    "cifar/resnet-29-bottleneck": partial(he2015.bottleneck_resnet, depth=29),
    # he2016: orders of Fig. 4 (Table 2), shortcuts of Fig. 2 (Table 1), depth of Table 3
    "cifar/preresnet-20": partial(he2016.preresnet, n=3, unit=he2016.full_preactivation),
    "cifar/preresnet-29-bottleneck": partial(he2016.preresnet, n=3, unit=he2016.bottleneck),
    "cifar/resnet-26": partial(he2016.resnet, n=4, unit=he2016.original),
    "cifar/resnet-20+bn-after-addition": partial(he2016.resnet, n=3, unit=he2016.bn_after_addition),
    "cifar/resnet-20+relu-before-addition": partial(
        he2016.resnet, n=3, unit=he2016.relu_before_addition
    ),
    "cifar/resnet-20+relu-only": partial(he2016.relu_only_resnet, n=3),
    "cifar/resnet-20+scale-0-1": partial(
        he2016.resnet, n=3, unit=he2016.constant_scaling(carried=0, function=1)
    ),
    "cifar/resnet-20+scale-0.5-1": partial(
        he2016.resnet, n=3, unit=he2016.constant_scaling(carried=0.5, function=1)
    ),
    "cifar/resnet-20+scale-0.5-0.5": partial(
        he2016.resnet, n=3, unit=he2016.constant_scaling(carried=0.5, function=0.5)
    ),
    "cifar/resnet-20+gate-exclusive-6": partial(he2016.resnet, n=3, unit=he2016.exclusive_gating),
    "cifar/resnet-20+gate-shortcut-6": partial(
        he2016.resnet, n=3, unit=he2016.shortcut_only_gating
    ),
    "cifar/resnet-26-c": partial(he2016.resnet, n=4, unit=he2016.conv_shortcut),
    "cifar/resnet-20+dropped-0.5": partial(he2016.resnet, n=3, unit=he2016.dropout_shortcut),
    "cifar/resnet-20+one-layer": partial(he2016.resnet, n=6, unit=he2016.one_layer),
    "cifar/preresnet-20+one-layer": partial(
        he2016.preresnet, n=6, unit=he2016.one_layer_preactivation
    ),
    "cifar/preresnet-20+shared-stages": partial(
        he2016.preresnet, n=3, unit=he2016.stage_shared_preactivation
    ),
    # zagoruyko2016
    "cifar/wrn-16-1": partial(zagoruyko2016.wide_resnet, blocks=2, widen=1),
    "cifar/wrn-16-2": partial(zagoruyko2016.wide_resnet, blocks=2, widen=2),
    "cifar/wrn-16-2-dropout": partial(zagoruyko2016.wide_resnet, blocks=2, widen=2, dropout=0.3),
    "cifar/wrn-16-2+layers-4": partial(
        zagoruyko2016.wide_resnet, blocks=1, widen=2, kernels=(3, 3, 3, 3)
    ),
    **{
        f"cifar/wrn-16-2+b{kernels}": partial(
            zagoruyko2016.wide_resnet, blocks=2, widen=2, kernels=tuple(map(int, kernels))
        )
        for kernels in ("131", "31", "13", "311", "313")
    },
    # huang2017
    "cifar/densenet-22-12": partial(huang2017.densenet, growth=12, layers=6),
    "cifar/densenet-22-12+dropout-0.2": partial(
        huang2017.densenet, growth=12, layers=6, dropout=0.2
    ),
    "cifar/densenet-22-12+stem-2k": partial(huang2017.densenet, growth=12, layers=6, stem=24),
    "cifar/densenet-22-12+compressed": partial(
        huang2017.densenet, growth=12, layers=6, compression=0.5
    ),
    "cifar/densenet-22-12+bottleneck": partial(
        huang2017.densenet, growth=12, layers=3, bottleneck=True
    ),
    "cifar/densenet-bc-22-12": partial(
        huang2017.densenet, growth=12, layers=3, stem=24, bottleneck=True, compression=0.5
    ),
    "cifar/densenet-bc-22-12+dropout-0.2": partial(
        huang2017.densenet,
        growth=12,
        layers=3,
        stem=24,
        bottleneck=True,
        compression=0.5,
        dropout=0.2,
    ),
    # han2017
    "cifar/pyramidnet-20-a24": partial(han2017.pyramid, widths=han2017.additive(24, 9)),
    "cifar/pyramidnet-20-m4": partial(han2017.pyramid, widths=han2017.multiplicative(4, 9)),
    "cifar/pyramidnet-29-a24-bottleneck": partial(
        han2017.pyramid, widths=han2017.additive(24, 9), unit=han2017.bottleneck_unit
    ),
    **{
        f"cifar/pyramidnet-20-a24+{variation}": partial(
            han2017.pyramid, widths=han2017.additive(24, 9), unit=unit
        )
        for variation, unit in {
            "unit-a": han2017.unit_a,
            "unit-b": han2017.unit_b,
            "unit-c": han2017.unit_c,
            "project": han2017.projected_unit,
            "project-halving": han2017.halving_projected_unit,
        }.items()
    },
    "cifar/pyramidnet-104-a48-post": han2017.pyramid_of_the_post,
}


def net_of(spec: Spec) -> Net:
    """A net in float64 whose statistics and affine parameters are far from their start."""
    torch.manual_seed(0)
    net = build(spec).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return net


def weights_of(net: Net, *, training: bool) -> Weights:
    """Copies of a net's tensors; those that it trains want gradients here too."""
    trained = dict(net.named_parameters())
    return Weights(
        {
            key: tensor.detach().clone().requires_grad_(key in trained)
            for key, tensor in net.state_dict().items()
            if not key.endswith("num_batches_tracked")
        },
        training,
    )


def assert_equal(
    net: Net,
    reference: Reference,
    *,
    training: bool,
    gates: Sequence[float] | None = None,
    side: int = 16,
) -> None:
    """Logits, gradients of the input and of every weight, running statistics; no tensor unused."""
    net.train(training)
    w = weights_of(net, training=training)
    x = torch.randn(4, 3, side, side, dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    torch.manual_seed(1)  # dropout: the same masks, if it stands in the same places
    expected = reference(theirs, w)
    torch.manual_seed(1)
    actual = net(ours, gates=gates)
    close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-11)
    close(expected, actual)
    direction = torch.linspace(-1, 1, expected.numel(), dtype=torch.float64).view_as(expected)
    expected.backward(direction)
    actual.backward(direction)
    close(theirs.grad, ours.grad)
    assert set(w.tensors) == w.read or gates is not None
    for key, weight in net.named_parameters():
        assert (w.tensors[key].grad is None) == (weight.grad is None), key
        if weight.grad is not None:
            close(w.tensors[key].grad, weight.grad, msg=lambda text, key=key: f"{key}: {text}")
    for key, buffer in net.named_buffers():
        if not key.endswith("num_batches_tracked"):
            close(w.tensors[key], buffer)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", BY_NAME)
def test_a_named_net_is_the_papers(name: str, training: bool):  # noqa: FBT001 - a parameter of the test
    """Our table of rows computes what the paper's figure, written out by hand, computes."""
    assert_equal(net_of(names.spec(name)), BY_NAME[name], training=training)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_preactivation_on_imagenet_is_the_papers(training: bool):  # noqa: FBT001 - a parameter of the test
    """The first activation of a net for 224 pixels stands before max pooling and is shared."""
    spec = dataclasses.replace(
        imagenet.preact(50),
        depths=(2, 1, 2, 1),
        widths=Doubling(base=8),
        stem=Stem(kind="imagenet", width=8, preactivates=True),
    )
    reference = partial(he2016.imagenet_preresnet, depths=(2, 1, 2, 1))
    assert_equal(net_of(spec), reference, training=training, side=64)


@pytest.mark.parametrize("awake", [(1,) * 9, (1, 0, 1, 0, 1, 1, 0, 1, 0), (0,) * 9])
def test_stochastic_depth_trains_the_blocks_that_are_awake(awake: tuple[int, ...]):
    """A block that sleeps carries only: H_l = ReLU(id(H_{l-1})), transitions included."""
    net = net_of(families.stochastic(20))
    reference = partial(huang2016.stochastic_resnet, depth=20, awake=awake)
    assert_equal(net, reference, training=True, gates=[float(b) for b in awake])


def test_stochastic_depth_tests_the_expected_net():
    """At test time each block counts with its survival probability (eq. 5)."""
    reference = partial(huang2016.stochastic_resnet, depth=20)
    assert_equal(net_of(families.stochastic(20)), reference, training=False)


def test_a_reference_would_notice_another_net():
    """The comparison fails for a net of the same tensors that computes something else."""
    net = net_of(names.spec("cifar/resnet-20"))
    reference = partial(he2016.resnet, n=3, unit=he2016.relu_before_addition)
    with pytest.raises(AssertionError, match="not close"):
        assert_equal(net, reference, training=False)


def test_dropout_elsewhere_would_be_noticed():
    """Equal masks only prove the place of dropout if another place gives another result."""
    net = net_of(names.spec("cifar/wrn-16-2-dropout"))
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    outputs: list[Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(net.train()(x))
    assert outputs[0].equal(outputs[1])
    assert not outputs[0].allclose(outputs[2])
