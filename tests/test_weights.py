"""Weight files: what is saved comes back, and what is damaged is told."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import residua
from residua import weights
from residua.errors import RunError, UsageError
from residua.nets.build import Meta, Net, create
from residua.nets.fold import fold

NAMES = ["cifar/resnet-8", "cifar/sd-resnet-8", "cifar/pyramidnet-8-a6", "cifar/densenet-bc-10-4"]


def whitening(meta: Meta) -> Meta:
    """Return the same with a mean per pixel and a matrix."""
    matrix = torch.rand(192, 192, generator=torch.Generator().manual_seed(1))
    return dataclasses.replace(meta, mean=torch.rand(3, 8, 8), std=None, whitening=matrix)


def trained(name: str) -> Net:
    """Return a net for three classes whose BN statistics have seen some images."""
    torch.manual_seed(0)
    net = create(name, num_classes=3)
    net(torch.randn(8, 3, 8, 8))
    return net.eval()


def meta(name: str, *, per_pixel: bool = False) -> Meta:
    """Return what goes with it."""
    shape = (3, 8, 8) if per_pixel else (3,)
    return Meta(
        net=name,
        data="pets",
        classes=("cat", "dog", "été"),
        mean=torch.rand(shape, generator=torch.Generator().manual_seed(0)),
        std=None if per_pixel else torch.tensor([0.1, 0.2, 0.3]),
        image_size=8,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The weights of a ResNet-8 in a directory like a run's."""
    name = "cifar/resnet-8"
    weights.save_weights(tmp_path / "model.safetensors", trained(name), meta(name))
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("name", NAMES)
def test_loaded_nets_compute_what_saved_ones_did(tmp_path: Path, name: str):
    """Outputs are equal to the bit; spec and mode are right; the two files stand alone."""
    net, file = trained(name), tmp_path / "weights.safetensors"
    weights.save_weights(file, net, meta(name))
    loaded = weights.load(file)

    x = torch.randn(4, 3, 8, 8)
    assert net(x).equal(loaded(x))
    assert net.spec == loaded.spec
    assert not any(module.training for module in loaded.modules())
    assert {"weights.json", "weights.safetensors"} == {path.name for path in tmp_path.iterdir()}


def test_a_folded_copy_is_not_saved(tmp_path: Path):
    """Its layers are other ones, which nobody could load."""
    name = "cifar/resnet-8"
    with pytest.raises(UsageError, match="save the net, not its folded copy"):
        weights.save_weights(tmp_path / "model.safetensors", fold(trained(name)), meta(name))
    assert [] == list(tmp_path.iterdir())


def test_saving_leaves_the_net_as_it_is(tmp_path: Path):
    """Nets that train in channels_last are saved in the usual order, and go on as they were."""
    name = "cifar/resnet-8"
    net = trained(name).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights.save_weights(tmp_path / "a.safetensors", net, meta(name))
    weights.save_weights(tmp_path / "b.safetensors", trained(name), meta(name))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert net.stem.conv1.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("per_pixel", [True, False])
def test_the_meta_comes_back(tmp_path: Path, *, per_pixel: bool):
    """Net, data, classes and size are equal, mean and deviation to the bit, std maybe None."""
    expected = meta("cifar/resnet-8", per_pixel=per_pixel)
    weights.save_weights(tmp_path / "m.safetensors", trained("cifar/resnet-8"), expected)
    found = weights.load(tmp_path / "m.safetensors").meta

    assert found is not None
    tensors = {"mean", "std"}
    for field in {field.name for field in dataclasses.fields(Meta)} - tensors:
        assert getattr(expected, field) == getattr(found, field)
    assert expected.mean.equal(found.mean)
    assert torch.float32 == found.mean.dtype
    if expected.std is None:
        assert found.std is None
    else:
        assert found.std is not None
        assert expected.std.equal(found.std)


def test_whitening_comes_back(tmp_path: Path):
    """The matrix lies beside the weights, which others can read as before; it is the same bits."""
    file, expected = tmp_path / "m.safetensors", whitening(meta("cifar/resnet-8"))
    weights.save_weights(file, trained("cifar/resnet-8"), expected)
    plain = tmp_path / "plain.safetensors"
    weights.save_weights(plain, trained("cifar/resnet-8"), meta("cifar/resnet-8"))

    found = weights.load(file).meta

    assert found is not None
    assert found.whitening is not None
    assert expected.whitening is not None
    constants = weights.normalisation(found)
    assert expected.whitening.equal(found.whitening)
    assert constants.whitening is found.whitening
    assert (True, None) == (expected.mean.equal(constants.mean), constants.std)
    assert plain.read_bytes() == file.read_bytes()
    names = {"m.json", "m.safetensors", "m.whitening.safetensors", "plain.json", plain.name}
    assert names == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("damage", ["missing", "cut", "another", "unreadable"])
def test_damaged_whitening_is_told(tmp_path: Path, damage: str):
    """Weights are of no use without it, or with another; one line names the file."""
    file, ours = tmp_path / "model.safetensors", whitening(meta("cifar/resnet-8"))
    weights.save_weights(file, trained("cifar/resnet-8"), ours)
    matrix = tmp_path / "model.whitening.safetensors"
    content = matrix.read_bytes()
    matrix.unlink()
    if damage == "cut":
        matrix.write_bytes(content[:-1])
    elif damage == "another":
        matrix.write_bytes(content[:-4] + b"\0" * 4)
    elif damage == "unreadable":
        matrix.mkdir()

    with pytest.raises(RunError, match=r"model\.json: model\.whitening\.safetensors") as caught:
        weights.load(file)
    assert "\n" not in str(caught.value)


def test_a_description_of_before_whitening_loads(saved: Path):
    """Files that do not speak of whitening have none."""
    content = json.loads(saved.with_suffix(".json").read_bytes())
    del content["whitening"]
    saved.with_suffix(".json").write_text(json.dumps(content))
    found = weights.load(saved).meta
    assert found is not None
    assert found.whitening is None


def test_a_run_directory_stands_for_its_weights(saved: Path):
    """A directory, its weights file, a string: all load the same net."""
    x = torch.randn(2, 3, 8, 8)
    outputs = [net(x) for net in map(residua.load, (saved, saved.parent, str(saved.parent)))]
    assert outputs[0].equal(outputs[1])
    assert outputs[0].equal(outputs[2])


@pytest.mark.parametrize("missing", ["model.safetensors", "model.json"])
def test_a_missing_file_is_named(saved: Path, missing: str):
    """One without the other is of no use, and it is the missing one that is told."""
    (saved.parent / missing).unlink()
    for path in (saved, saved.parent):
        with pytest.raises(UsageError, match=f"no weights at .*{missing} does not exist"):
            weights.load(path)


def test_a_missing_directory_is_told(tmp_path: Path):
    """A path where nothing is says so."""
    with pytest.raises(UsageError, match=r"no weights at .*nowhere"):
        weights.load(tmp_path / "nowhere")


def another_net(file: Path):
    """Put another net's weights there."""
    weights.save_weights(file.with_name("other.safetensors"), trained("cifar/resnet-14"), meta("x"))
    file.write_bytes(file.with_name("other.safetensors").read_bytes())


def other_classes(file: Path):
    """Say that there are more classes than there are."""
    change(file.with_suffix(".json"), "spec", "num_classes", value=7)


def change(file: Path, *path: str, value: object):
    """Set one value of a JSON file."""
    place = content = json.loads(file.read_bytes())
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff" * 1000),
        another_net,
        other_classes,
        lambda file: change(file.with_suffix(".json"), "spec", "depths", value=[10**9] * 3),
        lambda file: change(file.with_suffix(".json"), "spec", "widths", "base", value=10**9),
        lambda file: change(file.with_suffix(".json"), "spec", "widths", "base", value=10**30),
    ],
    ids=["cut", "empty", "garbage", "another net", "other classes", "depth", "width", "no width"],
)
def test_damaged_weights_are_told(saved: Path, damage: Callable[[Path], object]):
    """One line names the file."""
    damage(saved)
    with pytest.raises(RunError, match=r"model\.safetensors is damaged or of another") as caught:
        weights.load(saved)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:50]),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text('"net"'),
        lambda file: change(file, "mean", value="grey"),
        lambda file: change(file, "mean", value=None),
        lambda file: change(file, "mean", value=[[[0.5]]]),
        lambda file: change(file, "std", value=[1.0]),
        lambda file: change(file, "whitening", value="0123"),
        lambda file: change(file, "image_size", value="large"),
        lambda file: change(file, "classes", value=3),
        lambda file: change(file, "spec", value=None),
        lambda file: change(file, "spec", "colour", value="blue"),
        lambda file: change(file, "spec", "depths", value=[]),
        lambda file: change(file, "image_size", value=[]),
    ],
    ids=[
        *("cut", "no text", "list", "string", "mean of text", "no mean", "small mean", "one std"),
        *("lost whitening", "size", "classes", "no spec", "unknown key", "no units", "no size"),
    ],
)
def test_a_damaged_description_is_told(saved: Path, damage: Callable[[Path], object]):
    """One line names the file; unknown keys are not ignored."""
    damage(saved.with_suffix(".json"))
    with pytest.raises(RunError, match=r"model\.json") as caught:
        weights.load(saved)
    assert "\n" not in str(caught.value)


def test_a_description_without_a_key_is_told(saved: Path):
    """The message names the key."""
    content = json.loads(saved.with_suffix(".json").read_bytes())
    del content["classes"]
    saved.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"model\.json is damaged .*classes"):
        weights.load(saved)


def test_the_description_is_readable_by_others(saved: Path):
    """Spec, classes, mean and std are there under these names; text is UTF-8."""
    content = json.loads(saved.with_suffix(".json").read_text(encoding="utf-8"))
    keys = {"net", "data", "spec", "classes", "mean", "std", "whitening", "image_size"}
    assert keys == content.keys()
    assert ["cat", "dog", "été"] == content["classes"]
    assert "residual" == content["spec"]["kind"]
    assert 3 == len(content["mean"]) == len(content["std"])
