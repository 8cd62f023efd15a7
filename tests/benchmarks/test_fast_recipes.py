"""The runs behind the fast recipes' records."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fast_recipes, records
from benchmarks.fast_recipes import PARTS
from residua.arch import names
from residua.runs.config import DataChoice, Run
from residua.training import fast, presets
from residua.training.recipes import rescaled


def test_every_other_family_has_a_member():
    """One net for each family with a fast recipe, but for the aim's; each recipe as many epochs."""
    runs = fast_recipes.families([0])
    papers = {presets.default(names.entry(run.net)) for run in runs}
    assert set(presets.SHORTENED) == papers | {presets.HE2015}
    for net, epochs in fast_recipes.FAMILIES.items():
        quick, cut = (run.recipe for run in runs if run.net == net)
        assert quick.name == f"fast-{cut.name}"
        assert [epochs, epochs] == [quick.budget.length, cut.budget.length]


def test_the_ablation_takes_out_each_idea():
    """The whole and one run less than it for each idea, no two of them alike, for every seed."""
    runs = fast_recipes.ablation(range(2))
    ideas = fast.ideas(presets.HE2015)
    assert 2 * (1 + len(ideas)) == len({run.key for run in runs})
    assert {0, 1} == {run.seed for run in runs}


def test_the_aim_sees_all_images():
    """None are held back, and the recipe is as long as its name says."""
    for run in fast_recipes.aim(range(3)):
        assert 0 == run.data.val_size
        assert run.data.train_limit is None
        assert presets.get("fast-he2015") == run.recipe


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    """A part of two small runs."""

    def runs(seeds: range) -> list[Run]:
        recipe = replace(rescaled(presets.get("fast-he2015"), 1), precision="fp32")
        data = DataChoice(name="synthetic", val_size=16, train_limit=128)
        return [Run(net="cifar/resnet-8", data=data, recipe=recipe, seed=seed) for seed in seeds]

    monkeypatch.setitem(PARTS, "aim", (runs, Path("nowhere")))


@pytest.mark.usefixtures("small")
def test_a_part_is_trained_and_its_records_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A record for each seed; a second time nothing is trained."""
    arguments = ["aim", "--seeds", "2", "--store", str(tmp_path / "store")]
    arguments += ["--records", str(tmp_path / "records")]
    assert 0 == fast_recipes.main(arguments)
    kept = records.read(tmp_path / "records")
    assert [0, 1] == sorted(record.seed for record in kept)
    assert ["fast-he2015"] * 2 == [record.recipe["name"] for record in kept]

    capsys.readouterr()
    assert 0 == fast_recipes.main([*arguments, "--jobs", "2"])
    assert "2 runs, 2 of them finished" in capsys.readouterr().err
    assert kept == records.read(tmp_path / "records")  # each had been alone


def test_a_part_without_its_data_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One line, and the status of wrong use or of a failure."""
    arguments = ["aim", "--data-dir", str(tmp_path), "--store", str(tmp_path / "store")]
    assert 0 != fast_recipes.main(arguments)
    assert "residua data get cifar10" in capsys.readouterr().err
