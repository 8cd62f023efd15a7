"""A command made from a run gives that run again."""

import shlex
from dataclasses import replace
from functools import partial

import pytest

from residua.cli import training
from residua.runs.config import DataChoice, Run, override
from residua.studies import budgets, commands
from residua.training import presets, recipes

HE = Run(
    net="cifar/resnet-8",
    data=DataChoice(name="synthetic", val_size=32),
    recipe=presets.HE2015,
    seed=3,
)
RUNS = {
    "as it is": HE,
    "rescaled": replace(HE, recipe=recipes.rescaled(HE.recipe, 5)),
    "rescaled oddly": replace(HE, recipe=recipes.rescaled(HE.recipe, 1 / 3)),
    "with settings": override(
        HE,
        ("recipe.optim.lr=0.05", "recipe.ema=0.99", "data.train_limit=64", "recipe.name=mine"),
    ),
    "another schedule": replace(HE, recipe=budgets.SMOKE),
    "without warm-up": replace(HE, recipe=replace(HE.recipe, warm_up=None)),
    "larger images": replace(HE, data=DataChoice(name="folder:a b", val_size=1, image_size=64)),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_command_of_a_run_makes_that_run(run: Run, monkeypatch: pytest.MonkeyPatch):
    """Whatever differs from its recipe is set: the key is the same."""
    made: list[Run] = []

    def found(of: partial[Run], name: str, *_: object, **__: object) -> tuple[Run, object]:
        made.append(of(DataChoice(name=name, val_size=9)))
        raise InterruptedError

    monkeypatch.setattr(training, "_with_data", found)
    program, verb, *arguments = shlex.split(commands.train(run))
    with pytest.raises(InterruptedError):
        training.train.main(arguments, standalone_mode=False)
    assert ("residua", "train") == (program, verb)
    assert [run.key] == [each.key for each in made]
