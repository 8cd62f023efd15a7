"""Training steps of the nets of benchmarks/steps.py on one GPU: the peer tuned, and ours.

Here the tuned peer is compiled too.  All contenders are in one process and take turns, some steps
at a time, as the host may run ahead of the GPU, whose own events time them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch

from benchmarks import roofline
from benchmarks.contenders import OURS, PAIRS, TUNED, described, training_step
from benchmarks.report import Result, Row, Sheet, images_per_second
from benchmarks.timing import Budget, Measure, interleaved, speedup, timed
from residua.training.runtime import Runtime

STEPS = 10
TITLE = "Training steps on a GPU, images/s"


def row(net: str, runtime: Runtime, budget: Budget, *, batch_size: int) -> Row:
    """Seconds of one step of each contender; ours alone where pytorchcv is not installed."""
    pair = PAIRS[net]
    names = (TUNED, OURS) if importlib.util.find_spec("pytorchcv") else (OURS,)
    steps = {name: training_step(name, pair, batch_size, runtime) for name in names}
    measures = {name: _each(step, runtime.device) for name, step in steps.items()}
    return {**described(pair, batch_size=batch_size), "times": interleaved(measures, budget)}


def _each(step: Callable[[], None], device: torch.device) -> Measure:
    """Seconds of one step, the mean of some in a row."""

    def several() -> None:
        for _ in range(STEPS):
            step()

    measure = timed(several, device)
    return lambda: measure() / STEPS


def sheets(result: Result) -> list[Sheet]:
    """Rates, their ratio, and how far from the GPU's own."""
    rates = result["machine"]["rates"]
    rows: list[tuple[str, ...]] = []
    for row in result["rows"]:
        times, batch_size = row["times"], row["batch_size"]
        work = roofline.Work(flops=row["flops"], bytes=row["bytes"])
        ours_s, least_s = times[OURS]["median_s"], work.least_s(rates, "bf16")
        both = TUNED in times
        rows.append(
            (
                row["net"],
                images_per_second(batch_size, times[TUNED]["median_s"]) if both else "–",
                images_per_second(batch_size, ours_s),
                f"{speedup(times, OURS, over=TUNED):.3g}" if both else "–",
                images_per_second(batch_size, least_s),
                f"{100 * least_s / ours_s:.0f} %",
            )
        )
    return [
        Sheet(
            headings=("net", TUNED, OURS, "ours ÷ tuned", "roofline", "ours of the roofline"),
            rows=tuple(rows),
            note=(
                "In bf16, at the median of the steps. The roofline is the longer of computing at "
                "the card's rate and moving what convolutions alone read and write."
            ),
        )
    ]
