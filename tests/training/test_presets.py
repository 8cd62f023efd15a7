"""The named recipes: the papers' values, and where each comes from."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Said:
    """What a section of the fact sheet says of some recipes, and the values that this means."""

    recipes: str
    section: int
    quote: str
    values: dict[str, Any]


SGD = {"optim.lr": 0.1, "optim.momentum": 0.9, "optim.weight_decay": 1e-4}
NESTEROV = {**SGD, "optim.nesterov": True, "optim.decay_norms": True}
CROP_FLIP = {"augment.pad": 4, "augment.flip": True}
PLAIN = {"augment.pad": 0, "augment.flip": False, "augment.padding": "zeros"}


def epochs(length: float, at: tuple[float, ...], factor: float = 0.1) -> dict[str, Any]:
    """Return the values of a run of so many epochs and its schedule."""
    return {
        "budget.length": length,
        "budget.unit": "epochs",
        "schedule.at": at,
        "schedule.factor": factor,
    }


# A later line overrules an earlier one.
FACTS = [
    Said(
        "he2015 he2016",
        1,
        "lr 0.1, ÷10 at 32k and 48k, stop 64k iterations",
        {**epochs(64_000, (32_000, 48_000)), "budget.unit": "iterations", "optim.lr": 0.1},
    ),
    Said(
        "he2015 he2016", 1, "batch 128 (2 GPUs); wd 1e-4; momentum 0.9", SGD | {"batch_size": 128}
    ),
    Said("he2015 he2016", 1, "Caffe plain momentum", {"optim.nesterov": False}),
    Said("he2015", 1, "per-pixel mean subtraction, no std", {"normalise": "per_pixel_mean"}),
    Said("he2015 he2016", 1, "pad 4 + random 32 crop + flip", CROP_FLIP),
    Said(
        "he2015",
        1,
        "n=18 only: lr 0.01 until train err <80 %",
        {
            "warm_up.lr": 0.01,
            "warm_up.below_error": 80,
            "warm_up.iterations": None,
            "warm_up.min_depth": 110,
        },
    ),
    Said(
        "he2016",
        2,
        "0.01 warm-up for first 400 it in all CIFAR runs",
        {
            "warm_up.lr": 0.01,
            "warm_up.iterations": 400,
            "warm_up.below_error": None,
            "warm_up.min_depth": 0,
        },
    ),
    Said("he2016", 2, "batch 128; translation+flip only", {"batch_size": 128, **CROP_FLIP}),
    Said("he2016", 1, "fb.resnet: per-channel mean/std", {"normalise": "mean_std"}),
    Said(
        "huang2016 huang2016-1202 huang2016-svhn",
        3,
        "500 epochs, lr 0.1 ÷10 at 250 & 375",
        epochs(500, (250, 375)),
    ),
    Said(
        "huang2016 huang2016-1202 huang2016-svhn",
        3,
        "batch 128, wd 1e-4, Nesterov 0.9, dampening 0",
        NESTEROV | {"batch_size": 128},
    ),
    Said(
        "huang2016 huang2016-1202 huang2016-svhn",
        3,
        "per-pixel mean, one global std; zero-fill ±4 shift",
        CROP_FLIP | {"normalise": "per_pixel_mean_global_std", "augment.padding": "zeros"},
    ),
    Said("huang2016-svhn", 3, "SVHN 50 ep, drops 30/35", epochs(50, (30, 35)) | PLAIN),
    Said(
        "huang2016-1202",
        3,
        "1202: 300 epochs, lr 0.01 first 10 epochs, drops 150/225",
        epochs(300, (150, 225))
        | {
            "warm_up.lr": 0.01,
            "warm_up.iterations": 10 * (45_000 // 128),
            "warm_up.below_error": None,
            "warm_up.min_depth": 0,
            "warm_up.window": 100,
        },
    ),
    Said(
        "zagoruyko2016 zagoruyko2016-zca zagoruyko2016-svhn",
        4,
        "SGD Nesterov 0.9, dampening 0, lr 0.1 ×0.2 at 60/120/160, 200 epochs, wd 5e-4, batch 128",
        NESTEROV
        | epochs(200, (60, 120, 160), 0.2)
        | {"optim.weight_decay": 5e-4, "batch_size": 128},
    ),
    Said(
        "zagoruyko2016 zagoruyko2016-zca zagoruyko2016-svhn",
        4,
        "flip + 4-px reflection pad crop",
        CROP_FLIP | {"augment.padding": "reflect"},
    ),
    Said("zagoruyko2016", 4, "Table 5 (mean/std, no dropout", {"normalise": "mean_std"}),
    Said("zagoruyko2016-zca", 4, "ZCA (Goodfellow/pylearn2) default", {"normalise": "zca"}),
    Said(
        "zagoruyko2016-svhn",
        4,
        "SVHN lr 0.01 ×0.1 at 80/120 of 160",
        epochs(160, (80, 120)) | PLAIN | {"optim.lr": 0.01, "normalise": "divide"},
    ),
    Said(
        "huang2017 huang2017-plain huang2017-svhn",
        5,
        "300 epochs (SVHN 40), batch 64, lr 0.1 ÷10 at 50 %/75 %, wd 1e-4 (all params in code), "
        "Nesterov 0.9 no dampening",
        NESTEROV | epochs(300, (150, 225)) | {"batch_size": 64},
    ),
    Said("huang2017 huang2017-plain", 5, "channel mean/std", {"normalise": "mean_std"}),
    Said("huang2017", 5, "C10+ | C100 | C100+", CROP_FLIP),
    Said("huang2017-plain huang2017-svhn", 5, "Dropout 0.2 only without augmentation", PLAIN),
    Said(
        "huang2017-svhn",
        5,
        "300 epochs (SVHN 40)",
        epochs(40, (20, 30)) | {"normalise": "divide"},
    ),
    Said(
        "han2017 han2017-c100",
        6,
        "300 epochs, drops 150/225 (×0.1), batch 128, wd 1e-4, Nesterov 0.9",
        NESTEROV | epochs(300, (150, 225)) | {"batch_size": 128},
    ),
    Said("han2017", 6, "lr 0.1 (C10) / 0.5 (C100)", {"optim.lr": 0.1}),
    Said("han2017-c100", 6, "lr 0.1 (C10) / 0.5 (C100)", {"optim.lr": 0.5}),
    Said(
        "han2017 han2017-c100",
        6,
        "pad4+crop+flip, mean/std",
        CROP_FLIP | {"normalise": "mean_std"},
    ),
    Said(
        "he2015-imagenet",
        1,
        "batch 256, lr 0.1 ÷10 on plateau, ≤60e4 it, wd 1e-4, mom 0.9",
        SGD | {"batch_size": 256, "schedule.factor": 0.1, "optim.nesterov": False},
    ),
    # In its stead parts of random size are cropped, without padding, as the recipe says.
    Said("he2015-imagenet", 1, "shorter side ∈[256,480]", PLAIN | {"augment.flip": True}),
    Said("he2015-imagenet", 5, "90 epochs, batch 256, drops 30/60", epochs(90, (30, 60))),
]


def said(recipe: str) -> dict[str, Any]:
    """Return every value that the facts give a recipe."""
    values: dict[str, Any] = {}
    for fact in FACTS:
        if recipe in fact.recipes.split():
            values |= fact.values
    return values


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_the_values_of_the_facts(name: str):
    """Each value that the papers or their code state, as the fact sheet has it."""
    leaves = presets.leaves(presets.get(name))
    expected = said(name)
    assert expected == {path: leaves[path] for path in expected}


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("fast-")])
def test_what_the_facts_do_not_say_is_marked_as_ours(name: str):
    """Every other value of a recipe is unstated or not used, and says so where it is shown."""
    rows = {row.path: row.source for row in presets.explained(presets.get(name))}
    ours = {
        path
        for path, source in rows.items()
        if source.startswith("unstated; ") or source == "not used by the source"
    }
    assert set() == rows.keys() - ours - said(name).keys()


def test_the_fact_sheet_says_so():
    """Each quotation stands in its section, but for signs of emphasis."""
    sheet = Path(__file__).parents[3] / "shared" / "facts" / "FACTS.md"
    if not sheet.is_file():
        pytest.skip(f"no fact sheet at {sheet}")
    text = sheet.read_text(encoding="utf-8").replace("*", "")
    sections = dict(re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    missing = [fact.quote for fact in FACTS if fact.quote not in sections[str(fact.section)]]
    assert [] == missing
