"""The one rule by which a claim is confirmed, refuted or left undecided."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from residua.studies.evidence import Evidence
from residua.studies.findings import Claim, Paper, Verdict
from residua.studies.stats import LEVEL, MIN_SEEDS, summarise

RULE = (
    f"Each claim says that one value lies below another, or at most a stated margin above it. The "
    f"two are compared seed by seed. With {MIN_SEEDS} seeds or more, a claim is confirmed if "
    f"Student's {LEVEL:.0%} interval of the mean difference lies wholly below the margin, refuted "
    f"if wholly above it, and undecided otherwise. So it is while one of its runs is missing, and "
    f"times are compared on one device only. The budget smoke decides nothing."
)
# What stands behind a net's name beside its values; a test error needs no word.
SHOWN = {"test_error": "", "train_error": ", training error", "train_seconds": ", training seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lower:
    """The claim that a value of one label's records is lower than that of another's.

    Attributes:
        statement: The claim in words.
        label: Whose value is said to be lower.
        than: Than whose.
        metric: A field of the records.
        margin: Up to how much higher it may still be.
        unit: Of the metric.
        paper: What the source prints.
    """

    statement: str
    label: str
    than: str
    metric: str = "test_error"
    margin: float = 0.0
    unit: str = "points of difference"
    paper: Paper | None = None


def judge(evidence: Evidence, claim: Lower) -> Claim:
    """What came of a claim, by the rule."""
    labels = (claim.label, claim.than)
    values = {label: evidence.values(label, claim.metric) for label in labels}
    one, other = (values[label] for label in labels)
    reached, reason = verdict(
        [one[seed] - other[seed] for seed in one if seed in other],
        decides=evidence.budget.decides,
        margin=claim.margin,
        unit=claim.unit,
        missing=missing(evidence, values),
    )
    if claim.metric == "train_seconds" and len(devices := evidence.devices(*labels)) > 1:
        reached, reason = "undecided", f"trained on different devices: {'; '.join(devices)}"
    return Claim(
        statement=claim.statement,
        paper=claim.paper,
        ours={
            f"{label}{SHOWN[claim.metric]}": summarise(list(found.values()))
            for label, found in values.items()
            if found
        },
        verdict=reached,
        reason=reason,
    )


def missing(evidence: Evidence, measured: Mapping[str, Collection[int]]) -> str:
    """How many runs of some labels have no value, in words; nothing if all have.

    Args:
        evidence: What was asked for.
        measured: The seeds that have one, by label.
    """
    wanted = sum(len(evidence.runs[label]) for label in measured)
    lacking = wanted - sum(len(seeds) for seeds in measured.values())
    return f"{lacking} of {wanted} runs are missing" if lacking else ""


def verdict(
    differences: Sequence[float],
    *,
    decides: bool,
    margin: float = 0.0,
    unit: str = "points of difference",
    missing: str = "",
) -> tuple[Verdict, str]:
    """Whether differences, one for each seed, lie below a margin, and why we say so.

    Args:
        differences: Of the seeds that have one.
        decides: Whether the budget does.
        margin: What they are compared with.
        unit: Theirs.
        missing: Which runs are, in words: without them nothing is decided.
    """
    if not differences:
        return "undecided", "no seed has finished on both sides"
    found = summarise(differences)
    reason = f"mean {found.mean:+.3g} {unit}, n = {found.n}"
    lacking = [missing] if missing else []  # those that are left may be the ones that went well
    if found.n < MIN_SEEDS:
        lacking.append(f"{MIN_SEEDS} seeds are needed")
    if not decides:
        lacking.append("this budget decides nothing")
    low, high = found.interval or (-inf, inf)
    if found.interval is not None:
        reason += f", {LEVEL:.0%} interval {low:+.3g} to {high:+.3g}, margin {margin:+g}"
    if lacking:
        return "undecided", f"{reason}; {', '.join(lacking)}"
    if low <= margin <= high:
        return "undecided", f"{reason}, which the interval includes"
    return "confirmed" if high < margin else "refuted", reason
