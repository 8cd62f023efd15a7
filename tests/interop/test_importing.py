"""Importing: other people's weights compute in our nets what they did in theirs."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from residua.arch import names
from residua.arch.plan import plan
from residua.data import sets
from residua.data.images import Images
from residua.data.normalise import Normalisation
from residua.errors import UsageError
from residua.interop.importing import STATS, Imported, Source, import_weights
from residua.interop.layouts import LAYOUTS
from residua.interop.matching import empty
from residua.nets.build import create
from residua.training.evaluate import evaluate

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights" / "akamaster"
AKAMASTER = {"cifar/resnet-20": ("resnet20-12fca82f.th", 8.27)}
AKAMASTER |= {"cifar/resnet-32": ("resnet32-d509ac18.th", 7.37)}

Tensors = dict[str, Tensor]


def theirs(project: str, net: str, *, classes: int = 10) -> Tensors:
    """Return a state dict of a project's net, random and away from where training would start."""
    layout = next(one for one in LAYOUTS if one.project == project and one.holds(net))
    torch.manual_seed(0)
    tensors = {}
    for name, tensor in empty(names.spec(net)).items():
        shape = (classes, *tensor.shape[1:]) if name.startswith("classifier") else tensor.shape
        value = 0.2 * torch.randn(shape)
        if name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif len(shape) > 1:
            value *= 5 * math.sqrt(2 / value[0].numel())
        elif name.endswith(("running_var", "weight")):
            value = 0.2 + 0.6 * torch.rand(shape)
        tensors[layout.key(name, plan(names.spec(net)))] = value
    return tensors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test puts its checkpoint."""
    return tmp_path / "checkpoint.pth"


def imported(file: Path, tensors: Tensors, net: str, **told) -> Imported:
    """Import a state dict by way of a file."""
    torch.save(tensors, file)
    return import_weights(file, Source(net=net, **told))


def norm(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    """BN in evaluation."""
    statistics = (tensors[f"{name}.{which}"] for which in ("running_mean", "running_var"))
    return functional.batch_norm(x, *statistics, *affine(tensors, name))


def affine(tensors: Tensors, name: str) -> Iterator[Tensor]:
    """Weight and bias."""
    return (tensors[f"{name}.{which}"] for which in ("weight", "bias"))


def akamaster(x: Tensor, tensors: Tensors) -> Tensor:
    """Compute akamaster's ResNet-8 long-hand: option A with zeros on both sides of the channels."""
    conv = functional.conv2d
    x = norm(conv(x, tensors["conv1.weight"], padding=1), tensors, "bn1").relu()
    for stage in (1, 2, 3):
        stride, unit = min(stage, 2), f"layer{stage}.0"
        y = conv(x, tensors[f"{unit}.conv1.weight"], stride=stride, padding=1)
        y = conv(norm(y, tensors, f"{unit}.bn1").relu(), tensors[f"{unit}.conv2.weight"], padding=1)
        if stride == 2:
            quarter = y.shape[1] // 4
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
        x = (norm(y, tensors, f"{unit}.bn2") + x).relu()
    return functional.linear(x.mean((2, 3)), *affine(tensors, "linear"))


def kuangliu(x: Tensor, tensors: Tensors) -> Tensor:
    """Compute kuangliu's DenseNet-121 long-hand: new channels come before the old."""
    conv = functional.conv2d
    x = conv(x, tensors["conv1.weight"], padding=1)
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        for unit in (f"dense{block}.{place}" for place in range(layers)):
            y = conv(norm(x, tensors, f"{unit}.bn1").relu(), tensors[f"{unit}.conv1.weight"])
            y = norm(y, tensors, f"{unit}.bn2").relu()
            x = torch.cat((conv(y, tensors[f"{unit}.conv2.weight"], padding=1), x), dim=1)
        if block < 4:
            x = norm(x, tensors, f"trans{block}.bn").relu()
            x = functional.avg_pool2d(conv(x, tensors[f"trans{block}.conv.weight"]), 2)
    x = norm(x, tensors, "bn").relu().mean((2, 3))
    return functional.linear(x, *affine(tensors, "linear"))


@pytest.mark.parametrize(
    ("project", "net", "longhand"),
    [
        ("akamaster", "cifar/resnet-8", akamaster),
        ("kuangliu", "imagenet/densenet-121+cifar-stem", kuangliu),
    ],
)
def test_channels_in_another_order(file: Path, project: str, net: str, longhand):
    """Logits are those of the project's net, though it numbers its channels otherwise."""
    tensors = theirs(project, net)
    ours = imported(file, tensors, net, project=project).net
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(longhand(x, tensors), ours(x), rtol=1e-4, atol=1e-5)


def test_tensors_arrive_where_they_belong(file: Path):
    """Every tensor of ours is the one that the project's table names, to the bit."""
    net = "cifar/wrn-16-1"
    tensors = theirs("bearpaw", net)
    ours = imported(file, tensors, net, project="bearpaw").net
    layout = next(one for one in LAYOUTS if one.project == "bearpaw" and one.holds(net))
    for name, tensor in ours.state_dict().items():
        assert tensors[layout.key(name, ours.plan)].equal(tensor)


def test_what_an_import_says(file: Path):
    """The net is ready for evaluation; the project and the number of its tensors are told."""
    tensors = theirs("bearpaw", "cifar/wrn-16-1")
    found = imported(file, tensors, "cifar/wrn-16-1")
    assert ("bearpaw", len(tensors)) == (found.project, found.tensors)
    assert not any(module.training for module in found.net.modules())


@pytest.mark.parametrize(
    ("project", "net"),
    [
        ("akamaster", "cifar/resnet-20"),
        ("bearpaw", "cifar/resnet-20-b"),
        ("bearpaw", "cifar/densenet-bc-22-4"),
        ("pytorchcv", "cifar/resnet-20-b"),
        ("pytorchcv", "cifar/pyramidnet-20-a24"),
        ("kuangliu", "imagenet/resnet-18+cifar-stem"),
        ("torchvision", "imagenet/resnet-18"),
    ],
)
def test_the_layout_is_found(file: Path, project: str, net: str):
    """Without being told, by the names of the tensors and of the net."""
    assert project == imported(file, theirs(project, net), net).project


def test_our_own_state_dicts(file: Path):
    """A state dict of a net of ours needs to be told its normalisation, and loads as it is."""
    net = create("cifar/pyramidnet-8-a6")
    found = imported(
        file, net.state_dict(), "cifar/pyramidnet-8-a6", mean=(0.5, 0.4, 0.3), std=(1.0, 1.0, 2.0)
    )
    assert "residua" == found.project
    assert found.net.meta is not None
    assert [0.5, 0.4, 0.3] == pytest.approx(found.net.meta.mean.tolist())
    assert [1.0, 1.0, 2.0] == found.net.meta.std.tolist()
    assert all(net.state_dict()[key].equal(value) for key, value in found.net.state_dict().items())


def test_counts_of_batches_may_be_missing(file: Path):
    """PyTorch before 0.4.1 had none; they start at zero."""
    tensors = theirs("akamaster", "cifar/resnet-8")
    fewer = {key: value for key, value in tensors.items() if "num_batches" not in key}
    assert len(fewer) < len(tensors)
    found = imported(file, fewer, "cifar/resnet-8")
    assert len(fewer) == found.tensors
    assert 0 == found.net.stem.norm1.num_batches_tracked.item()


def test_half_precision_becomes_single(file: Path):
    """Weights of 16 bits are kept to the bit, as 32."""
    tensors = {key: value.half() for key, value in theirs("akamaster", "cifar/resnet-8").items()}
    found = imported(file, tensors, "cifar/resnet-8").net
    assert torch.float32 == found.stem.conv1.weight.dtype
    assert tensors["conv1.weight"].float().equal(found.stem.conv1.weight)


@pytest.mark.parametrize(
    ("project", "net", "classes", "stats", "data", "first"),
    [
        ("akamaster", "cifar/resnet-8", 10, "imagenet", "cifar10", "airplane"),
        ("bearpaw", "cifar/wrn-10-1", 100, "cifar", "cifar100", "apple"),
        ("pytorchcv", "cifar/resnet-8-b", 10, "cifar", "cifar10", "airplane"),
        ("bearpaw", "cifar/wrn-10-1", 7, "cifar", "unknown", "0"),
        ("torchvision", "imagenet/resnet-18", 1000, "imagenet", "imagenet", "0"),
        ("torchvision", "imagenet/resnet-18", 10, "imagenet", "unknown", "0"),
    ],
)
def test_what_the_project_trained_with_is_recorded(
    file: Path, project: str, net: str, classes: int, stats: str, data: str, first: str
):
    """Normalisation, data set, class names and size of the images."""
    meta = imported(file, theirs(project, net, classes=classes), net, project=project).net.meta
    assert meta is not None
    assert meta.std is not None
    mean, std = STATS[stats]
    assert [*mean, *std] == pytest.approx([*meta.mean.tolist(), *meta.std.tolist()])
    assert (net, data, classes) == (meta.net, meta.data, len(meta.classes))
    assert first == meta.classes[0]
    assert meta.image_size == (32 if net.startswith("cifar/") else 224)


def test_the_data_can_be_told(file: Path):
    """SVHN has as many classes as CIFAR-10; its names are digits."""
    tensors = theirs("pytorchcv", "cifar/resnet-8-b")
    meta = imported(file, tensors, "cifar/resnet-8-b", data="svhn").net.meta
    assert meta is not None
    assert ("svhn", tuple("0123456789")) == (meta.data, meta.classes)
    refused(file, tensors, "cifar/resnet-8-b", "cifar100 has 100 classes", data="cifar100")
    refused(file, tensors, "cifar/resnet-8-b", "did you mean cifar10?", data="cifar-10")


def refused(file: Path, tensors: Tensors, net: str, *told: str, **source):
    """Expect the file to be refused in one or two lines with some phrases."""
    with pytest.raises(UsageError) as caught:
        imported(file, tensors, net, **source)
    assert len(str(caught.value).splitlines()) <= 2
    for phrase in told:
        assert phrase in str(caught.value)


def test_a_deeper_net_is_refused(file: Path):
    """What is left over is named with shapes, the first few; and the net that it is."""
    refused(
        file,
        theirs("akamaster", "cifar/resnet-32"),
        "cifar/resnet-20",
        f"{file} does not hold cifar/resnet-20 as akamaster lays it out: 72 unmatched "
        "(layer1.3.conv1.weight 16×16×3×3, layer1.3.bn1.weight 16, layer1.3.bn1.bias 16, …)",
        "\nits tensors are those of cifar/resnet-32 as akamaster lays it out",
    )


def test_a_shallower_net_is_refused(file: Path):
    """What is missing is named with shapes."""
    refused(
        file,
        theirs("akamaster", "cifar/resnet-20"),
        "cifar/resnet-32",
        "60 missing (layer1.3.conv1.weight 16×16×3×3, layer1.3.bn1.weight 16, ",
    )


def test_another_width_is_refused(file: Path):
    """Both shapes are given."""
    refused(
        file,
        theirs("bearpaw", "cifar/wrn-16-4"),
        "cifar/wrn-16-2",
        " of another shape (block1.layer.0.conv1.weight 64×16×3×3 for 32×16×3×3, ",
        "\nits tensors are those of cifar/wrn-16-4 as bearpaw lays it out",
    )


def test_single_tensors_are_missed(file: Path):
    """Nothing is skipped and nothing made up."""
    tensors = theirs("akamaster", "cifar/resnet-8")
    more = tensors | {"extra.weight": torch.zeros(4, 2, 1, 1)}
    del more["bn1.running_var"]
    told = "1 unmatched (extra.weight 4×2×1×1); 1 missing (bn1.running_var 16)"
    refused(file, more, "cifar/resnet-8", told)


def test_tensors_of_unknown_names_are_refused(file: Path):
    """Their number tells which net it may be, though the names do not."""
    tensors = {f"x.{key}": value for key, value in theirs("akamaster", "cifar/resnet-20").items()}
    refused(
        file,
        tensors,
        "cifar/resnet-20",
        "nobody's cifar/resnet-20 that is known here has tensors of these names: x.conv1.weight",
        "\nits number of parameters is that of cifar/resnet-20 and cifar/plain-20",
    )


@pytest.mark.parametrize(
    ("net", "project", "told"),
    [
        ("cifar/resnet-20", "caffe", "no layout is called 'caffe'; there are akamaster, "),
        ("cifar/resnet-21", "auto", "the rule is depth = 6n + 2"),
        ("cifar/resnet-20", "pytorchcv", "has no cifar/resnet-20: it carries by option B"),
        ("imagenet/resnet-50", "torchvision", "imagenet/resnet-50+stride-3x3"),
        ("cifar/preresnet-20", "kuangliu", "no BN and ReLU before the classifier"),
        ("cifar/wrn-16-4", "akamaster", "its nets are cifar/resnet-D, cifar/resnet-D-b"),
    ],
)  # fmt: skip
def test_what_a_project_does_not_have_is_refused(file: Path, net: str, project: str, told: str):
    """The reason says what its net of that name is, or which nets it has."""
    refused(file, {"conv1.weight": torch.zeros(1)}, net, told, project=project)


def test_normalisation_that_nobody_told_is_asked_for(file: Path):
    """A state dict of ours says nothing of it."""
    tensors = create("cifar/resnet-8").state_dict()
    refused(file, tensors, "cifar/resnet-8", "give --mean and --std")
    refused(file, tensors, "cifar/resnet-8", "give --mean and --std", mean=(0.0, 0.0, 0.0))


@pytest.mark.parametrize("std", [(0.2, 0.2, 0.0), (0.2, 0.2, -0.2), (0.2, 0.2, float("nan"))])
def test_a_deviation_that_nothing_is_divided_by_is_refused(file: Path, std):
    """Every prediction would be."""
    tensors = create("cifar/resnet-8").state_dict()
    mean = (0.5, 0.5, 0.5)
    refused(file, tensors, "cifar/resnet-8", "--std numbers above 0", mean=mean, std=std)


def published(net: str) -> Imported:
    """Import akamaster's published weights."""
    file = WEIGHTS / AKAMASTER[net][0]
    if not file.is_file():
        pytest.skip(f"akamaster's weights do not lie in {WEIGHTS}")
    return import_weights(file, Source(net=net, project="akamaster"))


def error_of(found: Imported, images: Images) -> float:
    """Return its error in percent."""
    meta = found.net.meta
    assert meta is not None
    return evaluate(found.net, images, Normalisation(meta.mean, meta.std)).error


def test_published_weights_know_the_first_test_images(cifar10_dir: Path):
    """On 250 of them ResNet-20's error is near its own; channels out of order would spoil it."""
    images = sets.load("cifar10", cifar10_dir).test.take(torch.arange(250))
    assert error_of(published("cifar/resnet-20"), images) < 12


@pytest.mark.slow
@pytest.mark.parametrize("net", AKAMASTER)
def test_published_weights_have_their_published_error(cifar10_dir: Path, net: str):
    """On the 10,000 test images, as akamaster's README has it."""
    error = error_of(published(net), sets.load("cifar10", cifar10_dir).test)
    assert AKAMASTER[net][1] == pytest.approx(error, abs=0.02)
