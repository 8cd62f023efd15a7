"""Benchmarks: made importable, and a machine of round figures that nobody has to measure."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from residua.runs.config import DataChoice, Run
from residua.runs.records import Record, open_directory
from residua.training import presets
from residua.training.recipes import Recipe

REPO = Path(__file__).parents[2]
sys.path.append(str(REPO))

from benchmarks.records import Kept  # noqa: E402 - importable only now


@pytest.fixture
def facts() -> dict[str, Any]:
    """A machine that computes 100 or 400 GFLOP/s and copies 10 GB/s."""
    return {
        "versions": {"torch": "2.13.0", "pytorchcv": "0.0.74"},
        "device": "A processor, threads: 2",
        "commit": "0123456789ab",
        "cores": 2,
        "flags": ["avx512_bf16"],
        "load_before": 0.0,
        "rates": {
            "matmul_fp32_gflops": 100.0,
            "matmul_bf16_gflops": 300.0,
            "conv_fp32_gflops": 90.0,
            "conv_bf16_gflops": 400.0,
            "copy_gb_per_s": 10.0,
        },
    }


@pytest.fixture
def times():
    """A function that gives what is kept of a contender whose median is known."""

    def of(median_s: float) -> dict[str, float]:
        return {"median_s": median_s, "min_s": median_s / 2, "max_s": median_s * 2, "n": 3}

    return of


@pytest.fixture
def steps_result(facts, times) -> dict[str, Any]:
    """A record of steps: ResNet-20 four times as fast as one peer and as fast as the other."""
    row = {
        "net": "ResNet-20",
        "ours": "cifar/resnet-20-b",
        "peer": "resnet_cifar.resnet20",
        "batch_size": 128,
        "flops": 40e9,
        "bytes": 2e9,
        "times": {"peer as shipped": times(1.6), "peer tuned": times(0.4), "ours": times(0.4)},
    }
    return {"benchmark": "steps", "form": "long", "machine": facts, "rows": [row]}


@pytest.fixture
def kept() -> Callable[..., Kept]:
    """A function that gives the record of a run that nobody made."""

    def of(
        recipe: Recipe, *, net: str = "cifar/resnet-20", val_size: int = 5000, **given: Any
    ) -> Kept:
        data = {"name": "cifar10", "val_size": val_size, "train_limit": None, "image_size": 32}
        usual = {
            "seed": 0,
            "params": 269_722,
            "epochs": 16,
            "steps": 5616,
            "test_error": 9.0,
            "test_error_tta": 8.5,
            "val_error": None,
            "best_val_error": None,
            "train_loss": 0.1,
            "train_error": 3.0,
            "train_seconds": 1500.0,
            "images_per_second": 480.0,
            "device": "A processor, threads: 2",
            "versions": {},
            "commit": "0123456789ab",
        }
        key = f"{hash((recipe, net, val_size, *map(str, given.items()))) % 2**48:012x}"
        as_json = json.loads(json.dumps(asdict(recipe)))
        return Kept(**{"key": key, "net": net, "data": data, "recipe": as_json} | usual | given)

    return of


@pytest.fixture
def run_directory(tmp_path: Path, kept: Callable[..., Kept]) -> Callable[..., Path]:
    """A function that makes the directory of a run, finished or not."""

    def made(name: str = "run", *, finished: bool = True, seed: int = 0) -> Path:
        recipe = presets.get("he2015")
        run = Run(
            net="cifar/resnet-20",
            data=DataChoice(name="cifar10", val_size=5000),
            recipe=recipe,
            seed=seed,
        )
        env = {"commit": "fedcba987654+changes"}
        directory = open_directory(tmp_path / "runs" / name, run, resume=False, env=env)
        (directory.path / "checkpoint.pt").write_bytes(b"weights and more")
        if finished:
            values = asdict(kept(recipe, key=run.key, seed=seed))
            del values["commit"], values["at_once"]
            directory.write_record(Record(**values))
        return directory.path

    return made
