"""The verb ``export``: what it prints is what the check found, and what fails leaves nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import residua as package
from residua import export

Residua = Callable[..., Any]


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


def test_an_export_whose_check_fails_leaves_nothing(
    residua: Residua, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The status is 1, and the difference is told."""
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    out = tmp_path / "net.safetensors"
    outcome = residua("export", finished, "--format", "safetensors", "--out", out)
    outcome.assert_refused("computes something else", "nothing was written", status=1)
    assert [] == list(tmp_path.iterdir())


def test_wrong_use_of_export_is_told(residua: Residua, finished: Path, tmp_path: Path):
    """An ending that belies the format, weights of ours folded, no weights, an unknown format."""
    for source, form, name, phrase, status in (
        (finished, "pt2", "net.onnx", "must end in .pt2", 2),
        (finished, "safetensors", "missing/net.safetensors", "cannot write to", 1),
        (tmp_path, "pt2", "net.pt2", "no weights", 2),
        (finished, "tflite", "net.tflite", "'tflite' is not one of", 2),
    ):
        outcome = residua("export", source, "--format", form, "--out", tmp_path / name)
        outcome.assert_refused(phrase, status=status)
    how = ("--format", "safetensors", "--fold", "--out", tmp_path / "net.safetensors")
    residua("export", finished, *how).assert_refused("keep BN", status=2)
    assert [] == list(tmp_path.iterdir())
