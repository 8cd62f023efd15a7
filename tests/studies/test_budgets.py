"""Budgets: what their runs have in common, and what they take."""

import pytest

from residua.arch import names
from residua.errors import UsageError
from residua.studies import budgets, named
from residua.training import presets

LAPTOP = budgets.get("laptop")


def test_runs_are_shared_between_studies():
    """One net, budget and seed is one run, whichever study asks for it."""
    degradation = named.get("degradation").runs(LAPTOP, range(3))["resnet-20"]
    shortcuts = named.get("shortcuts").runs(LAPTOP, range(3))["resnet-20"]
    assert [run.key for run in degradation] == [run.key for run in shortcuts]
    assert 3 == len({run.key for run in degradation})


def test_an_unknown_budget_names_the_others():
    """So does an unknown study."""
    with pytest.raises(UsageError, match=r"'big'; there are smoke, laptop, fast, paper$"):
        budgets.get("big")
    with pytest.raises(UsageError, match=r"'lesions'; did you mean 'lesion'\? There are "):
        named.get("lesions")


def test_no_more_images_than_there_are():
    """On a small data set the limit falls away, and its own split is kept."""
    small = LAPTOP.on("digits", num_train=1_437, val_size=144)
    assert ("digits", 144, None) == (small.data.name, small.data.val_size, small.data.train_limit)
    large = LAPTOP.on("cifar100", num_train=50_000, val_size=5_000)
    assert (1_000, 9_000) == (large.data.val_size, large.data.train_limit)


def test_longer_is_for_the_laptop_alone():
    """There all images are trained on; other budgets are what they were."""
    run = LAPTOP.longer(laptop_epochs=4).run("cifar/resnet-20", 0)
    assert (4, None) == (run.recipe.budget.length, run.data.train_limit)
    assert budgets.get("paper").longer(laptop_epochs=4) == budgets.get("paper")


def test_papers_recipes():
    """At paper each net has its own paper's recipe, at fast the shortened one."""
    net = "cifar/wrn-16-4"
    paper, fast = (budgets.get(name).run(net, 0).recipe for name in ("paper", "fast"))
    assert presets.ZAGORUYKO2016 == paper
    assert presets.fast_for(names.entry(net)) == fast


def test_minutes_by_hand():
    """Images times multiply-adds, evaluation at a third: ResNet-20 has 40.55 M of these."""
    run = LAPTOP.run("cifar/resnet-20", 0)
    passes = 5 * (9_000 + 1_000 / 3) + 20_000 / 3
    assert passes * 40.55e6 / 3.2e10 / 60 == pytest.approx(budgets.cpu_minutes([run]), rel=1e-3)


def test_how_much_less_a_run_sees_is_told():
    """281 steps of 32 in each of 5 epochs; 64,000 of 128 in the paper, 300 epochs of 390 of 128."""
    runs = [LAPTOP.run("cifar/resnet-20", 0), LAPTOP.run("cifar/pyramidnet-110-a48", 0)]
    assert (5 * 281 * 32, 5) == budgets.seen(runs[0])
    assert 64_000 * 128 == budgets.seen(budgets.get("paper").run("cifar/resnet-20", 0))[0]
    (told,) = budgets.shorter(runs)
    assert told.startswith(
        "A run sees 44,960 training images, by its paper's recipe 8,192,000 to 14,976,000,"
    )
    assert () == budgets.shorter([budgets.get("paper").run("cifar/resnet-20", 0)])
    assert () == budgets.shorter([budgets.get("smoke").run("cifar/resnet-20", 0)])


def test_what_is_held_back_is_told():
    """200 epochs of 351 steps of 128, in the paper of 390; huang2016 holds as many back as we."""
    nets = ("cifar/resnet-20", "cifar/wrn-16-4", "cifar/sd-resnet-110")
    he, wide, survival = (budgets.get("paper").run(net, 0) for net in nets)
    (told,) = budgets.shorter([he, wide])
    assert told.startswith(
        "Some runs see 8,985,600 training images, by its paper's recipe 9,984,000,"
    )
    assert () == budgets.shorter([survival])


def test_a_data_set_may_have_a_recipe_of_its_own():
    """As a row that is reproduced; where there is none it is the paper's one."""
    on = budgets.get("paper").on("cifar100", num_train=50_000, val_size=5_000)
    nets = ("cifar/pyramidnet-110-a48", "cifar/wrn-16-4")
    recipes = [on.run(net, 0).recipe for net in nets]
    assert [presets.HAN2017_C100, presets.ZAGORUYKO2016] == recipes


@pytest.mark.parametrize("name", named.EXPERIMENTS)
def test_half_an_hour_on_two_cores(name: str):
    """What a study takes at laptop with the three seeds that a verdict needs, as estimated."""
    runs = named.get(name).runs(LAPTOP, range(3))
    unique = {run.key: run for label in runs.values() for run in label}
    assert budgets.cpu_minutes(unique.values()) / 2 <= 30
