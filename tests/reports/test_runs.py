"""The page of one run."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from residua.arch import count, names
from residua.reports import runs
from residua.reports.page import Cell, Grid
from residua.reports.sources import Finished
from residua.training import presets


@pytest.fixture
def rows() -> Callable[[Finished], dict[Cell, list[Cell]]]:
    """What the tables of a run's page say, by the first cell."""

    def of(run: Finished) -> dict[Cell, list[Cell]]:
        page = runs.page(run, None, left_out="")
        grids = [each for part in page.sections for each in part.blocks if isinstance(each, Grid)]
        return {name: rest for grid in grids for name, *rest in grid.rows}

    return of


def test_multiply_adds_are_those_of_the_runs_images_and_classes(
    told: Callable[..., Finished], rows: Callable[..., dict]
):
    """Four times the pixels, and a hundred classes in place of ten."""
    run = told("cifar/resnet-20", image_size=64, params=269_722 + 90 * 65)
    macs = 4 * (count.macs(names.spec("cifar/resnet-20")) - 640) + 6400
    assert [f"{macs:,}"] == rows(run)["multiply-adds per image"]


def test_a_recipe_stands_beside_the_one_whose_name_it_has(
    told: Callable[..., Finished], rows: Callable[..., dict]
):
    """With its optimiser, and with nothing beside a value where nobody knows the name."""
    run = told("cifar/resnet-20")
    changed = replace(run.run.recipe, optim=presets.get("fast-he2015").optim, bn_group=64)
    found = rows(replace(run, run=replace(run.run, recipe=changed)))
    assert [["muon", "sgd"], ["64", "none"], ["128", ""]] == [
        found[path] for path in ("optim.kind", "bn_group", "batch_size")
    ]
    mine = replace(changed, name="mine")
    assert ["64", ""] == rows(replace(run, run=replace(run.run, recipe=mine)))["bn_group"]
