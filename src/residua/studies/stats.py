"""Statistics over seeds: means with their intervals, paired tests, and when a figure is reproduced.

Every report, study and ``reproduce`` takes its numbers from here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEVEL = 0.95
MIN_SEEDS = 3  # with fewer, Student's interval is too wide to decide anything
WIDEST = 0.1  # of a printed error: half of an interval that is still narrow enough to judge it by


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A sample in four numbers.

    Attributes:
        n: Its size.
        mean: Its mean.
        sd: Its standard deviation with n - 1 in the denominator; None for a single value.
        interval: Student's 95 % confidence interval of the mean; None for a single value.
    """

    n: int
    mean: float
    sd: float | None
    interval: tuple[float, float] | None


def summarise(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and confidence interval of some values, at least one."""
    n, mean = len(values), statistics.fmean(values)
    if n == 1:
        return Summary(n=n, mean=mean, sd=None, interval=None)
    sd = statistics.stdev(values)
    half = student_quantile((1 + LEVEL) / 2, freedom=n - 1) * sd / math.sqrt(n)
    return Summary(n=n, mean=mean, sd=sd, interval=(mean - half, mean + half))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What changes from one net to another where both were trained with the same seeds.

    Attributes:
        difference: Of one minus other, over the seeds that both have.
        t: Student's statistic, the difference over its standard error; None for a single seed, or
            where the difference is the same for every seed.
        p: How often a t at least so far from 0 comes by chance; None where t is.
    """

    difference: Summary
    t: float | None
    p: float | None


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> Paired:
    """The paired t-test of two samples by seed; at least one seed is in both.

    What a seed does to both alike (order of images, crops, initial weights) falls out of the
    difference.
    """
    difference = summarise([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])
    if not difference.sd:
        return Paired(difference=difference, t=None, p=None)
    t = difference.mean / (difference.sd / math.sqrt(difference.n))
    p = 2 * student_share(-abs(t), freedom=difference.n - 1)
    return Paired(difference=difference, t=t, p=p)


def reproduces(ours: Summary, *, printed: float, printed_sd: float | None) -> bool | None:
    """Whether a sample of errors reproduces a printed one; None if it is too small to tell.

    It does if the printed error lies inside the 95 % interval of our mean, widened by the source's
    own standard deviation where that is known, or above it: then ours is better.  It is too small
    with fewer than three seeds, or if half of the interval is wider than a tenth of the printed
    error: in so wide a one many errors lie.
    """
    if ours.interval is None or ours.n < MIN_SEEDS or too_wide(ours, printed=printed):
        return None
    return ours.interval[0] - (printed_sd or 0) <= printed


def too_wide(ours: Summary, *, printed: float) -> bool:
    """Whether a mean is known too badly to be compared with a printed error."""
    return ours.interval is not None and ours.interval[1] - ours.mean > WIDEST * printed


def over_seeds(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The records of several seeds, and each error's summary over them."""
    errors = ("test_error", "test_error_tta", "val_error")
    return {
        **{
            name: asdict(summarise([record[name] for record in records]))
            for name in errors
            if all(record[name] is not None for record in records)
        },
        "records": list(records),
    }


def student_quantile(share: float, *, freedom: int) -> float:
    """The value below which a share (above one half) of Student's distribution lies."""
    low, high = 0.0, 1.0
    while student_share(high, freedom=freedom) < share:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        below = student_share(middle, freedom=freedom) < share
        low, high = (middle, high) if below else (low, middle)
    return high


def student_share(t: float, *, freedom: int) -> float:
    """The share of Student's distribution below t, in closed form for whole degrees of freedom.

    Source: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for step in range(3 if odd else 2, freedom - 1, 2):
        term *= (step - 1) / step * math.cos(angle) ** 2
        total += term
    total *= math.sin(angle)
    if odd:
        total = 2 / math.pi * (angle + (total if freedom > 1 else 0))
    return (1 + total) / 2
