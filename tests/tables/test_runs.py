"""Runs as tables."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.runs.records import RunDirectory
from residua.tables.runs import print_evaluation, print_over_seeds, print_record

RECORD: dict[str, Any] = {
    "test_error": 4.564,
    "test_error_tta": 4.216,
    "val_error": 5.125,
    "train_error": 1.004,
    "epochs": 20,
    "steps": 12_340,
    "train_seconds": 754.6,
    "images_per_second": 1234.5,
}


def test_a_record_is_shown_with_its_units(tmp_path: Path, printed: Callable[..., list[str]]):
    """Errors in percent, time in minutes, speed, and where the files are."""
    directory = RunDirectory(tmp_path)
    lines = printed(print_record, RECORD, directory, width=200)
    shown = dict(re.split(r" {2,}", line, maxsplit=1) for line in lines)
    expected = {
        "test error": "4.56 %",
        "with the mirrored view": "4.22 %",
        "validation error": "5.12 %",
        "training error": "1.00 %, augmented",
        "epochs": "20 (12,340 steps)",
        "training time": "12 min 35 s, 1234 images/s",
        "run directory": str(tmp_path),
    }
    assert expected == shown

    directory.curves.write_bytes(b"")
    lines = printed(print_record, RECORD, directory, width=200)
    assert f"learning curves         {tmp_path}/curves.png" == lines[-1]


def test_a_record_without_validation_shows_none(tmp_path: Path, printed: Callable[..., list[str]]):
    """No line rather than a line without a figure."""
    record = RECORD | {"val_error": None}
    lines = printed(print_record, record, RunDirectory(tmp_path))
    assert not any("validation" in line or "None" in line for line in lines)


def test_a_long_path_is_not_cut(tmp_path: Path, printed: Callable[..., list[str]]):
    """On a narrow terminal a path goes on in the next line."""
    deep = tmp_path / ("very" * 30)
    lines = printed(print_record, RECORD, RunDirectory(deep), width=60)
    assert str(deep) in "".join(line[24:] for line in lines)


def test_brackets_in_a_path_are_no_markup(tmp_path: Path, printed: Callable[..., list[str]]):
    """They are printed like all else."""
    lines = printed(print_record, RECORD, RunDirectory(tmp_path / "[red]run[/]"), width=200)
    assert lines[-1].endswith("/[red]run[/]")


def test_seeds_are_shown_with_their_interval(printed: Callable[..., list[str]]):
    """Mean and deviation of what all have, and each seed's test error."""
    summary = {"mean": 8.125, "sd": 0.256, "n": 2, "interval": [5.8251, 10.4249]}
    records = [{"seed": seed, "test_error": error} for seed, error in ((3, 7.944), (4, 8.306))]
    result = {"test_error": summary, "records": records}
    lines = printed(print_over_seeds, result, width=200)
    of_all = "8.12 ± 0.26 % (n = 2; the mean lies in 5.83 to 10.42 with 95 % confidence)"
    expected = {
        "test error": of_all,
        "seed 3": "test error 7.94 %",
        "seed 4": "test error 8.31 %",
    }
    assert expected == dict(re.split(r" {2,}", line, maxsplit=1) for line in lines)


RESULT: dict[str, Any] = {
    "error": 4.564,
    "top5_error": 0.126,
    "nll": 0.23456,
    "ece": 2.345,
    "n": 10_000,
    "split": "test",
    "views": "flip",
}


def test_an_evaluation_is_shown_with_its_units(printed: Callable[..., list[str]]):
    """Net, images, views, and four figures."""
    lines = printed(print_evaluation, RESULT, net="cifar/resnet-20", data="folder:[b]")
    expected = {
        "net": "cifar/resnet-20",
        "images": "10,000 of folder:[b], test",
        "views": "flip",
        "error": "4.56 %",
        "top-5 error": "0.13 %",
        "negative log-likelihood": "0.2346 nats",
        "calibration error": "2.35 %",
    }
    shown = dict(re.split(r" {2,}", line, maxsplit=1) for line in lines)
    assert expected == shown
