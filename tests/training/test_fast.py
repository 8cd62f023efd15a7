"""The fast recipes: a paper's, changed idea by idea."""

import re
from dataclasses import replace
from operator import attrgetter

import pytest

from residua.arch import names
from residua.errors import UsageError
from residua.training import fast, presets
from residua.training.recipes import Budget, Recipe, Steps

PAPERS = {paper.name: paper for paper in presets.SHORTENED}


def test_every_family_has_one():
    """Each named net on CIFAR has its paper's recipe in a tenth of the epochs; others have none."""
    for name in names.names():
        entry = names.entry(name)
        if name.startswith("cifar/"):
            paper = presets.default(entry).name
            assert f"fast-{paper}" == presets.fast_for(entry).name
        else:
            with pytest.raises(UsageError, match=re.escape(f"{name} has no fast recipe")):
                presets.fast_for(entry)


@pytest.mark.parametrize("name", PAPERS)
def test_it_differs_from_the_papers_by_what_it_lists(name: str):
    """Every difference is the budget or an idea's, and every idea makes one."""
    paper = PAPERS[name]
    quick = presets.get(f"fast-{name}")
    different = {path for path, _, _ in presets.difference(paper, quick)}
    listed = set(fast.reasons(paper))
    assert different == {path for path in different if f"{path}.".startswith(_prefixes(listed))}
    for path in listed:
        assert any(f"{each}.".startswith(f"{path}.") for each in different), path


def _prefixes(paths: set[str]) -> tuple[str, ...]:
    return tuple(f"{path}." for path in paths)


@pytest.mark.parametrize("name", PAPERS)
def test_an_idea_is_taken_out_by_its_name(name: str):
    """What it set is the paper's again, its schedule in proportion; all else stays."""
    paper = PAPERS[name]
    whole = fast.fast(paper)
    for idea in fast.ideas(paper):
        found = fast.fast(paper, without=idea.name)
        for other in fast.ideas(paper):
            source = paper if other == idea else whole
            for path in other.settings:
                if path != "schedule":
                    assert attrgetter(path)(source) == attrgetter(path)(found), path
    without = fast.fast(paper, without="one rise and fall").schedule
    assert isinstance(without, Steps)
    assert isinstance(paper.schedule, Steps)
    shares = [at / paper.budget.length for at in paper.schedule.at]
    assert pytest.approx(shares) == [at / whole.budget.length for at in without.at]


def test_iterations_are_counted_in_epochs():
    """64,000 iterations of 128 among 45,000 images are 182 epochs; 20 are the fewest."""
    assert Budget(length=20) == fast.fast(presets.HE2015).budget
    longer = replace(presets.HE2015, budget=Budget(length=128_000, unit="iterations"))
    assert Budget(length=36) == fast.fast(longer).budget
    assert Budget(length=30) == fast.fast(presets.HAN2017).budget


def test_an_explanation_gives_the_reason_of_what_changed():
    """And what it brought; the paper's source stands where its value does."""
    rows = {row.path: row.source for row in presets.explained(presets.get("fast-he2015"))}
    assert rows["optim.rest.weight_decay"].startswith(f"{fast.MUON.reason}; without it +")
    assert rows["augment.pad"].startswith(f"{fast.PADDING.reason}; without it +")
    assert "he2015 §4.2" in rows["batch_size"]


def test_the_rate_rises_and_falls_to_nothing():
    """A fifth of the peak at first, the peak after a fifth of the budget, 0 at the end."""
    recipe: Recipe = presets.get("fast-han2017")
    length = recipe.budget.length
    found = [recipe.schedule.scale(share * length, length=length) for share in (0, 0.2, 0.6, 1)]
    assert pytest.approx([0.2, 1, 0.5, 0]) == found


def test_a_reason_says_what_the_idea_brought(monkeypatch: pytest.MonkeyPatch):
    """With its interval where there are seeds; nothing of an idea that nobody took out."""
    ideas = {
        "Muon": {"points": 2.5, "half_interval": 0.25},
        "bf16": {"points": -0.1, "half_interval": None},
    }
    measured = {"net": "cifar/resnet-20", "epochs": 3.0, "seeds": 3, "ideas": ideas}
    monkeypatch.setattr(fast, "_measured", lambda: measured)
    found = fast.reasons(PAPERS["he2015"])
    said = "; without it +2.50 ± 0.25 points of test error (cifar/resnet-20, 3 epochs, n = 3)"
    assert found["optim"] == fast.MUON.reason + said
    assert "; without it -0.10 points of test error (" in found["precision"]
    assert found["augment.pad"] == fast.PADDING.reason
