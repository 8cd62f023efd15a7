"""Benchmarks: made importable, and a machine of round figures that nobody has to measure."""

import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
sys.path.append(str(REPO))


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
