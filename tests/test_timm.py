"""Our nets among timm's: names, arguments, features, and what timm's users do with a net."""

import inspect
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import residua
from residua import weights
from residua.arch import names
from residua.data import sets
from residua.data.normalise import mean_std
from residua.nets.build import Meta


@pytest.fixture(scope="module")
def door(torchvision_schemas: object) -> ModuleType:
    """Our module, which needs timm."""
    del torchvision_schemas
    pytest.importorskip("timm", reason="timm is not installed")
    import residua.timm

    return residua.timm


@pytest.fixture(scope="module")
def timm(door: ModuleType) -> ModuleType:
    """Timm itself, which knows our nets."""
    del door
    import timm

    return timm


def images(channels: int = 3) -> Tensor:
    """Two small images."""
    return torch.randn(2, channels, 16, 16, generator=torch.Generator().manual_seed(0))


def test_timm_lists_every_net_of_the_papers(timm: ModuleType, door: ModuleType):
    """Its names of them lead back to ours, and none is listed that is not ours."""
    listed = timm.list_models(f"{door.PREFIX}*")
    ours = {names.from_identifier(name.removeprefix(door.PREFIX)) for name in listed}
    assert set(names.NAMES) <= ours
    assert len(listed) == len(ours)
    assert {"residua_cifar_wrn_28_10", "residua_imagenet_wrn_18_1p5"} <= set(listed)
    assert not timm.list_models("residua_*", pretrained=True)
    assert all(inspect.isfunction(getattr(door, name)) for name in listed)


@pytest.mark.parametrize("name", ["cifar/wrn-16-4", "cifar/densenet-bc-40-36", "cifar/resnet-20"])
def test_timm_builds_the_net_of_the_name(timm: ModuleType, door: ModuleType, name: str):
    """The same weights from the same seed as ours, and with timm's own names for its options."""
    word = door.PREFIX + names.identifier(name)
    torch.manual_seed(0)
    theirs = timm.create_model(word).eval()
    torch.manual_seed(0)
    ours = residua.create(name).eval()
    assert ours(images()).equal(theirs(images()))
    other = timm.create_model(word, num_classes=7, in_chans=1)
    assert (2, 7) == other(images(1)).shape
    assert (7, 1) == (other.num_classes, other.in_chans)


def test_names_that_no_paper_has_can_be_registered(timm: ModuleType, door: ModuleType):
    """Any legal name; a wrong one is told as everywhere."""
    word = door.register("cifar/resnet-14")
    assert "residua_cifar_resnet_14" == word
    assert names.spec("cifar/resnet-14") == timm.create_model(word).spec
    with pytest.raises(residua.UsageError, match=r"depth = 6n \+ 2"):
        door.register("cifar/resnet-21")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"pretrained": True},
            r"no pretrained weights of residua_cifar_resnet_20: checkpoint_path",
        ),
        ({"drop_path_rate": 0.1}, "take num_classes, in_chans, .* not drop_path_rate"),
        ({"global_pool": ""}, "not global_pool: all else"),
        ({"global_pool": "max", "foo": [1]}, "not foo, global_pool: all else is in a net's name"),
    ],
)
def test_what_our_nets_have_not_is_refused(
    timm: ModuleType, arguments: dict[str, Any], message: str
):
    """One line says what there is instead."""
    with pytest.raises(residua.UsageError, match=message) as caught:
        timm.create_model("residua_cifar_resnet_20", **arguments)
    assert "\n" not in str(caught.value)


def test_options_that_change_nothing_pass(timm: ModuleType):
    """As timm's own scripts hand them over."""
    arguments = {"drop_rate": 0.0, "global_pool": "avg", "scriptable": False, "bn_eps": None}
    assert 10 == timm.create_model("residua_cifar_resnet_20", **arguments).num_classes


@pytest.mark.parametrize(
    ("name", "channels", "reductions"),
    [
        ("cifar/resnet-20", [16, 32, 64], [1, 2, 4]),
        ("cifar/wrn-16-4", [64, 128, 256], [1, 2, 4]),
        ("cifar/densenet-40-12", [160, 304, 448], [1, 2, 4]),
        ("imagenet/resnet-18", [64, 128, 256, 512], [4, 8, 16, 32]),
    ],
)
def test_features_of_every_stage(
    timm: ModuleType, door: ModuleType, name: str, channels: list[int], reductions: list[int]
):
    """``features_only`` gives each stage's last maps; the last are those that are pooled."""
    word = door.PREFIX + names.identifier(name)
    torch.manual_seed(0)
    features = timm.create_model(word, features_only=True).eval()
    torch.manual_seed(0)
    net = residua.create(name).eval()
    x = torch.randn(1, 3, 64, 64)
    maps = features(x)
    assert channels == [each.shape[1] for each in maps] == features.feature_info.channels()
    assert reductions == [64 // each.shape[2] for each in maps] == features.feature_info.reduction()
    torch.testing.assert_close(net.forward_features(x), maps[-1])
    some = timm.create_model(word, features_only=True, out_indices=(1, -1))
    assert [channels[1], channels[-1]] == [each.shape[1] for each in some(x)]


def test_a_backbone_and_a_new_head(timm: ModuleType):
    """Without classes a net gives pooled features; its classifier can be put anew."""
    net = timm.create_model("residua_cifar_resnet_20", num_classes=0)
    assert (2, net.num_features) == net(images()).shape
    net.reset_classifier(5)
    assert (2, 5) == net(images()).shape
    assert 5 == net.get_classifier().out_features
    assert (2, 64) == net.forward_head(net.forward_features(images()), pre_logits=True).shape


def test_weights_of_ours_are_a_checkpoint_of_timms(timm: ModuleType, tmp_path):
    """``checkpoint_path`` takes the safetensors file of a run."""
    net = residua.create("cifar/resnet-20").eval()
    mean = torch.zeros(3)
    meta = Meta(
        net="cifar/resnet-20", data="pets", classes=("a",) * 10, mean=mean, std=None, image_size=32
    )
    file = tmp_path / "model.safetensors"
    weights.save_weights(file, net, meta)
    theirs = timm.create_model("residua_cifar_resnet_20", checkpoint_path=file).eval()
    assert net(images()).equal(theirs(images()))


def test_the_configuration_is_the_papers(timm: ModuleType):
    """Size, classes, layers to exchange and the paper, as timm's tables show them."""
    config = timm.create_model("residua_imagenet_wrn_18_1").default_cfg
    assert ((3, 224, 224), 1000, "arXiv:1605.07146") == (
        config["input_size"],
        config["num_classes"],
        config["paper_ids"],
    )
    net = timm.create_model("residua_cifar_pyramidnet_104_a48_post")
    assert net.get_submodule(net.default_cfg["classifier"]) is net.get_classifier()
    assert 3 == net.get_submodule(net.default_cfg["first_conv"]).in_channels


def test_mean_and_deviation_are_those_of_cifar10(door: ModuleType, cifar10_dir):
    """The four digits are what the 50,000 training images come to."""
    train = sets.load("cifar10", cifar10_dir).train
    mean, std = mean_std(train, per_pixel=False)
    assert std is not None
    assert [round(value, 4) for value in mean.tolist()] == list(door.CIFAR_MEAN)
    assert [round(value, 4) for value in std.tolist()] == list(door.CIFAR_STD)
