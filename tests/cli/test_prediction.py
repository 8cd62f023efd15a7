"""The verb ``predict``: tables and JSON, notes on standard error, bad input in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Residua = Callable[..., Any]
Refused = Callable[..., None]
fault = pytest.mark.fault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, one of which is unlike the training images."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 32), (200, 100, 50)).save(tmp_path / "images" / "[red] a.png")
    Image.new("RGB", (640, 320), (50, 100, 200)).save(tmp_path / "images" / "b.jpg")
    return tmp_path / "images"


def test_predict_as_json(residua: Residua, finished: Path, folder: Path):
    """A list of what each image may be, the likeliest first, and of how it is odd."""
    outcome = residua("predict", finished, folder, "--json")
    assert 0 == outcome.status
    first, second = json.loads(outcome.out)
    assert {"image", "classes", "notes"} == first.keys()
    assert str(folder / "[red] a.png") == first["image"]
    assert [] == first["notes"]
    shares = [each["probability"] for each in first["classes"]]
    assert 5 == len(shares)
    assert sorted(shares, reverse=True) == shares
    assert all(each["name"].startswith("pattern ") for each in first["classes"])
    size, shape = second["notes"]
    assert "it is 640×320, the training images were 32×32" == size
    assert "2.0 times as long as wide" in shape
    assert [f"{folder / 'b.jpg'}: {note}" for note in (size, shape)] == outcome.err.splitlines()


def test_predict_for_people(residua: Residua, finished: Path, folder: Path):
    """The file's name, the classes and percents, from a run or from its weights file."""
    document = json.loads(residua("predict", finished, folder, "--json").out)
    weights = finished / "model.safetensors"
    outcome = residua("predict", weights, *sorted(folder.iterdir()))
    assert 0 == outcome.status
    heading, *lines = outcome.out.splitlines()
    assert ["image", "class", "probability"] == heading.split()
    assert "[red] a.png" in outcome.out
    expected = [
        f"{guess['name']} {100 * guess['probability']:.1f} %"
        for each in document
        for guess in each["classes"]
    ]
    found = [" ".join(line.split()) for line in lines]
    assert all(any(line.endswith(each) for line in found) for each in expected)


@pytest.fixture
def bad_images(tmp_path: Path) -> Path:
    """What nobody can predict: text, a moving image, a bomb, an empty folder."""
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty").mkdir()
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "phrase", "status"),
    [
        pytest.param("text.png", "it is no ", 1, marks=fault("predict: text for an image")),
        pytest.param("moving.gif", "it has 2 frames", 1, marks=fault("predict: a moving image")),
        pytest.param("huge.png", "decompression bomb", 1, marks=fault("predict: a huge image")),
        pytest.param("empty", "holds no image", 2, marks=fault("predict: an empty folder")),
        pytest.param("nowhere.png", "does not exist", 2, marks=fault("predict: no such file")),
    ],
)
def test_bad_images_are_told(
    residua: Residua, refused: Refused, finished: Path, bad_images: Path, name, phrase, status
):
    """Each in one line with its name, and nothing on standard output; 2 if the path is wrong."""
    outcome = residua("predict", finished, bad_images / name)
    refused(outcome, str(bad_images / name), phrase, status=status)


@fault("predict: a directory without weights")
def test_a_directory_without_weights_is_told(
    residua: Residua, refused: Refused, folder: Path, tmp_path: Path
):
    """It is wrong use, as is a prediction of nothing."""
    refused(residua("predict", tmp_path, folder), "no weights", status=2)
    assert 2 == residua("predict", tmp_path).status


@fault("predict: weights without classes")
def test_weights_without_classes_are_told(
    residua: Residua, refused: Refused, finished: Path, folder: Path
):
    """What a class is called is not made up."""
    description = json.loads((finished / "model.json").read_bytes())
    file = folder / "weights.safetensors"
    file.write_bytes((finished / "model.safetensors").read_bytes())
    file.with_suffix(".json").write_text(json.dumps({**description, "classes": []}))
    outcome = residua("predict", file, folder)
    refused(outcome, "name 0 classes and tell 10 apart", "missing", status=2)
