"""The one rule by which a claim is confirmed, refuted or left undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from residua.studies.evidence import Evidence
from residua.studies.findings import Claim, Paper, Verdict
from residua.studies.stats import LEVEL, MIN_SEEDS, summarise

RULE = (
    f"Each claim says that one value lies below another, or at most a stated margin above it. The "
    f"two are compared seed by seed. With {MIN_SEEDS} seeds or more, a claim is confirmed if "
    f"Student's {LEVEL:.0%} interval of the mean difference lies wholly below the margin, refuted "
    f"if wholly above it, and undecided otherwise. The budget smoke decides nothing."
)


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
    one, other = (evidence.values(label, claim.metric) for label in (claim.label, claim.than))
    reached, reason = verdict(
        [one[seed] - other[seed] for seed in one if seed in other],
        decides=evidence.budget.decides,
        margin=claim.margin,
        unit=claim.unit,
    )
    return Claim(
        statement=claim.statement,
        paper=claim.paper,
        ours={
            label: summarise(list(values.values()))
            for label, values in ((claim.label, one), (claim.than, other))
            if values
        },
        verdict=reached,
        reason=reason,
    )


def verdict(
    differences: Sequence[float],
    *,
    decides: bool,
    margin: float = 0.0,
    unit: str = "points of difference",
) -> tuple[Verdict, str]:
    """Whether differences, one for each seed, lie below a margin, and why we say so."""
    if not differences:
        return "undecided", "no seed has finished on both sides"
    found = summarise(differences)
    reason = f"mean {found.mean:+.3g} {unit}, n = {found.n}"
    if found.interval is None:
        return "undecided", f"{reason}; {MIN_SEEDS} seeds are needed"
    low, high = found.interval
    reason += f", {LEVEL:.0%} interval {low:+.3g} to {high:+.3g}, margin {margin:+g}"
    if not decides:
        return "undecided", f"{reason}; this budget decides nothing"
    if found.n < MIN_SEEDS:
        return "undecided", f"{reason}; {MIN_SEEDS} seeds are needed"
    if low <= margin <= high:
        return "undecided", f"{reason}: the margin lies within"
    return "confirmed" if high < margin else "refuted", reason
