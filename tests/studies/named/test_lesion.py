"""The verdicts on lesions, on made-up errors of nets that nobody trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import residua
from residua.studies.measures.sweeps import Deletions, Dose
from residua.studies.named import lesion
from residua.studies.named.lesion import Lesions


def lesions(costs: Sequence[float | None], *, halving: tuple[int, ...]) -> Lesions:
    """Three seeds of a net that errs in 10 % of images, whose units cost so many points."""
    return Lesions(
        each={
            seed: Deletions(
                whole=10.0,
                errors=tuple(None if cost is None else 10.0 + cost + seed / 10 for cost in costs),
                halving=halving,
            )
            for seed in range(3)
        },
        several=Dose(whole=10.0, doses=(1,), errors=((20.0, 40.0),)),
        exchanges=None,
    )


STEPPED = lesions((1.0, 9.0, 1.0, 9.0), halving=(1, 3))
PYRAMID = lesions((1.5, 1.0, 0.5, 1.0), halving=(1, 3))
COSTLY = lesions((70.0, 75.0, 80.0, 85.0), halving=(1, 3))
PLAIN = lesions((70.0, None, 80.0, None), halving=(1, 3))


def verdicts(made_up: Callable[..., Any], *nets: Lesions, budget: str = "laptop") -> list[str]:
    """What comes of a stepped net, a pyramid and a plain net."""
    evidence = made_up(lesion.runs, {}, budget=budget)
    found = dict(zip(lesion.nets(evidence.budget), nets, strict=False))
    return [claim.verdict for claim in lesion._claims(evidence, found)]


def test_as_the_papers_have_it(made_up: Callable[..., Any]):
    """Halving units stand out in steps alone, a pyramid's cost less, a plain net's most."""
    assert ["confirmed"] * 4 == verdicts(made_up, STEPPED, PYRAMID, PLAIN)


def test_the_other_way_round(made_up: Callable[..., Any]):
    """Each claim can be refuted too."""
    flat = lesions((2.0, 1.0, 2.0, 1.0), halving=(1, 3))
    assert ["refuted", "refuted", "refuted"] == verdicts(made_up, flat, STEPPED, PLAIN)[:3]
    assert "refuted" == verdicts(made_up, COSTLY, PYRAMID, STEPPED)[3]


def test_smoke_decides_nothing_and_all_three_are_needed(made_up: Callable[..., Any]):
    """However clear it looks."""
    assert ["undecided"] * 4 == verdicts(made_up, STEPPED, PYRAMID, PLAIN, budget="smoke")
    # The others do not need the plain net.
    assert [*["confirmed"] * 3, "undecided"] == verdicts(made_up, STEPPED, PYRAMID)


def test_a_missing_seed_decides_nothing(made_up: Callable[..., Any]):
    """The claims are there, each with what it lacks."""
    evidence = made_up(lesion.runs, {}, seeds=4)
    found = dict(zip(lesion.nets(evidence.budget), (STEPPED, PYRAMID), strict=False))
    claims = lesion._claims(evidence, found)
    assert ["undecided"] * 4 == [claim.verdict for claim in claims]
    assert claims[0].reason.endswith("1 of 4 runs are missing")
    assert claims[1].reason.endswith("2 of 8 runs are missing")
    assert claims[3].reason == "no seed has finished on both sides"


def test_ours_is_what_is_judged(made_up: Callable[..., Any]):
    """An excess or a cost, of the nets that a claim compares."""
    evidence = made_up(lesion.runs, {})
    stepped, pyramid, plain = lesion.nets(evidence.budget)
    claims = lesion._claims(evidence, {stepped: STEPPED, pyramid: PYRAMID, plain: PLAIN})
    means = [{label: each.mean for label, each in claim.ours.items()} for claim in claims]
    more, cost = "points more where the size is halved", "points a unit"
    assert [
        {f"{stepped}, {more}": 8.0},
        {f"{pyramid}, {more}": 0.0, f"{stepped}, {more}": 8.0},
        {f"{pyramid}, {cost}": 1.1, f"{stepped}, {cost}": 5.1},
        {f"{stepped}, {cost}": 5.1, f"{plain}, {cost}": 75.1},
    ] == [pytest.approx(each) for each in means]


def test_each_of_the_weights_is_looked_at(
    made_up: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    """Also where all files have one name, as in run directories."""
    paths = (Path("a-m4.75/model.safetensors"), Path("a-m4.5/model.safetensors"))
    nets = {path: residua.create("cifar/resnet-8") for path in paths}
    monkeypatch.setattr(lesion, "loaded", nets.__getitem__)
    evidence = replace(made_up(lesion.runs, {}, budget="smoke"), runs={}, weights=paths)
    found = {label: by_seed[0] for label, by_seed in lesion._trained(evidence).items()}
    assert {"a-m4.75": nets[paths[0]], "a-m4.5": nets[paths[1]]} == found


def test_costs_by_hand():
    """A mean over the units that can be left out; the excess is of those that halve the size."""
    assert (1 + 9 + 1 + 9) / 4 + 0.1 == pytest.approx(STEPPED.cost(1))
    assert 8.0 == pytest.approx(STEPPED.excess(1))
    assert 75.2 == pytest.approx(PLAIN.cost(2))
    assert {True: [], False: [70.0, 80.0]} == PLAIN.rises(0)
