"""The named recipes: the papers' values, and where each comes from."""

import pytest

from residua.arch import names
from residua.errors import UsageError
from residua.training import presets
from residua.training.presets import RECIPES, SOURCES
from residua.training.recipes import Augment, Budget, Recipe, Sgd, Steps, WarmUp


def test_he2015_has_the_papers_values():
    """64k iterations of 128, plain momentum, warm-up at 110 layers.  Source: he2015 §4.2."""
    expected = Recipe(
        name="he2015",
        budget=Budget(length=64_000, unit="iterations"),
        batch_size=128,
        optim=Sgd(lr=0.1, momentum=0.9, nesterov=False, weight_decay=1e-4, decay_norms=True),
        schedule=Steps(at=(32_000, 48_000), factor=0.1),
        warm_up=WarmUp(lr=0.01, below_error=80, min_depth=110, window=100),
        augment=Augment(pad=4, padding="zeros", flip=True),
        normalise="per_pixel_mean",
        precision="fp32",
        bn_group=None,
        rescaled_from=None,
    )
    assert expected == presets.get("he2015")


def test_han2017_has_the_authors_values():
    """300 epochs of Nesterov momentum, drops at a half and three quarters.  Source: their code."""
    expected = Recipe(
        name="han2017",
        budget=Budget(length=300, unit="epochs"),
        batch_size=128,
        optim=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, decay_norms=True),
        schedule=Steps(at=(150, 225), factor=0.1),
        warm_up=None,
        augment=Augment(pad=4, padding="zeros", flip=True),
        normalise="mean_std",
        precision="fp32",
        bn_group=None,
        rescaled_from=None,
    )
    assert expected == presets.get("han2017")


def test_an_unknown_recipe_is_refused_with_the_nearest():
    """The message has the nearest name and all names."""
    with pytest.raises(UsageError, match=r"'he205'; did you mean 'he2015'\?.*han2017,.*he2015"):
        presets.get("he205")


def test_recipes_are_found_by_their_own_names():
    """The table's keys are the names inside."""
    assert list(RECIPES) == [recipe.name for recipe in RECIPES.values()]
    assert all(presets.get(name) is recipe for name, recipe in RECIPES.items())


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_value_of_a_recipe_has_its_source(recipe: Recipe):
    """A source stands for each value or for what holds it, but for options that are off."""
    sources = SOURCES[recipe.name]
    for path, value in presets.leaves(recipe).items():
        *holders, name = path.split(".")
        off = name in presets.OPTIONS and not value
        if off or name in {"name", "kind", "rescaled_from"}:
            continue
        ways = [".".join([*holders, name][: length + 1]) for length in range(len(holders) + 1)]
        assert any(way in sources for way in ways), path


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_source_is_of_a_value(recipe: Recipe):
    """Each path that a source is given for exists in the recipe."""
    for path in SOURCES[recipe.name]:
        value: object = recipe
        for name in path.split("."):
            value = getattr(value, name)


def test_an_explanation_has_each_value_with_its_nearest_source():
    """A source for ``optim.decay_norms`` comes before one for ``optim``; ours are marked."""
    found = {row.path: row for row in presets.explained(presets.HE2015)}
    assert 0.1 == found["optim.lr"].value
    assert "he2015 §4.2" in found["optim.lr"].source
    assert found["optim.decay_norms"].source.startswith("unstated; decayed: ")
    assert "not used by the source" == found["augment.mixup"].source
    assert not {"name", "rescaled_from", "optim.kind"} & found.keys()


def test_a_difference_has_what_differs_alone():
    """he2015 and he2016 differ in warm-up and normalisation."""
    found = {path: values for path, *values in presets.difference(presets.HE2015, presets.HE2016)}
    expected = {
        "warm_up.iterations": [None, 400],
        "warm_up.below_error": [80, None],
        "warm_up.min_depth": [110, 0],
        "normalise": ["per_pixel_mean", "mean_std"],
    }
    assert expected == found
    assert [] == presets.difference(presets.HE2015, presets.HE2015)


@pytest.mark.parametrize(
    ("net", "recipe"),
    [
        ("cifar/resnet-20", "he2015"),
        ("cifar/preresnet-110", "he2016"),
        ("cifar/sd-resnet-110", "huang2016"),
        ("cifar/wrn-28-10", "zagoruyko2016"),
        ("cifar/densenet-40-12", "huang2017"),
        ("cifar/pyramidnet-110-a48", "han2017"),
        ("cifar/pyramidnet-104-a48-post", "han2017"),
    ],
)
def test_a_nets_default_is_its_papers_recipe(net: str, recipe: str):
    """Every family trains as its paper did."""
    assert recipe == presets.default(names.entry(net)).name


def test_every_named_net_has_a_recipe():
    """No paper of the listed nets lacks one."""
    assert all(presets.default(names.entry(name)).name in RECIPES for name in names.names())
