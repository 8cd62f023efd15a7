"""The fused operations of training beside torch's own, forward and backward.

    python -m benchmarks.operations [--short] [--json FILE]

Maps of a batch of 128 as they stand in nets of the papers, in both types; the fused operation and
its plain twin take turns in one process. Where the fused ones are faster for a type, over all maps
together, ``residua.nets.ops.MEASURED`` names processor and type; a test compares it with the
record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.report import Benchmark, Options, Result, Row, Sheet
from benchmarks.timing import interleaved, speedup, timed
from residua import kernels
from residua.nets import ops

FUSED, PLAIN = "fused", "plain"
BATCH_SIZE = 128
# Channels, side, and channels of the shortcut: from ResNet, PyramidNet, DenseNet-BC and WRN.
MAPS = (
    (16, 32, None),
    (16, 32, 16),
    (32, 16, 32),
    (64, 8, 64),
    (17, 32, 16),
    (49, 16, 48),
    (48, 32, None),
    (150, 16, None),
    (160, 32, None),
)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure(options: Options) -> Iterator[Row]:
    """A row per type and maps."""
    budget = replace(options.budget, seconds=options.budget.seconds / len(MAPS))
    for name, dtype in DTYPES.items():
        for channels, side, added in MAPS:
            contenders = {
                which: timed(work(which, dtype, channels=channels, side=side, added=added))
                for which in (FUSED, PLAIN)
            }
            yield {
                "net": f"{name} {channels} × {side} × {side}",
                "dtype": name,
                "channels": channels,
                "side": side,
                "added": added,
                "capability": torch.backends.cpu.get_cpu_capability(),
                "times": interleaved(contenders, budget),
            }


def work(
    name: str, dtype: torch.dtype, *, channels: int, side: int, added: int | None
) -> Callable[[], None]:
    """Norm, sum if there is a shortcut, and ReLU: forward and backward."""
    norm = nn.BatchNorm2d(channels)
    x, grad = (maps(channels, side, dtype) for _ in range(2))
    addend = None if added is None else maps(added, side, dtype).requires_grad_()
    inputs = [x.requires_grad_(), *norm.parameters(), *([] if addend is None else [addend])]

    def run() -> None:
        y = ops.norm_add_relu(x, norm, addend=addend, relu=True)
        torch.autograd.grad(y, inputs, grad)

    def plainly() -> None:
        with kernels.plain():
            run()

    return run if name == FUSED else plainly


def maps(channels: int, side: int, dtype: torch.dtype) -> Tensor:
    """A batch of random maps, channels last."""
    x = torch.randn(BATCH_SIZE, channels, side, side, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def faster(result: Result) -> set[tuple[str, torch.dtype]]:
    """Processor and type wherever all maps together take the fused operations less time."""
    found: set[tuple[str, torch.dtype]] = set()
    for name, dtype in DTYPES.items():
        rows = [row for row in result["rows"] if row["dtype"] == name]
        fused, plain = (
            sum(row["times"][which]["median_s"] for row in rows) for which in (FUSED, PLAIN)
        )
        if fused < plain:
            found.add((rows[0]["capability"], dtype))
    return found


def sheets(result: Result) -> list[Sheet]:
    """Milliseconds of both, and their ratio."""
    rows = []
    for row in result["rows"]:
        times = row["times"]
        rows.append(
            (
                row["dtype"],
                f"{row['channels']} × {row['side']} × {row['side']}",
                "" if row["added"] is None else f"{row['added']} channels",
                *(f"{1e3 * times[name]['median_s']:.2f}" for name in (PLAIN, FUSED)),
                f"{speedup(times, FUSED, over=PLAIN):.2f}",
            )
        )
    return [
        Sheet(
            headings=("type", "maps", "shortcut", "plain, ms", "fused, ms", "plain ÷ fused"),
            rows=tuple(rows),
        )
    ]


BENCHMARK = Benchmark(
    name="operations",
    title="Fused operations",
    measure=measure,
    sheets=sheets,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
