"""Runs as values: canonical JSON, the key, and --set."""

import dataclasses
import json

import pytest

from residua.arch import names
from residua.arch.families import resnet
from residua.arch.spec import (
    Absent,
    Additive,
    Carry,
    Dropped,
    Gate,
    Identity,
    Multiplicative,
    Project,
    Scale,
    Shortcut,
    Widths,
)
from residua.errors import RunError, UsageError
from residua.runs.config import (
    DataChoice,
    Run,
    override,
    run_from_json,
    spec_from_json,
    to_json,
)
from residua.training import presets, recipes

RUN = Run(
    net="cifar/resnet-20",
    data=DataChoice(name="cifar10", val_size=5_000),
    recipe=presets.HE2015,
    seed=0,
)

# Each setting of RUN with another value: a new field must be put down here.
CHANGES = {
    "data.val_size": "0",
    "data.train_limit": "1000",
    "data.image_size": "64",
    "recipe.name": "mine",
    "recipe.budget.length": "640",
    "recipe.budget.unit": "epochs",
    "recipe.batch_size": "64",
    "recipe.optim.lr": "0.05",
    "recipe.optim.momentum": "0.8",
    "recipe.optim.nesterov": "true",
    "recipe.optim.weight_decay": "0.0005",
    "recipe.optim.decay_norms": "false",
    "recipe.schedule.at": "[1000]",
    "recipe.schedule.factor": "0.2",
    "recipe.warm_up.lr": "0.02",
    "recipe.warm_up.below_error": "70",
    "recipe.warm_up.iterations": "400",
    "recipe.warm_up.min_depth": "20",
    "recipe.warm_up.window": "50",
    "recipe.augment.pad": "2",
    "recipe.augment.padding": "reflect",
    "recipe.augment.flip": "false",
    "recipe.augment.cutout": "8",
    "recipe.augment.mixup": "0.2",
    "recipe.augment.cutmix": "1",
    "recipe.normalise": "mean_std",
    "recipe.label_smoothing": "0.1",
    "recipe.ema": "0.99",
    "recipe.precision": "bf16",
    "recipe.bn_group": "128",
    "recipe.rescaled_from": "3 epochs",
}


def leaves(content: dict, prefix: str = "") -> dict[str, object]:
    """Return the values of nested dictionaries by dotted path."""
    found: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def through_text(content: dict) -> dict:
    """Write JSON and read it again."""
    return json.loads(json.dumps(content))


def test_the_key_of_a_run_stays_what_it_was():
    """Records are found by key: one that changes orphans every run there is."""
    assert "d9b5231cf666" == RUN.key


def test_every_setting_is_in_the_key():
    """Twins of a run that differ in one setting have keys of their own."""
    elsewhere = {"net", "seed", "data.name", "recipe.optim.kind", "recipe.schedule.kind"}
    assert CHANGES.keys() == leaves(to_json(RUN)).keys() - elsewhere

    also = {"recipe.warm_up.iterations": ("recipe.warm_up.below_error=null",)}
    twins = [
        override(RUN, (f"{path}={value}", *also.get(path, ()))) for path, value in CHANGES.items()
    ]
    twins += [
        dataclasses.replace(RUN, net="cifar/resnet-32"),
        dataclasses.replace(RUN, seed=1),
        dataclasses.replace(RUN, data=dataclasses.replace(RUN.data, name="cifar100")),
        override(RUN, ("recipe.warm_up=null",)),
    ]
    others = (
        {"optim": recipes.Muon()},
        {"optim": recipes.Muon(lr=0.1)},
        {"schedule": recipes.Cosine()},
        {"schedule": recipes.Knots(at=(32_000, 48_000), values=(1, 0))},
    )
    for other in others:
        twins.append(dataclasses.replace(RUN, recipe=dataclasses.replace(RUN.recipe, **other)))

    assert len(twins) + 1 == len({RUN.key, *(twin.key for twin in twins)})


def test_equal_runs_have_equal_keys():
    """64000 and 64000.0 are one budget, so a run read from its file keeps its key."""
    read = run_from_json(through_text(to_json(RUN)))
    budget = dataclasses.replace(RUN.recipe.budget, length=64_000.0)
    other = dataclasses.replace(RUN, recipe=dataclasses.replace(RUN.recipe, budget=budget))

    assert RUN == read == other
    assert RUN.key == read.key == other.key


def test_the_slug_says_net_recipe_seed_and_key():
    """The default directory's name has no slash of its own, whatever a recipe is called."""
    assert f"cifar-resnet-20--he2015--s0--{RUN.key}" == RUN.slug
    assert "/" not in override(RUN, ("recipe.name=../../mine",)).slug


MODERN = dataclasses.replace(
    presets.HAN2017,
    name="modern",
    optim=recipes.Muon(rest=recipes.Sgd(lr=0.02)),
    schedule=recipes.Cosine(rise=0.1),
    augment=recipes.Augment(flip="alternating", cutmix=1.0),
)
KNOTS = recipes.Knots(at=(0, 1.5, 3), values=(0, 1, 0.5))


@pytest.mark.parametrize(
    "recipe",
    [*presets.RECIPES.values(), MODERN, dataclasses.replace(MODERN, name="k", schedule=KNOTS)],
    ids=lambda recipe: recipe.name,
)
def test_a_run_survives_json(recipe: recipes.Recipe):
    """What is written to run.json comes back equal, rescaled or not."""
    for variant in (recipe, recipes.rescaled(recipe, 2.5)):
        run = dataclasses.replace(RUN, recipe=variant, seed=3)
        assert run == run_from_json(through_text(to_json(run)))


def test_every_named_spec_survives_json():
    """All unions and tuples inside the specs of all named nets come back as they were."""
    changed = [
        name
        for name in names.names()
        if names.spec(name) != spec_from_json(through_text(to_json(names.spec(name))))
    ]
    assert [] == changed


@pytest.mark.parametrize(
    "carry",
    [
        Identity(),
        Project(),
        Absent(),
        Dropped(),
        Scale(carry=0.5, branch=0.5),
        Gate(exclusive=True, bias=-6.0),
    ],
    ids=lambda carry: carry.kind,
)
def test_every_carry_survives_json(carry: Carry):
    """Carries with equal fields are told apart by their kind."""
    spec = dataclasses.replace(resnet(8), shortcut=Shortcut(carry=carry))
    assert spec == spec_from_json(through_text(to_json(spec)))


@pytest.mark.parametrize("widths", [Additive(alpha=48, steps=54), Multiplicative(alpha=4.75)])
def test_every_width_rule_survives_json(widths: Widths):
    """Additive and multiplicative rules both have an alpha and are told apart by their kind."""
    spec = dataclasses.replace(resnet(8), widths=widths)
    assert spec == spec_from_json(through_text(to_json(spec)))


def changed(path: str, value: object) -> dict:
    """Return RUN as JSON with one value put at a dotted path."""
    content = to_json(RUN)
    *parents, name = path.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[name] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("colour", 1),
        ("data.colour", 1),
        ("recipe.colour", 1),
        ("recipe.optim.colour", 1),
        ("recipe.warm_up.colour", 1),
        ("seed", "many"),
        ("recipe.precision", "fp8"),
        ("recipe.optim.lr", -1),
        ("recipe.schedule.at", [1, "late"]),
    ],
)
def test_unknown_keys_and_wrong_values_of_a_run_are_refused(path: str, value: object):
    """Nothing in a run.json is ignored; the message names the key or what holds it."""
    with pytest.raises(RunError) as caught:
        run_from_json(changed(path, value))
    message = str(caught.value)
    assert path.rpartition(".")[0] in message
    assert path.rpartition(".")[2] in message
    assert "\n" not in message


def test_a_missing_key_is_refused():
    """A run.json without a seed is no run with seed 0."""
    content = to_json(RUN)
    del content["seed"]
    with pytest.raises(RunError, match=r"seed: .*required"):
        run_from_json(content)


@pytest.mark.parametrize("content", [[], None, "run", 3])
def test_what_is_no_object_is_no_run(content: object):
    """Any JSON value that is not an object is told of."""
    with pytest.raises(RunError, match="not a run that can be read"):
        run_from_json(content)


@pytest.mark.parametrize(
    ("name", "value"), [("colour", 1), ("kind", "recurrent"), ("depths", []), ("kernels", "3x3")]
)
def test_what_is_no_spec_is_refused(name: str, value: object):
    """Unknown keys, kinds and impossible values in a model.json are told of."""
    with pytest.raises(RunError, match="not a spec that can be read"):
        spec_from_json(to_json(resnet(8)) | {name: value})


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("recipe.optim.lr=0.05", 0.05),
        ("recipe.optim.lr=1e-3", 0.001),
        ("recipe.batch_size=64", 64),
        ("recipe.optim.nesterov=true", True),
        ("recipe.precision=bf16", "bf16"),
        ("recipe.schedule.at=[10, 20.5]", (10, 20.5)),
        ("recipe.bn_group=64", 64),
        ("recipe.warm_up=null", None),
        ("data.train_limit=512", 512),
        ("data.val_size=0", 0),
    ],
)
def test_a_setting_changes_its_field_alone(assignment: str, value: object):
    """The value takes the field's type; every other field stays."""
    path = assignment.partition("=")[0]
    found = override(RUN, (assignment,))

    holder: object = found
    for name in path.split("."):
        holder = getattr(holder, name)
    before, after = leaves(to_json(RUN)), leaves(to_json(found))
    moved = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert value == holder
    assert type(value) is type(holder)
    assert moved <= {name for name in before.keys() | after.keys() if name.startswith(path)}
    assert RUN != found


def test_settings_apply_in_order():
    """The last of two settings of one field counts; none changes nothing."""
    found = override(RUN, ("recipe.batch_size=64", "data.train_limit=9", "recipe.batch_size=32"))
    assert (32, 9) == (found.recipe.batch_size, found.data.train_limit)
    assert RUN == override(RUN, ())


def test_a_setting_reaches_into_one_before_it():
    """What the first leaves out has its usual value, and can be set like all else."""
    found = override(RUN, ('recipe.optim={"kind": "muon"}', "recipe.optim.rest.lr=0.05"))
    assert recipes.Muon(rest=recipes.Sgd(lr=0.05)) == found.recipe.optim

    with pytest.raises(UsageError, match=r"nothing is set by 'recipe\.warm_up\.lr'"):
        override(RUN, ("recipe.warm_up=null", "recipe.warm_up.lr=0.02"))


@pytest.mark.parametrize(
    ("assignment", "nearest"),
    [
        ("recipe.lr=0.1", "recipe.optim.lr"),
        ("recipe.optim.learning_rate=0.1", "recipe.optim"),
        ("recipe.batchsize=4", "recipe.batch_size"),
        ("train_limit=4", "data.train_limit"),
        ("data.name=digits", "data.val_size"),
        ("net=cifar/resnet-32", "recipe."),
        ("seed=2", "recipe."),
        ("=2", "recipe."),
    ],
)
def test_an_unknown_path_is_refused_with_the_nearest(assignment: str, nearest: str):
    """Net, data set and seed have options of their own and are no settings."""
    with pytest.raises(UsageError) as caught:
        override(RUN, (assignment,))
    assert repr(assignment.partition("=")[0]) in str(caught.value)
    assert nearest in str(caught.value).partition("nearest:")[2]


def test_a_setting_needs_an_equals_sign():
    """A bare path is told how to be written."""
    with pytest.raises(UsageError, match=r"wants path=value, not 'recipe.batch_size'"):
        override(RUN, ("recipe.batch_size",))


@pytest.mark.parametrize(
    "assignment",
    [
        "recipe.optim.lr=fast",
        "recipe.optim.lr=",
        "recipe.optim.lr=0",
        "recipe.optim.momentum=1",
        "recipe.batch_size=1.5",
        "recipe.batch_size=0",
        "recipe.precision=fp8",
        "recipe.normalise=pca",
        "data.image_size=large",
        "recipe.augment.pad=-1",
        "recipe.schedule.at=5",
        "recipe.budget.length=0",
        "recipe.optim=3",
    ],
)
def test_a_value_that_does_not_fit_is_refused(assignment: str):
    """The message repeats the setting, so that one sees which of several is meant."""
    with pytest.raises(UsageError) as caught:
        override(RUN, (assignment,))
    assert assignment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "inf"])
@pytest.mark.parametrize("path", ["recipe.schedule.factor", "recipe.warm_up.lr"])
def test_a_setting_is_a_finite_number(path: str, value: str):
    """JSON has no NaN, so a run that holds one could not be written down."""
    with pytest.raises(UsageError, match=path):
        override(RUN, (f"{path}={value}",))
