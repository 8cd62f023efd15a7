"""Images/s of three trained nets' predictions, ours beside pytorchcv's with the same tensors.

    python -m benchmarks.inference [--short] [--nets ResNet-110 …] [--json FILE]

The peer as shipped is in evaluation mode without gradients, fp32, NCHW, in batches of 250 ready as
floats; its frozen trace is what torch makes of it, traced on such a batch. Ours is what ``residua
evaluate`` does, from the stored bytes of the images to probabilities. The long form goes through
10,000 images, all contenders in turns of 1,000; the short form in turns of one batch.
Differences are of log-probabilities, so of logits up to a constant for each image.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks import roofline
from benchmarks.contenders import PAIRS, SHIPPED, ours_like, peer, settle
from benchmarks.inputs import NORMALISATION, noise, normalise
from benchmarks.report import Aim, Benchmark, Options, Result, Row, Sheet, images_per_second
from benchmarks.timing import interleaved, speedup, timed
from residua.arch import names
from residua.data.images import Images
from residua.nets.build import Net
from residua.training.evaluate import BATCH_SIZE, predict

TRACE = "its frozen trace"
OURS = {"ours, fp32": 4, "ours, bf16": 2}  # bytes of a value
FP32, BF16 = OURS
AIMS = {FP32: 1.7, BF16: 3.5}
DIFFERENCE_AIM = 1e-4
NETS = ("ResNet-110", "PyramidNet-110-a48", "DenseNet-BC-100-12")


def our_probabilities(net: Net, images: Images, *, bf16: bool) -> Tensor:
    """Our fastest path to probabilities, in either precision."""
    return predict(net, images, NORMALISATION, precision="bf16" if bf16 else "fp32")


def measure(options: Options) -> Iterator[Row]:
    """A row per net."""
    turns, length = (3, BATCH_SIZE) if options.short else (10, 1_000)
    budget = replace(options.budget, at_least=turns, seconds=0, warm_up=1)
    return (row(net, replace(options, budget=budget), length=length) for net in options.nets)


def row(net: str, options: Options, *, length: int) -> Row:
    """Seconds of each contender for so many images, and by how much ours differs."""
    pair = PAIRS[net]
    images = noise(length)
    found: dict[str, Tensor] = {}

    def kept(name: str, work: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: found.update({name: work()})

    works = contenders(peer(pair), pair.ours, images)
    measures = {name: timed(kept(name, work)) for name, work in works.items()}
    times = interleaved(measures, options.budget)
    theirs = found[SHIPPED].double().log_softmax(1)
    spec = names.spec(pair.ours)
    work = {
        name: roofline.forward(spec, images=length, value_bytes=value_bytes)
        for name, value_bytes in OURS.items()
    }
    return {
        "net": net,
        "ours": pair.ours,
        "peer": pair.theirs,
        "images": length,
        "times": times,
        "difference": {name: (found[name].log() - theirs).abs().max().item() for name in OURS},
        "flops": work[FP32].flops,
        "bytes": {name: each.bytes for name, each in work.items()},
    }


def contenders(theirs: nn.Module, ours: str, images: Images) -> dict[str, Callable[[], Tensor]]:
    """What maps the images to logits or, ours, to probabilities; all with the same tensors."""
    batches = normalise(images.pixels.float().div(255)).split(BATCH_SIZE)
    settle(theirs, batches[0])
    net = ours_like(theirs, ours)
    trace = frozen(theirs, batches[0])

    def over(net: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.no_grad():
            return torch.cat([net(x) for x in batches])

    return {
        SHIPPED: lambda: over(theirs),
        TRACE: lambda: over(trace),
        FP32: lambda: our_probabilities(net, images, bf16=False),
        BF16: lambda: our_probabilities(net, images, bf16=True),
    }


def frozen(net: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
    """Torch's own frozen trace, run twice, for it is optimised in its first runs."""
    with torch.no_grad(), warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        trace = torch.jit.freeze(torch.jit.trace(net, x))
        for _ in range(2):
            trace(x)
    return trace


def sheets(result: Result) -> list[Sheet]:
    """Rates and their aims, differences and theirs, and how far from the machine's rates."""
    return [_rates(result), _differences(result)]


def _rates(result: Result) -> Sheet:
    rows = []
    for row in result["rows"]:
        times = row["times"]
        rates = (images_per_second(row["images"], each["median_s"]) for each in times.values())
        aims = (
            Aim(value=speedup(times, name, over=SHIPPED), limit=limit, sense="≥")
            for name, limit in AIMS.items()
        )
        rows.append((row["net"], *rates, *aims))
    return Sheet(
        headings=("net", SHIPPED, TRACE, *OURS, "fp32 ÷ shipped", "bf16 ÷ shipped"),
        rows=tuple(rows),
        note="Images/s at the median of the turns; in brackets the aim.",
    )


def _differences(result: Result) -> Sheet:
    rates = result["machine"]["rates"]
    rows = []
    for row in result["rows"]:
        difference = row["difference"]
        cells: list[str | Aim] = [
            row["net"],
            Aim(value=difference[FP32], limit=DIFFERENCE_AIM, sense="≤"),
            f"{difference[BF16]:.2g}",
        ]
        for name, precision in ((FP32, "fp32"), (BF16, "bf16")):
            work = roofline.Work(flops=row["flops"], bytes=row["bytes"][name])
            seconds = row["times"][name]["median_s"]
            cells.append(f"{work.share_pct(seconds, rates, precision):.0f} %")
            cells.append(f"{100 * work.least_s(rates, precision) / seconds:.0f} %")
        rows.append(tuple(cells))
    return Sheet(
        headings=(
            *("net", "difference in fp32", "in bf16", "of the rate in fp32", "of the roof"),
            *("of the rate in bf16", "of the roof"),
        ),
        rows=tuple(rows),
        note=(
            "Differences from the peer as shipped: the largest of log-probabilities. The rate is "
            "the machine's, of matrix products or large convolutions; the roof also has the bytes "
            "that convolutions alone read and write, at the rate of a copy."
        ),
    )


BENCHMARK = Benchmark(
    name="inference",
    title="Predictions, images/s",
    measure=measure,
    sheets=sheets,
    nets=NETS,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
