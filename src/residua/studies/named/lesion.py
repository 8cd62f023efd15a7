"""What does a trained net lose with a unit, with several, or in another order?  No retraining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, Any

from residua.errors import UsageError
from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.evidence import Evidence, loaded
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Claim, Figure, Paper, Table, Verdict
from residua.studies.stats import Summary, summarise

if TYPE_CHECKING:
    from residua.nets.build import Net
    from residua.studies.measures.sweeps import Deletions, Dose

# Stepped and pyramidal nets of one depth, and a plain net.
NETS = {
    "smoke": ("preresnet-14", "pyramidnet-14-a12", "plain-14"),
    "laptop": ("preresnet-32", "pyramidnet-32-a24", "plain-14"),
}
FULL = ("preresnet-110", "pyramidnet-110-a48", "plain-20")
LAPTOP_EPOCHS = 4
IMAGES = {"smoke": 40, "laptop": 2_000}  # of the test set, its first; elsewhere all
DRAWS = {"smoke": 1, "laptop": 3}
MOST_DRAWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesions:
    """What was done to the nets of one label: deletions for each seed, the rest for the first."""

    each: dict[int, Deletions]
    several: Dose
    exchanges: Dose | None

    def rises(self, seed: int) -> dict[bool, list[float]]:
        """By how much each unit that can be left out raises the error: those that halve, others."""
        deletions = self.each[seed]
        found: dict[bool, list[float]] = {True: [], False: []}
        for unit, error in enumerate(deletions.errors):
            if error is not None:
                found[unit in deletions.halving].append(error - deletions.whole)
        return found

    def cost(self, seed: int) -> float:
        """The mean rise over all units that can be left out."""
        return fmean(chain.from_iterable(self.rises(seed).values()))

    def excess(self, seed: int) -> float:
        """By how much more the error rises for a unit that halves the size than for another."""
        rises = self.rises(seed)
        return fmean(rises[True]) - fmean(rises[False])


# What a claim compares, and its unit behind a net's name.
UNITS: dict[Callable[[Lesions, int], float], str] = {
    Lesions.cost: "points a unit",
    Lesions.excess: "points more where the size is halved",
}


def nets(budget: Budget) -> tuple[str, str, str]:
    """A stepped net, a pyramid of its depth, and a plain one."""
    return NETS.get(budget.name, FULL)


def runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    """At ``laptop`` longer runs than elsewhere: what a lesion raises must be low before."""
    return budget.longer(laptop_epochs=LAPTOP_EPOCHS).runs(nets(budget), seeds)


def _analyse(evidence: Evidence) -> Analysis:
    found = {
        label: _lesions(evidence, trained)
        for label, trained in _trained(evidence).items()
        if trained
    }
    claims = () if evidence.weights else tuple(_claims(evidence, found))
    return Analysis(
        claims=claims,
        tables=(_table(found),),
        figures=tuple(_figures(evidence, found)),
        deviations=("The papers take nets of 110 layers, trained in full.",)
        if evidence.budget.name in NETS
        else (),
    )


def _trained(evidence: Evidence) -> dict[str, dict[int, Net]]:
    """The nets to look at: those of the files that were asked for, else those of the runs."""
    if not evidence.weights:
        return {label: dict(evidence.nets(label)) for label in evidence.runs}
    found: dict[str, dict[int, Net]] = {}
    for name, path in evidence.given.items():
        net = loaded(path)
        if net.spec.num_classes != len(evidence.data.classes):
            raise UsageError(
                f"{path} tells {net.spec.num_classes} classes apart, {evidence.data.name} has "
                f"{len(evidence.data.classes)}"
            )
        found[name] = {0: net}
    return found


def _lesions(evidence: Evidence, trained: dict[int, Net]) -> Lesions:
    from residua import weights
    from residua.studies.measures import sweeps

    images = evidence.test_images(IMAGES.get(evidence.budget.name))
    draws = DRAWS.get(evidence.budget.name, MOST_DRAWS)
    each = {
        seed: sweeps.each(net, images, weights.normalisation(net.meta))
        for seed, net in trained.items()
        if net.meta is not None
    }
    first = next(iter(trained.values()))
    assert first.meta is not None, "weights.load attaches it"
    constants = weights.normalisation(first.meta)
    several = sweeps.several(first, images, constants, draws=draws)
    try:
        exchanges = sweeps.exchanges(first, images, constants, draws=draws)
    except UsageError:  # no two units of one shape, as in a pyramid
        exchanges = None
    return Lesions(each=each, several=several, exchanges=exchanges)


def _claims(evidence: Evidence, found: dict[str, Lesions]) -> list[Claim]:
    stepped, pyramid, plain = nets(evidence.budget)
    judged = (
        (
            f"In {stepped}, units that halve the size cost more than others.",
            Paper(value="peaks there, up to about 2 points", where="post2018"),
            *(Lesions.excess, None, stepped),
        ),
        (
            f"In {pyramid}, they stand out less than in {stepped}.",
            Paper(value="the peaks vanish", where="han2017, quoted in post2018"),
            *(Lesions.excess, pyramid, stepped),
        ),
        (
            f"A unit of {pyramid} costs less than one of {stepped}.",
            Paper(value="0.54 points against 0.72, on CIFAR-10", where="han2017 Fig. 4, quoted"),
            *(Lesions.cost, pyramid, stepped),
        ),
        (
            f"A unit of {stepped} costs less than one of {plain}, which collapses.",
            Paper(value="a plain net falls to chance", where="veit2016 §4.1"),
            *(Lesions.cost, stepped, plain),
        ),
    )
    return [
        Claim(statement=statement, paper=paper, ours=ours, verdict=reached, reason=reason)
        for statement, paper, value, lower, higher in judged
        for ours, reached, reason in [_judged(evidence, found, value, lower, higher)]
    ]


def _judged(
    evidence: Evidence,
    found: dict[str, Lesions],
    value: Callable[[Lesions, int], float],
    lower: str | None,
    higher: str,
) -> tuple[dict[str, Summary], Verdict, str]:
    """Our values, and whether those of one net (or 0) lie below those of another."""
    values = {
        label: {seed: value(found[label], seed) for seed in found[label].each}
        if label in found
        else {}
        for label in (lower, higher)
        if label is not None
    }
    low = values[lower] if lower else dict.fromkeys(values[higher], 0.0)
    high = values[higher]
    reached, reason = verdicts.verdict(
        [low[seed] - high[seed] for seed in sorted(low.keys() & high.keys())],
        decides=evidence.budget.decides,
        missing=verdicts.missing(evidence, values),
    )
    ours = {
        f"{label}, {UNITS[value]}": summarise(list(each.values()))
        for label, each in values.items()
        if each
    }
    return ours, reached, reason


def _table(found: dict[str, Lesions]) -> Table:
    return Table(
        title="One unit left out",
        columns=(
            *("net", "seed", "error of the whole net, %", "mean rise, points"),
            *("of units that halve the size", "of the others", "largest"),
        ),
        rows=tuple(
            (
                label,
                seed,
                round(deletions.whole, 2),
                *(_mean(rises) for rises in ([*by_kind[True], *by_kind[False]], *by_kind.values())),
                round(max([*by_kind[True], *by_kind[False]]), 2),
            )
            for label, each in found.items()
            for seed, deletions in each.each.items()
            for by_kind in [each.rises(seed)]
        ),
    )


def _mean(values: list[float]) -> float | None:
    return round(fmean(values), 2) if values else None


def _figures(evidence: Evidence, found: dict[str, Lesions]) -> list[Figure]:
    note = comparison.note(evidence)
    if not evidence.weights:
        note = f"of several seeds the first; {note}"
    several = {label: each.several for label, each in found.items()}
    return [
        Figure(
            name="lesion-each",
            kind="units",
            title=_headline(found),
            data={
                "y": "test error without the unit, percent",
                "panels": [_bars(label, each) for label, each in found.items()],
                "note": f"no retraining; {note}",
            },
        ),
        Figure(
            name="lesion-several",
            kind="lines",
            title=_words(several, "left out"),
            data={
                "panels": [_doses(several, x="units left out at random")],
                "note": f"means over random choices, bands ± sd; {note}",
            },
        ),
        *_exchanges(found, note),
    ]


def _exchanges(found: dict[str, Lesions], note: str) -> list[Figure]:
    """Of the nets that have units of one shape."""
    exchanged = {label: each.exchanges for label, each in found.items() if each.exchanges}
    if not exchanged:
        return []
    panel = _doses(exchanged, x="exchanges of two units of one shape at random")
    return [
        Figure(
            name="lesion-order",
            kind="lines",
            title=_words(exchanged, "exchanged once"),
            data={"panels": [_orders(exchanged), panel], "note": note},
        )
    ]


def _headline(found: dict[str, Lesions]) -> str:
    label, first = next(iter(found.items()))
    rises = first.rises(min(first.each))
    if not (rises[True] and rises[False]):
        return f"{label}: a unit left out costs {first.cost(min(first.each)):.1f} points"
    return (
        f"{label}: a unit that halves the size costs {fmean(rises[True]):.1f} points, "
        f"another {fmean(rises[False]):.1f}"
    )


def _words(found: dict[str, Dose], done: str) -> str:
    """What the smallest dose does to each net."""
    errors = (f"{fmean(dose.errors[0]):.0f} % in {label}" for label, dose in found.items())
    units = "One unit" if done == "left out" else "Two units"
    return f"{units} {done}, error: {', '.join(errors)}"


def _bars(label: str, each: Lesions) -> dict[str, Any]:
    deletions = each.each[min(each.each)]
    return {
        "title": label,
        "values": list(deletions.errors),
        "marked": list(deletions.halving),
        "level": deletions.whole,
    }


def _doses(found: dict[str, Dose], *, x: str) -> dict[str, Any]:
    return {
        "title": "",
        "x": x,
        "y": "test error, percent",
        "lines": [
            {
                "label": label,
                "x": [0, *dose.doses],
                "y": [dose.whole, *(fmean(errors) for errors in dose.errors)],
                "sd": [0.0, *(summarise(errors).sd or 0.0 for errors in dose.errors)],
            }
            for label, dose in found.items()
        ],
    }


def _orders(found: dict[str, Dose]) -> dict[str, Any]:
    """Error over Kendall's τ: all draws of all doses, each a step of the line."""
    lines: list[dict[str, Any]] = []
    for label, dose in found.items():
        taus = [tau for draws in dose.taus or () for tau in draws]
        errors = [error for draws in dose.errors for error in draws]
        pairs = sorted([*zip(taus, errors, strict=True), (1.0, dose.whole)])
        lines.append(
            {
                "label": label,
                "x": [tau for tau, _ in pairs],
                "y": [error for _, error in pairs],
                "style": "points",
            }
        )
    return {
        "title": "",
        "x": "Kendall's τ with the trained order",
        "y": "test error, percent",
        "whole": False,
        "lines": lines,
    }


EXPERIMENT = Experiment(
    name="lesion",
    question="What does a trained net lose with a unit, with several, or in another order?",
    source="veit2016 §4; the figure of lesions in han2017 and in post2018",
    rule=f"{verdicts.RULE} A cost is the rise of the test error without retraining, a mean over "
    "the units that can be left out.",
    runs=runs,
    analyse=_analyse,
    takes_weights=True,
)
