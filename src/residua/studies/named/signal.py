"""Do gradients vanish in plain nets, and is the derivative of a residual unit at least 1?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from residua.studies import comparison, verdicts
from residua.studies.budgets import Budget, Runs
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Claim, Figure, Paper, Table
from residua.studies.stats import summarise

if TYPE_CHECKING:
    from residua.nets.build import Net
    from residua.studies.measures.jacobians import Jacobian
    from residua.studies.measures.signal import Signal

DEPTHS = {"smoke": 8, "laptop": 56}
FULL = 110
KINDS = ("plain", "resnet")
BATCH = 128
HEALTHY = Paper(value="plain nets with BN have healthy gradients", where="he2015 §4.1")
# What a claim counts the decades of, and how it goes on.
CHANGES = {
    1: ("lost", "vanish: at the first unit they are more than a tenth of"),
    -1: ("gained", "explode: at the first unit they are less than ten times"),
}
MOMENTS = ("new, without BN", "new", "trained")
Signals = dict[str, dict[str, dict[int, "Signal"]]]  # label, moment, seed


def _runs(budget: Budget, seeds: Sequence[int]) -> Runs:
    depth = DEPTHS.get(budget.name, FULL)
    return budget.runs([f"{kind}-{depth}" for kind in KINDS], seeds)


def _analyse(evidence: Evidence) -> Analysis:
    signals: Signals = {}
    jacobians: dict[int, tuple[Jacobian, ...]] = {}
    for label in evidence.runs:
        for seed, net in evidence.nets(label):
            for moment, found in _signals(evidence, label, seed, net).items():
                signals.setdefault(label, {}).setdefault(moment, {})[seed] = found
            if label.startswith("resnet"):
                jacobians[seed] = _jacobians(evidence, net)
    return Analysis(
        claims=(*_healthy(evidence, signals), *_at_least_one(jacobians)),
        tables=(_table(signals), *_derivatives(jacobians)),
        figures=(
            _gradients(evidence, signals),
            _responses(evidence, signals),
            *_values(evidence, jacobians),
        ),
        deviations=("Nets without BN are new ones with every BN taken out; none was trained.",),
    )


def _signals(evidence: Evidence, label: str, seed: int, net: Net) -> dict[str, Signal]:
    from residua import weights
    from residua.studies.measures import signal
    from residua.training.train import fresh_net

    assert net.meta is not None, "weights.load attaches it"
    images, constants = evidence.test_images(BATCH), weights.normalisation(net.meta)
    (run,) = (run for run in evidence.runs[label] if run.seed == seed)
    fresh = fresh_net(run, num_classes=net.spec.num_classes).to(net.classifier.weight.device)
    at = dict(zip(MOMENTS, (signal.without_norms(fresh), fresh, net), strict=True))
    return {moment: signal.measure(each, images, constants) for moment, each in at.items()}


def _jacobians(evidence: Evidence, net: Net) -> tuple[Jacobian, ...]:
    from residua import weights
    from residua.studies.measures import jacobians

    assert net.meta is not None, "weights.load attaches it"
    return jacobians.measure(net, evidence.test_images(1), weights.normalisation(net.meta))


def _healthy(evidence: Evidence, signals: Signals) -> list[Claim]:
    """Whether gradients keep within a decade from the last unit to the first."""
    claims: list[Claim] = []
    for label, moment in product(evidence.runs, MOMENTS[1:]):
        measured = signals.get(label, {}).get(moment, {})
        for change, (way, words) in CHANGES.items():
            decades = [change * _decades(found) for found in measured.values()]
            reached, reason = verdicts.verdict(
                decades,
                decides=evidence.budget.decides,
                margin=1.0,
                unit=f"decades {way}",
                missing=verdicts.missing(evidence, {label: measured}),
            )
            claims.append(
                Claim(
                    statement=f"In {label}, {moment}, gradients do not {words} the last's.",
                    paper=HEALTHY,
                    ours={f"{label}, decades {way}": summarise(decades)} if decades else {},
                    verdict=reached,
                    reason=reason,
                )
            )
    return claims


def _decades(found: Signal) -> float:
    return math.log10(found.units[-1].gradient / found.units[0].gradient)


def _at_least_one(jacobians: dict[int, tuple[Jacobian, ...]]) -> list[Claim]:
    from residua.studies.measures.jacobians import example

    exact = example([1.0], inner=1, outer=-1)
    smallest = [min(each.smallest for each in found) for found in jacobians.values()]
    measured = (
        f"; in trained nets the smallest singular value is at most {min(smallest):.3g}"
        if smallest
        else ""
    )
    return [
        Claim(
            statement="The derivative of a residual unit is at least 1, for its shortcut's is 1.",
            paper=Paper(value="H' = F' + 1 ≥ 1", where="a post of 2022 on ResNet"),
            ours={"smallest singular value, at most": summarise(smallest)} if smallest else {},
            verdict="refuted",
            reason=f"by an exact example: H(x) = x - relu(x) has H'({exact.x[0]:g}) = "
            f"{exact.derivative[0]:g}{measured}",
        )
    ]


def _table(signals: Signals) -> Table:
    return Table(
        title="Gradients and signals, first unit and last",
        columns=(
            *("net", "moment", "seed", "gradient at the first unit", "at the last"),
            *("decades lost", "sd of the first unit's output", "of the last's"),
        ),
        rows=tuple(
            (
                *(label, moment, seed),
                *(_short(found.units[at].gradient) for at in (0, -1)),
                round(_decades(found), 2),
                *(_short(found.units[at].std) for at in (0, -1)),
            )
            for label, moments in signals.items()
            for moment, by_seed in moments.items()
            for seed, found in by_seed.items()
        ),
        note=f"One batch of {BATCH} images; gradients of an image's own loss at its maps, means.",
    )


def _derivatives(jacobians: dict[int, tuple[Jacobian, ...]]) -> list[Table]:
    return [
        Table(
            title=f"Jacobians of trained units, seed {seed}",
            columns=(
                *("unit", "smallest singular value, at most", "largest, at least"),
                *("share below 1, %", "least derivative along a direction, at most"),
            ),
            rows=tuple(
                (
                    *(each.unit, _short(each.smallest), _short(each.largest)),
                    *(round(100 * each.below_one, 1), _short(each.least)),
                )
                for each in found
            ),
            note=_middle(),
        )
        for seed, found in list(jacobians.items())[:1]
    ]


def _middle() -> str:
    """Which directions were looked at, and why that is enough."""
    from residua.studies.measures.jacobians import SIDE

    return (
        f"What changes of the middle {SIDE}×{SIDE} pixels do to whole maps; of all changes, the "
        "smallest singular value is no larger."
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _gradients(evidence: Evidence, signals: Signals) -> Figure:
    changes = {
        label: fmean(math.log10(_first_to_last(found)) for found in moments["new"].values())
        for label, moments in signals.items()
    }
    words = ", ".join(f"×{10**decades:,.4g} in {label}" for label, decades in changes.items())
    return Figure(
        name="signal-gradients",
        kind="lines",
        title=f"Gradients of new nets with BN, from the last convolution to the first: {words}",
        data=_by_layer(evidence, signals, "gradient", "gradient at its weights, norm"),
    )


def _first_to_last(found: Signal) -> float:
    return found.layers[0].gradient / found.layers[-1].gradient


def _responses(evidence: Evidence, signals: Signals) -> Figure:
    """As in he2015 Fig. 7."""
    means = {
        label: fmean(
            layer.response for found in moments["trained"].values() for layer in found.layers
        )
        for label, moments in signals.items()
    }
    words = ", ".join(f"{mean:.2f} in {label}" for label, mean in means.items())
    return Figure(
        name="signal-responses",
        kind="lines",
        title=f"Responses of trained nets' layers, mean standard deviation: {words}",
        data=_by_layer(evidence, signals, "response", "response, standard deviation"),
    )


def _by_layer(
    evidence: Evidence, signals: Signals, value: Literal["gradient", "response"], shown: str
) -> dict[str, Any]:
    """A panel for each moment, with a value of each convolution of each net."""
    return {
        "panels": [
            {
                "title": moment,
                "x": "convolution",
                "y": shown,
                "log": "y",
                "lines": [
                    _line(label, moments[moment], value) for label, moments in signals.items()
                ],
            }
            for moment in MOMENTS
        ],
        "note": f"first seed; {comparison.note(evidence)}",
    }


def _line(label: str, by_seed: dict[int, Signal], value: str) -> dict[str, Any]:
    values = [getattr(layer, value) for layer in by_seed[min(by_seed)].layers]
    return {"label": label, "x": list(range(1, len(values) + 1)), "y": values}


def _values(evidence: Evidence, jacobians: dict[int, tuple[Jacobian, ...]]) -> list[Figure]:
    if not jacobians:
        return []
    found = jacobians[min(jacobians)]
    below = sum(each.smallest < 1 for each in found)
    return [
        Figure(
            name="signal-jacobians",
            kind="lines",
            title=f"At least {below} of {len(found)} trained units shorten some gradient",
            data={
                "panels": [
                    {
                        "title": "",
                        "x": "unit",
                        "y": "singular value of the unit's Jacobian",
                        "log": "y",
                        "lines": [
                            {
                                "label": name,
                                "x": [each.unit + 1 for each in found],
                                "y": [getattr(each, name) for each in found],
                            }
                            for name in ("largest", "smallest")
                        ],
                        "marks": [{"label": "the post: at least 1", "y": 1.0}],
                    }
                ],
                "note": f"{_middle()}\nfirst seed, first test image; {comparison.note(evidence)}",
            },
        )
    ]


EXPERIMENT = Experiment(
    name="signal",
    question="Do gradients vanish or explode, and is a residual unit's derivative at least 1?",
    source="he2015 §4.1 and Fig. 7; a post of 2022 on ResNet",
    rule=f"{verdicts.RULE} A statement about all derivatives is refuted by one exact example.",
    runs=_runs,
    analyse=_analyse,
)
