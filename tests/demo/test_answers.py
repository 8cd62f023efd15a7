"""Answers: those of the net's own forward pass, with units left out as well."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import residua
from residua.data.images import Images
from residua.demo.answers import answer, lesioned
from residua.errors import UsageError
from residua.nets.build import Net
from residua.studies.measures import lesions
from residua.studies.measures.saliency import grad_cam


@pytest.fixture
def image(images: Images, tmp_path: Path) -> Path:
    """One of the images as a file."""
    path = tmp_path / "image.png"
    Image.fromarray(images.pixels[3].permute(1, 2, 0).contiguous().numpy()).save(path)
    return path


@pytest.fixture
def x(net: Net, images: Images) -> torch.Tensor:
    """The same image as the net reads it."""
    assert net.meta is not None
    return images.pixels[3:4] / 255 - net.meta.mean.view(3, 1, 1)


def probabilities(net: Net, x: torch.Tensor, **how) -> dict[str, float]:
    """What the net's own forward pass says."""
    assert net.meta is not None
    with torch.no_grad():
        found = net(x, **how)[0].softmax(0).tolist()
    return dict(zip(net.meta.classes, found, strict=True))


def test_the_whole_net_says_what_predict_says(net: Net, image: Path):
    """All of its classes, and twice the same."""
    found = answer(net, image)
    (expected,) = residua.predict(net, image, top=10)
    assert expected == found.now
    assert {each.name: each.probability for each in expected.classes} == found.whole
    assert expected.classes[0].name == found.looked_for


def test_units_left_out(net: Net, image: Path, x: torch.Tensor):
    """Their gates are 0; what the whole net says stays as it was."""
    found = answer(net, image, gone=[1, 4])
    gates = [0.0 if index in {1, 4} else 1.0 for index in range(len(net.plan))]
    now = {each.name: each.probability for each in found.now.classes}
    assert pytest.approx(probabilities(net, x, gates=gates), abs=1e-5) == now
    assert pytest.approx(probabilities(net, x), abs=1e-5) == found.whole
    assert max(abs(now[name] - found.whole[name]) for name in now) > 0.01


def test_the_heat_is_of_the_class_asked_for(net: Net, image: Path, x: torch.Tensor):
    """In the net without its units; the pixels are those of the image."""
    found = answer(net, image, gone=[2], looked_for="class <7>")
    torch.testing.assert_close(
        found.heat, grad_cam(lesioned(net, lesions.without(net, [2])), x, 7), atol=1e-5, rtol=0
    )
    assert not torch.allclose(found.heat, grad_cam(net, x, 7), atol=0.01)
    assert "class <7>" == found.looked_for
    assert torch.equal(((x[0] + net.meta.mean.view(3, 1, 1)) * 255).round().byte(), found.pixels)  # type: ignore[union-attr] - it has one


def test_a_plain_unit_is_left_out_whole():
    """It has no shortcut that could stay, so the copy has a unit less."""
    torch.manual_seed(0)
    plain = residua.create("cifar/plain-14").eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = plain(x, order=[0, 2, 3, 4, 5])
        found = lesioned(plain, lesions.without(plain, [1]))(x)
    torch.testing.assert_close(expected, found)
    assert 6 == len(plain.units)


def test_what_cannot_be_left_out_is_refused(net: Net, image: Path):
    """Whatever the page sends, the lesion study's own rules hold."""
    dense = residua.create("cifar/densenet-10-4").eval()
    dense.meta = net.meta
    with pytest.raises(UsageError, match="unit 2 is a transition"):
        answer(dense, image, gone=[2])
