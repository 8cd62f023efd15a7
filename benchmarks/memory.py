"""Memory of a training step of DenseNet-BC-100-12 at batch 64, beside pytorchcv's.

    python -m benchmarks.memory [--short] [--json FILE]

The peak is counted from every allocation and release that torch reports to its profiler in one
step, from what was live before it: so activations, gradients and all that operators hold in
passing, but neither weights nor the optimiser's velocities. That count is exact and the same in
every run. Resident memory is not: the C library keeps what was released, depending on sizes and
threads. Since it is what a machine must have, its growth stands beside, as the kernel measured it
over the first steps of a process of its own; nothing is judged by it.

Times are taken elsewhere, without the profiler: all contenders in one process, in turns.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks import roofline
from benchmarks.contenders import OURS, PAIRS, SHIPPED, TUNED, Pair, described, training_step
from benchmarks.report import Aim, Benchmark, Options, Result, Row, Sheet, images_per_second
from benchmarks.timing import interleaved, timed

NET = "DenseNet-BC-100-12"
BATCH_SIZE = 64
MEMORY_AIM = 0.5  # of the peer's, as shipped and tuned
CONTENDERS = (SHIPPED, TUNED, OURS)


def measure(options: Options) -> list[Row]:
    """One row, of all contenders."""
    return [row(options)]


def row(options: Options, *, net: str = NET, batch_size: int = BATCH_SIZE) -> Row:
    """Bytes of each contender, each in a process of its own, and seconds of a step."""
    pair = PAIRS[net]
    memory = {name: in_own_process(name, pair, batch_size) for name in CONTENDERS}
    steps = {name: timed(training_step(name, pair, batch_size)) for name in CONTENDERS}
    return {
        **described(pair, batch_size=batch_size),
        "memory": memory,
        "times": interleaved(steps, options.budget),
    }


def in_own_process(name: str, pair: Pair, batch_size: int) -> dict[str, int]:
    """The bytes of one contender, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, name, pair, batch_size).result()


def measured(name: str, pair: Pair, batch_size: int) -> dict[str, int]:
    """Bytes at the peak of a step, and by how much the first steps made the process grow."""
    step = training_step(name, pair, batch_size)
    before = resident("VmRSS")
    for _ in range(2):
        step()
    grown = resident("VmHWM") - before
    return {"peak_bytes": peak(step), "resident_bytes": grown}


def peak(work: Callable[[], object]) -> int:
    """The most bytes that were live at any moment of some work beyond those live before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    results: Any = profiled.profiler
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()  # negative for a release
        most = max(most, live)
    return most


def resident(what: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at their most (VmHWM), as Linux counts."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB$", status, flags=re.MULTILINE)
    assert found
    return 1024 * int(found[1])


def sheets(result: Result) -> list[Sheet]:
    """Memory and time of each contender, ours judged, and how far from the machine's rates."""
    return [sheet(row, result["machine"]["rates"]) for row in result["rows"]]


def sheet(row: Row, rates: dict[str, float]) -> Sheet:
    """The table of one net."""
    work = roofline.Work(flops=row["flops"], bytes=row["bytes"])
    ours_s = row["times"][OURS]["median_s"]
    share = work.share_pct(ours_s, rates, "bf16")
    return Sheet(
        headings=(
            *(f"{row['net']}, batch {row['batch_size']}", "peak, MB", "resident, MB", "images/s"),
            *("memory ÷ shipped", "memory ÷ tuned"),
        ),
        rows=tuple(line(row, name) for name in row["memory"]),
        note=(
            "Beyond weights and velocities. Aims in brackets. "
            f"Roofline: {work.flops / 1e9:.0f} GFLOP and at least {work.bytes / 1e9:.2f} GB a step "
            f"take {1e3 * work.least_s(rates, 'bf16'):.0f} ms at the machine's rates and ours "
            f"{1e3 * ours_s:.0f} ms: {share:.0f} % of the rate in bf16."
        ),
    )


def line(row: Row, name: str) -> tuple[str | Aim, ...]:
    """What one contender comes to."""
    memory, times = row["memory"], row["times"]
    seconds = times[name]["median_s"]
    cells: list[str | Aim] = [
        name,
        *(f"{memory[name][key] / 1e6:,.0f}" for key in ("peak_bytes", "resident_bytes")),
        images_per_second(row["batch_size"], seconds),
    ]
    ratios = [memory[name]["peak_bytes"] / memory[of]["peak_bytes"] for of in (SHIPPED, TUNED)]
    if name == OURS:
        cells += [Aim(value=ratio, limit=MEMORY_AIM, sense="≤") for ratio in ratios]
    else:
        cells += [f"{ratio:.2f}" for ratio in ratios]
    return tuple(cells)


BENCHMARK = Benchmark(
    name="memory",
    title=f"Memory of training {NET}",
    measure=measure,
    sheets=sheets,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
