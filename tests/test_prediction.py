"""A trained net asked about images: what evaluation would say of them, by name."""

import dataclasses
import sys

import pytest
import torch

import residua
from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.data.normalise import mean_std
from residua.errors import UsageError
from residua.nets.build import Meta, Net, create
from residua.training import evaluate


@pytest.fixture(scope="module")
def images() -> Images:
    """Forty images in colour."""
    return sets.load("synthetic").test.take(torch.arange(40))  # type: ignore[return-value] - it is in memory


def net_for(images: Images, *, num_classes: int = 10) -> Net:
    """Return a net whose norms have seen these images, with all that travels with weights."""
    torch.manual_seed(0)
    channels = images.pixels.shape[1]
    net = create("cifar/resnet-8", num_classes=num_classes, in_channels=channels)
    mean, std = mean_std(images, per_pixel=False)
    net.meta = Meta(
        net="cifar/resnet-8",
        data="synthetic",
        classes=tuple(f"class {index}" for index in range(num_classes)),
        mean=mean,
        std=std,
        image_size=32,
    )
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1
    (x, _), *_ = evaluate.evaluation_batches(
        images, batch_size=40, normalisation=weights.normalisation(net.meta), device="cpu"
    )
    net(x)
    return net.eval()


def test_predictions_are_those_of_evaluation(images: Images):
    """The five likeliest classes, in order, with the probabilities of an evaluation."""
    net = net_for(images)
    assert net.meta is not None
    found = residua.predict(net, images.pixels)
    table = evaluate.predict(net, images, weights.normalisation(net.meta))
    assert len(images) == len(found)
    for index, (prediction, row) in enumerate(zip(found, table.tolist(), strict=True), start=1):
        best = sorted(range(10), key=row.__getitem__, reverse=True)[:5]
        assert f"image {index}" == prediction.image
        assert [f"class {index}" for index in best] == [each.name for each in prediction.classes]
        assert [row[index] for index in best] == [each.probability for each in prediction.classes]
        assert () == prediction.notes


def test_more_images_than_a_batch_are_all_told(images: Images, monkeypatch: pytest.MonkeyPatch):
    """None is lost between batches, and none gets another's classes."""
    net = net_for(images)
    whole = residua.predict(net, images.pixels)
    monkeypatch.setattr(evaluate, "BATCH_SIZE", 16)
    parts = residua.predict(net, images.pixels)
    assert [each.image for each in whole] == [each.image for each in parts]
    for one, other in zip(whole, parts, strict=True):
        expected = pytest.approx([guess.probability for guess in one.classes], abs=1e-6)
        assert expected == [guess.probability for guess in other.classes]


def test_a_net_with_few_classes_tells_all(images: Images):
    """Three classes share all of the probability."""
    (prediction,) = residua.predict(net_for(images, num_classes=3), images.pixels[0])
    assert 3 == len(prediction.classes)
    assert pytest.approx(1) == sum(each.probability for each in prediction.classes)


def test_the_mode_of_a_net_is_left_alone(images: Images):
    """A net in training predicts as in evaluation, and goes on training."""
    net = net_for(images)
    expected = residua.predict(net, images.pixels[0])
    assert expected == residua.predict(net.train(), images.pixels[0])
    assert net.training


def test_a_net_for_grey_images_takes_any(images: Images):
    """Its one channel is the brightness."""
    grey = Images(images.pixels[:, :1].contiguous(), images.labels)
    net = net_for(grey)
    (plain,) = residua.predict(net, grey.pixels[0])
    (same,) = residua.predict(net, grey.pixels[0].expand(3, -1, -1))
    assert plain == same
    assert () == plain.notes


def test_whether_training_images_had_colours_is_told_from_their_mean(images: Images):
    """Three equal means are of grey images; a recipe that subtracts none says nothing."""
    net = net_for(images)
    assert net.meta is not None
    notes = {}
    for name, mean in {"colour": net.meta.mean, "grey": (0.4,) * 3, "none": (0.0,) * 3}.items():
        net.meta = dataclasses.replace(net.meta, mean=torch.as_tensor(mean))
        (prediction,) = residua.predict(net, images.pixels[0])
        notes[name] = prediction.notes
    told = ("it is in colour, the training images were grey",)
    assert {"colour": (), "grey": told, "none": ()} == notes


def test_imagenets_nets_see_the_middle_as_in_evaluation(images: Images):
    """Of the border nothing is seen, a sixteenth at each side."""
    net = net_for(images)
    assert net.meta is not None
    framed = [images.pixels[0].repeat_interleave(3, 1).repeat_interleave(3, 2) for _ in range(2)]
    framed[1][:, :1] = framed[1][:, -1:] = 255

    def same() -> bool:
        one, other = residua.predict(net, framed)
        return one.classes == other.classes

    assert not same()
    net.meta = dataclasses.replace(net.meta, data="imagenet:folder")
    assert same()


def test_a_net_that_says_nothing_is_wrong_use(images: Images):
    """Without weights, without classes, and with channels that no image has."""
    net = net_for(images)
    assert net.meta is not None
    image = images.pixels[0]
    with pytest.raises(UsageError, match=r"no trained weights: residua\.load"):
        residua.predict(create("cifar/resnet-8"), image)
    with pytest.raises(UsageError, match="at least 1, not 0"):
        residua.predict(net, image, top=0)
    net.meta = dataclasses.replace(net.meta, classes=())
    with pytest.raises(UsageError, match="name 0 classes and tell 10 apart"):
        residua.predict(net, image)
    net.reset_classifier(0)  # which leaves pooled features
    with pytest.raises(UsageError, match="name 0 classes and tell 0 apart"):
        residua.predict(net, image)
    other = create("cifar/resnet-8", in_channels=5)
    other.meta = dataclasses.replace(net_for(images).meta, mean=torch.zeros(5))  # type: ignore[type-var] - it has one
    with pytest.raises(UsageError, match="takes 5 channels"):
        residua.predict(other, image)


def test_without_pillow_the_package_is_named(images: Images, monkeypatch: pytest.MonkeyPatch):
    """It is optional, and only images need it."""
    for name in [name for name in sys.modules if name.startswith(("PIL", "residua.data.given"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"pip install 'residua\[images\]'"):
        residua.predict(net_for(images), images.pixels)
