"""Training steps of seven nets, ours beside pytorchcv's: forward, backward and update of a batch.

    python -m benchmarks.steps [--short] [--nets ResNet-20 …] [--json FILE]

The peer as shipped is what its users run: fp32, NCHW, torch's SGD as it comes. The peer tuned is
the same net under bf16 autocast in channels_last. Ours is the step of the training loop in bf16.
The peer's ResNets have option B, and so have ours here; its PreResNet projects in two shortcuts
where ours appends zeros. Each has a process of its own, set up as its users have it, and all take
turns: A B C A B C …; batches lie ready for all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import roofline
from benchmarks.contenders import OURS, PAIRS, SHIPPED, TUNED, described, training_step
from benchmarks.report import Aim, Benchmark, Options, Result, Row, Sheet, images_per_second
from benchmarks.timing import Apart, interleaved, speedup

BATCH_SIZE = 128
RATIOS = ("ours ÷ shipped", "ours ÷ tuned")
AIMS = {  # over the peer as shipped, and tuned
    "ResNet-20": (3.5, 1.4),
    "ResNet-110": (3.5, 1.4),
    "PreResNet-110": (3.5, 1.6),
    "WRN-16-10": (3.2, 1.1),
    "DenseNet-BC-40-12": (4, 1.7),
    "DenseNet-BC-100-12": (5, 2),
    "PyramidNet-110-a48": (3.5, 2.5),
}


def measure(options: Options) -> Iterator[Row]:
    """A row per net."""
    return (row(net, options) for net in options.nets)


def row(net: str, options: Options, *, batch_size: int = BATCH_SIZE) -> Row:
    """Seconds of one step of each contender."""
    pair = PAIRS[net]
    with ExitStack() as stack:
        contenders = {
            name: stack.enter_context(Apart(training_step, name, pair, batch_size))
            for name in (SHIPPED, TUNED, OURS)
        }
        times = interleaved(contenders, options.budget)
    return {**described(pair, batch_size=batch_size), "times": times}


def sheets(result: Result) -> list[Sheet]:
    """Rates with ratios and aims, and how far from the machine's own."""
    return [_rates(result), _roofline(result)]


def short(result: Result) -> Sheet:
    """Rates and ratios alone."""
    facts = result["machine"]
    versions = facts["versions"]
    return Sheet(
        headings=("net", SHIPPED, TUNED, OURS, *RATIOS),
        rows=tuple(
            (row["net"], *_per_second(row), *(f"{ratio:.3g}" for ratio in _ratios(row)))
            for row in result["rows"]
        ),
        note=(
            f"Images/s, batches of {BATCH_SIZE}, on {facts['device']}; torch {versions['torch']}, "
            f"pytorchcv {versions['pytorchcv']}; commit {facts['commit']}."
        ),
    )


def _rates(result: Result) -> Sheet:
    return Sheet(
        headings=("net", SHIPPED, TUNED, OURS, *RATIOS),
        rows=tuple(
            (
                row["net"],
                *_per_second(row),
                *(
                    Aim(value=ratio, limit=limit, sense="≥")
                    for ratio, limit in zip(_ratios(row), AIMS[row["net"]], strict=True)
                ),
            )
            for row in result["rows"]
        ),
        note="Images/s at the median of the steps; in brackets the aim.",
    )


def _per_second(row: Row) -> list[str]:
    return [
        images_per_second(row["batch_size"], row["times"][name]["median_s"])
        for name in (SHIPPED, TUNED, OURS)
    ]


def _ratios(row: Row) -> list[float]:
    return [speedup(row["times"], OURS, over=name) for name in (SHIPPED, TUNED)]


def _roofline(result: Result) -> Sheet:
    rates = result["machine"]["rates"]
    rows = []
    for row in result["rows"]:
        work = roofline.Work(flops=row["flops"], bytes=row["bytes"])
        times = row["times"][OURS]
        least_s = work.least_s(rates, "bf16")
        rows.append(
            (
                row["net"],
                f"{work.flops / 1e9:.0f}",
                f"{work.bytes / 1e9:.2f}",
                f"{1e3 * least_s:.0f}",
                f"{1e3 * times['median_s']:.0f}",
                f"{1e3 * times['min_s']:.0f}–{1e3 * times['max_s']:.0f}",
                f"{work.share_pct(times['median_s'], rates, 'bf16'):.0f} %",
            )
        )
    return Sheet(
        headings=(
            *("net", "GFLOP a step", "GB at least", "ms at least", "ours, ms", "range"),
            "of the rate in bf16",
        ),
        rows=tuple(rows),
        note=(
            "At least: computing at the machine's rate in bf16, that of a matrix product or of a "
            "large convolution, or moving what convolutions alone read and write, at a copy's."
        ),
    )


BENCHMARK = Benchmark(
    name="steps",
    title="Training steps, images/s",
    measure=measure,
    sheets=sheets,
    nets=tuple(PAIRS),
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
