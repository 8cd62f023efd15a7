"""The command, killed in the middle of an epoch, ends where it would have ended."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

COMMAND = shutil.which("residua", path=Path(sys.executable).parent)
# The same command, but with a checkpoint after every step: no run of ours is long enough for one.
OFTEN = """
import functools
from residua.cli import main
from residua.training import runtime
runtime.Runtime = functools.partial(runtime.Runtime, checkpoint_s=0)
main()
"""
STEPS, NUM_EPOCHS = 20, 3  # steps in an epoch
TRAIN = (
    *(
        "train",
        "cifar/resnet-8",
        "--data",
        "synthetic",
        "--recipe",
        "he2015",
        "--epochs",
        str(NUM_EPOCHS),
    ),
    *("--set", "recipe.batch_size=8", "--set", "data.train_limit=160", "--resume", "--out"),
)
TIMES = {"seconds", "images_per_second", "train_seconds"}


def train(out: Path) -> None:
    """Run the command to its end."""
    assert COMMAND is not None
    subprocess.run([COMMAND, *TRAIN, str(out)], capture_output=True, check=True)


def train_and_kill(out: Path, *, when: Callable[[], bool]) -> None:
    """Run the command and kill it as soon as something is so."""
    command = [sys.executable, "-c", OFTEN, *TRAIN, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and not when():
            time.sleep(0.005)
    finally:
        process.kill()
        status = process.wait()
    assert -9 == status


def epochs(out: Path) -> list[dict]:
    """Return the metrics there are, without the times."""
    file = out / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [without_times(json.loads(line)) for line in lines]


def record(out: Path) -> dict:
    """Return the record, without the times."""
    return without_times(json.loads((out / "record.json").read_bytes()))


def without_times(content: dict) -> dict:
    """Return all but what no two runs share."""
    return {name: value for name, value in content.items() if name not in TIMES}


def step(out: Path) -> int:
    """Return the step that the newest checkpoint goes on from; 0 without one."""
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        with contextlib.suppress(FileNotFoundError):  # it is being replaced
            return torch.load(out / name, weights_only=True)["step"]
    return 0


def test_a_run_that_is_killed_ends_as_if_it_had_not(tmp_path: Path):
    """Killed in the middle of its second epoch and resumed: equal weights, metrics and record."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole)

    train_and_kill(parts, when=lambda: STEPS + 1 < step(parts) < 2 * STEPS)
    assert 0 < step(parts) % STEPS
    assert step(parts) < NUM_EPOCHS * STEPS
    assert 1 <= len(epochs(parts)) < NUM_EPOCHS
    assert not (parts / "record.json").exists()
    assert not (parts / "model.safetensors").exists()

    train(parts)

    weights = [(out / "model.safetensors").read_bytes() for out in (whole, parts)]
    assert weights[0] == weights[1]
    assert NUM_EPOCHS == len(epochs(parts))
    assert epochs(whole) == epochs(parts)
    assert record(whole) == record(parts)
