"""``residua show``: what fits a screen, all of it, and the figure of the widths."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Residua = Callable[..., Any]


@pytest.mark.parametrize(
    "name",
    [
        *("cifar/resnet-1202", "cifar/densenet-bc-190-40", "cifar/sd-resnet-1202"),
        *("cifar/pyramidnet-272-a200-bottleneck", "cifar/pyramidnet-110-a24"),
        *("imagenet/densenet-264", "imagenet/pyramidnet-200-a300"),
    ],
)
def test_a_deep_net_fits_a_screen(residua: Residua, monkeypatch: pytest.MonkeyPatch, name: str):
    """Eighty columns by forty lines; as JSON all units are there."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = residua("show", name).out.splitlines()
    assert 40 > len(lines)
    assert 80 >= max(map(len, lines))
    assert len(json.loads(residua("show", name, "--json").out)["units"]) > len(lines)


def test_all_shows_every_unit(residua: Residua, monkeypatch: pytest.MonkeyPatch):
    """A line a unit, also of equal ones."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("cifar/resnet-20", "cifar/pyramidnet-110-a48"):
        units = json.loads(residua("show", name, "--json").out)["units"]
        lines = [line.split() for line in residua("show", name, "--all").out.splitlines()]
        found = [cells[:5] for cells in lines if cells[0].isdecimal()]
        keys = ("index", "stage", "c_in", "c_mid", "c_out")
        assert [[str(unit[key]) for key in keys] for unit in units] == found


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_the_figure_is_a_picture(residua: Residua, tmp_path: Path, suffix: str, start: bytes):
    """Beside what show prints; JSON stays JSON."""
    file = tmp_path / f"widths{suffix}"
    outcome = residua("show", "cifar/pyramidnet-20-a24", "--figure", file, "--json")
    assert (0, "") == (outcome.status, outcome.err)
    assert "cifar/pyramidnet-20-a24" == json.loads(outcome.out)["name"]
    assert [file] == list(tmp_path.iterdir())
    assert file.read_bytes().startswith(start)
    if suffix == ".png":
        with Image.open(file) as image:
            assert (1092, 624) == image.size


@pytest.mark.parametrize("file", ["widths", "widths.pdf", "widths.PNG.txt"])
def test_other_pictures_are_refused(residua: Residua, tmp_path: Path, file: str):
    """The endings that there are stand in the message."""
    outcome = residua("show", "cifar/resnet-20", "--figure", tmp_path / file)
    outcome.assert_refused("must end in .png or .svg", status=2)
    assert [] == list(tmp_path.iterdir())


def test_a_place_that_is_none_is_told(residua: Residua, tmp_path: Path):
    """The directory is missing."""
    outcome = residua("show", "cifar/resnet-20", "--figure", tmp_path / "nowhere" / "w.png")
    outcome.assert_refused("nowhere", "No such file or directory", status=1)


def test_without_matplotlib_the_figure_is_refused(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One line says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = residua("show", "cifar/resnet-20", "--figure", tmp_path / "w.png")
    outcome.assert_refused("--figure needs matplotlib: pip install 'residua[plots]'", status=2)
    assert 1 == len(outcome.err.splitlines())
    assert [] == list(tmp_path.iterdir())


def test_a_unit_is_drawn_without_matplotlib(
    residua: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its layers stand in the file."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    file = tmp_path / "unit.svg"
    outcome = residua("show", "cifar/resnet-20", "--unit", 3, "--figure", file)
    assert 0 == outcome.status
    assert ">3×3 conv, 32, /2</text>" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", [[], ["--figure", "unit.png"]])
def test_a_unit_wants_a_place_as_svg(residua: Residua, place: list[str]):
    """Without one, or with another ending, the message shows one that works."""
    outcome = residua("show", "cifar/resnet-20", "--unit", 3, *place)
    outcome.assert_refused("--figure unit.svg", status=2)


def test_a_unit_that_is_not_there_is_refused(residua: Residua, tmp_path: Path):
    """The message has the indices that there are."""
    file = tmp_path / "unit.svg"
    outcome = residua("show", "cifar/resnet-20", "--unit", 9, "--figure", file)
    outcome.assert_refused("has no unit 9: they are 0 to 8", status=2)
    assert not file.exists()
