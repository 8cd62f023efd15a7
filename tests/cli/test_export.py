"""The verb ``export``: what it prints is what the check found, and what fails leaves nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import residua as package
from residua import export

Residua = Callable[..., Any]
Refused = Callable[..., None]
fault = pytest.mark.fault


def test_export_as_json(residua: Residua, finished: Path, tmp_path: Path):
    """Format, largest difference and file, after a check on the images asked for."""
    out = tmp_path / "net.safetensors"
    how = ("--format", "safetensors", "--out", out, "--data", "synthetic", "--json")
    outcome = residua("export", finished, *how)
    assert (0, "") == (outcome.status, outcome.err)
    expected = {"format": "safetensors", "max_abs_diff": 0.0, "file": str(out), "n": 160}
    assert expected == json.loads(outcome.out)
    assert "synthetic" == package.load(out).meta.data  # type: ignore[union-attr] - it has one


def test_export_for_people(residua: Residua, finished: Path, tmp_path: Path):
    """The same in words; noise serves as check, and BN is folded on request."""
    out = tmp_path / "net.pt2"
    outcome = residua("export", finished, "--format", "pt2", "--fold", "--out", out)
    assert (0, "") == (outcome.status, outcome.err)
    for phrase in ("pt2", "32 images", " in a logit"):
        assert phrase in outcome.out
    assert str(out) in "".join(outcome.out.split())  # it may take several lines
    assert out.is_file()


@fault("export: the file computes something else")
def test_an_export_whose_check_fails_leaves_nothing(
    residua: Residua,
    refused: Refused,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """The status is 1, and the difference is told."""
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    out = tmp_path / "net.safetensors"
    outcome = residua("export", finished, "--format", "safetensors", "--out", out)
    refused(outcome, "computes something else", "nothing was written", status=1)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("form", "name", "phrase", "status"),
    [
        pytest.param(
            *("pt2", "net.onnx", "must end in .pt2", 2),
            marks=fault("export: an ending of another format"),
        ),
        pytest.param(
            *("safetensors", "missing/net.safetensors", "cannot write to", 1),
            marks=fault("export: into a directory that is not there"),
        ),
        pytest.param(
            *("tflite", "net.tflite", "'tflite' is not one of", 2),
            marks=fault("export: an unknown format"),
        ),
    ],
)
def test_wrong_use_of_export_is_told(
    residua: Residua, refused: Refused, finished: Path, tmp_path: Path, form, name, phrase, status
):
    """In a line, and nothing is written."""
    outcome = residua("export", finished, "--format", form, "--out", tmp_path / name)
    refused(outcome, phrase, status=status)
    assert [] == list(tmp_path.iterdir())


@fault("export: folded weights of ours")
def test_weights_of_ours_are_not_folded(
    residua: Residua, refused: Refused, finished: Path, tmp_path: Path
):
    """They would be no net of ours any more."""
    how = ("--format", "safetensors", "--fold", "--out", tmp_path / "net.safetensors")
    refused(residua("export", finished, *how), "keep BN", status=2)
    assert [] == list(tmp_path.iterdir())


@fault("export: a directory without weights")
def test_an_export_of_nothing_is_told(residua: Residua, refused: Refused, tmp_path: Path):
    """There is nothing to write."""
    outcome = residua("export", tmp_path, "--format", "pt2", "--out", tmp_path / "net.pt2")
    refused(outcome, "no weights", status=2)
    assert [] == list(tmp_path.iterdir())
