"""What the numbers were measured on, and how fast it multiplies matrices and copies memory.

python -m benchmarks.machine
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks.timing import Budget, interleaved, timed
from residua.training.runtime import Runtime, environment, versions

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "avx10_1")
CPU = Runtime(device=torch.device("cpu"))
CHANNELS = 128  # of the convolution that is timed
BUDGET = Budget(seconds=1, at_least=5, warm_up=1)


def facts(runtime: Runtime = CPU, *, side: int = 2048, copied_mb: int = 256) -> dict[str, Any]:
    """Processor or GPU, cores, versions, commit, and the rates of :func:`rates`."""
    return {
        **environment(runtime),
        "versions": {**versions(), "pytorchcv": _version("pytorchcv")},
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "flags": [flag for flag in FLAGS if flag in _flags()],
        "load_before": round(os.getloadavg()[0], 2),
        "rates": rates(runtime.device, side=side, copied_mb=copied_mb),
    }


def rates(device: torch.device = CPU.device, *, side: int, copied_mb: int) -> dict[str, float]:
    """The best rates of a plain matrix product, of a large convolution, and of a copy in memory.

    The best, not the median: they are the roof. A convolution is a matrix product too, and a
    library may do only one of the two well on a processor. A copy counts what it reads and writes.
    """
    works: dict[str, Callable[[], object]] = {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = torch.randn(2, side, side).to(device, dtype).unbind()
        works[f"matmul_{precision}"] = partial(torch.mm, a, b)
        maps = torch.randn(side // 16, CHANNELS, 16, 16).to(device, dtype)
        weight = torch.randn(CHANNELS, CHANNELS, 3, 3).to(device, dtype)
        maps = maps.contiguous(memory_format=torch.channels_last)
        works[f"conv_{precision}"] = partial(functional.conv2d, maps, weight, padding=1)
    source = torch.zeros(copied_mb * 1_000_000, dtype=torch.uint8, device=device)
    works["copy"] = partial(torch.ones_like(source).copy_, source)
    best = interleaved({name: timed(work, device) for name, work in works.items()}, BUDGET)
    flops = {"matmul": 2 * side**3, "conv": 2 * 9 * CHANNELS**2 * 16**2 * (side // 16)}
    reached = {
        f"{name}_gflops": flops[name.partition("_")[0]] / times["min_s"] / 1e9
        for name, times in best.items()
        if name != "copy"
    }
    return {**reached, "copy_gb_per_s": 2 * len(source) / best["copy"]["min_s"] / 1e9}


def described(machine: dict[str, Any]) -> str:
    """The facts in one line."""
    packages, measured = machine["versions"], machine["rates"]
    peer = f", pytorchcv {packages['pytorchcv']}" if packages["pytorchcv"] else ""
    return (
        f"{machine['device']}, cores: {machine['cores']} ({' '.join(machine['flags'])}); "
        f"torch {packages['torch']}{peer}; commit {machine['commit']}; "
        f"load before: {machine['load_before']:g}. "
        f"Rates in fp32 and bf16: matrix product {measured['matmul_fp32_gflops']:.0f} and "
        f"{measured['matmul_bf16_gflops']:.0f} GFLOP/s, convolution "
        f"{measured['conv_fp32_gflops']:.0f} and {measured['conv_bf16_gflops']:.0f} GFLOP/s; "
        f"copy {measured['copy_gb_per_s']:.1f} GB/s."
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _flags() -> set[str]:
    """What the processor can do, as Linux names it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(facts(), indent=2)}\n")
