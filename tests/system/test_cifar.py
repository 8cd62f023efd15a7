"""Real CIFAR-10, in small: from the archive to a record, and back from its weights."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = shutil.which("residua", path=Path(sys.executable).parent)


@pytest.mark.slow
def test_a_short_run_and_its_evaluation_agree(cifar10_dir: Path, tmp_path: Path):
    """An epoch of 512 images ends in a record; its weights have its test error to the digit."""
    assert COMMAND is not None
    data = ("--data", "cifar10", "--data-dir", str(cifar10_dir), "--json")
    settings = ("--epochs", "1", "--set", "data.train_limit=512", "--out", str(tmp_path / "run"))

    trained = subprocess.run(
        [COMMAND, "train", "cifar/resnet-8", *data, *settings], capture_output=True, check=True
    )
    evaluated = subprocess.run(
        [COMMAND, "evaluate", str(tmp_path / "run"), *data], capture_output=True, check=True
    )

    record, found = json.loads(trained.stdout), json.loads(evaluated.stdout)
    assert record == json.loads((tmp_path / "run" / "record.json").read_bytes())
    assert ("cifar10", 5_000, 512) == tuple(
        record["data"][name] for name in ("name", "val_size", "train_limit")
    )
    assert (1, 4) == (record["epochs"], record["steps"])
    assert (10_000, "test") == (found["n"], found["split"])
    assert record["test_error"] == found["error"]
    assert 50 < found["error"] < 95
