"""A net of real CIFAR-10 put to use: asked about image files, and run by other programs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from PIL import Image

import residua
from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.data.loaders import evaluation_batches

pytestmark = pytest.mark.slow
COMMAND = shutil.which("residua", path=Path(sys.executable).parent)


def command(*arguments: object) -> Any:
    """Return the JSON that a command prints."""
    assert COMMAND is not None
    done = subprocess.run(
        [COMMAND, *map(str, arguments), "--json"], capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trained(cifar10_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-8 after three epochs of 2,000 images."""
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = ("--epochs", 3, "--set", "data.train_limit=2000", "--out", out)
    command("train", "cifar/resnet-8", "--data", "cifar10", "--data-dir", cifar10_dir, *settings)
    return out


@pytest.fixture(scope="module")
def images(cifar10_dir: Path) -> Images:
    """The first thousand test images."""
    test = sets.load("cifar10", cifar10_dir).test
    return test.take(torch.arange(1_000))  # type: ignore[return-value] - it is in memory


# What may be done to an image that a net should not mind, or hardly.
WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "larger": lambda image: image.resize((96, 96), Image.Resampling.NEAREST),
    "with alpha": lambda image: image.convert("RGBA"),
    "palette": lambda image: image.quantize(256),
    "wider": lambda image: padded(image, 48, 32),
    "taller": lambda image: padded(image, 32, 60),
}


def padded(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an image in the middle of a black one."""
    canvas = Image.new("RGB", (width, height))
    canvas.paste(image, ((width - 32) // 2, (height - 32) // 2))
    return canvas


def pictures(images: Images) -> Iterator[Image.Image]:
    """Yield images as pillow has them."""
    for pixels in images.pixels:
        yield Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def test_test_images_are_told_as_in_evaluation(trained: Path, images: Images, tmp_path: Path):
    """Twenty files of several sizes and modes have the classes that the tensors have."""
    net = residua.load(trained)
    expected = residua.predict(net, images.pixels[:20])
    ways = list(WAYS.items())
    for index, image in enumerate(pictures(images.take(torch.arange(20)))):
        _, way = ways[index % len(ways)]
        way(image).save(tmp_path / f"{index:02}.png")
    found = command("predict", trained, tmp_path)

    assert [f"{index:02}.png" for index in range(20)] == [Path(x["image"]).name for x in found]
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        way, _ = ways[index % len(ways)]
        near = 0.15 if way in {"palette", "larger"} else 1e-5
        likeliest = other["classes"][0]
        (share,) = (each.probability for each in one.classes if each.name == likeliest["name"])
        assert pytest.approx(share, abs=near) == likeliest["probability"], (index, way)
        assert bool(other["notes"]) == (way == "taller"), (way, other["notes"])


@pytest.mark.parametrize("fold", [(), ("--fold",)])
def test_onnx_runtime_agrees_on_a_thousand_test_images(
    trained: Path, images: Images, cifar10_dir: Path, tmp_path: Path, fold: tuple[str, ...]
):
    """No logit differs by 1e-4, and the error is the same."""
    out = tmp_path / "net.onnx"
    how = ("--data", "cifar10", "--data-dir", cifar10_dir, *fold)
    written = command("export", trained, "--format", "onnx", "--out", out, *how)
    assert (1_000, "onnx") == (written["n"], written["format"])
    assert written["max_abs_diff"] < 1e-4

    net = residua.load(trained)
    assert net.meta is not None
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    ((x, labels),) = evaluation_batches(
        images, batch_size=1_000, normalisation=weights.normalisation(net.meta), device="cpu"
    )
    logits = torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])
    with torch.inference_mode():
        expected = net(x)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    errors = [int((each != labels).sum()) for each in (expected.argmax(1), logits.argmax(1))]
    assert errors[0] == errors[1]
    assert 0 < errors[0] < 800
