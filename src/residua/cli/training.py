"""The verbs about runs: ``train`` and ``evaluate``."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from residua.arch import names
from residua.cli.options import as_json, data_dir, print_json
from residua.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from residua.data.images import DataSet, Images
    from residua.data.listing import Files
    from residua.runs.config import DataChoice, Run
    from residua.runs.records import RunDirectory
    from residua.training.progress import Watcher
    from residua.training.recipes import Recipe

MOST_SEED = 2**63 - 1  # what torch's generators take


@click.command()
@click.argument("name")
@click.option("--data", "data_name", required=True, help="The data set: cifar10, digits, …")
@data_dir
@click.option("--recipe", "recipe_name", help="A name, or fast.  [default: the paper's]")
@click.option("--epochs", type=float, help="Train for so many epochs, milestones in proportion.")
@click.option("--seed", type=click.IntRange(0, MOST_SEED), default=0, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many, from --seed.",
)
@click.option("--devices", type=click.IntRange(min=1), help="How many, a process for each.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="Overrides the recipe's.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's directory.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="recipe.… or data.…")
@click.option("--tensorboard", is_flag=True, help="Write event files into the run's directory.")
@click.option("--quiet", is_flag=True, help="Show nothing but warnings and the result.")
@as_json
def train(
    *,
    name: str,
    data_name: str,
    data_dir: Path | None,
    seed: int,
    seeds: int,
    devices: int | None,
    out: Path | None,
    resume: bool,
    tensorboard: bool,
    quiet: bool,
    as_json: bool,
    **how: Any,  # noqa: ANN401 - the options of _run
) -> None:
    """Train a net into a run directory; with --seeds, into one a seed below --out."""
    from residua.training import launch

    recipe = _recipe(name, how.pop("recipe_name"), how.pop("epochs"))
    launch.split_up(devices)
    # It imports torch, which a process that only watches its ranks can do without.
    from residua.studies.runner import carry_out
    from residua.training.runtime import start

    shown = _shown(tensorboard=tensorboard, quiet=quiet)
    runtime = start(devices)
    of = partial(_run, name, recipe=recipe, seed=seed, **how)
    with runtime.ranks.in_turn():
        run, data = _with_data(of, data_name, data_dir, quiet=quiet)
    runs = _places(run, seeds, out)
    records = [
        carry_out(each, data, at, runtime, resume=resume, shown=shown) for at, each in runs.items()
    ]
    if runtime.ranks.first:
        _show(records, list(runs), as_json=as_json)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--data", "data_name", required=True, help="The data set: cifar10, digits, …")
@data_dir
@click.option("--split", type=click.Choice(["test", "val"]), default="test", show_default=True)
@click.option(
    "--views",
    type=click.Choice(["plain", "flip", "crops"]),
    default="plain",
    show_default=True,
    help="Average over an image and its mirror image, or over ten crops.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="bf16 is faster, and compared with fp32.",
)
@as_json
def evaluate(
    *,
    path: Path,
    data_name: str,
    data_dir: Path | None,
    split: str,
    views: str,
    precision: Literal["fp32", "bf16"],
    as_json: bool,
) -> None:
    """Measure the error of a run directory or weights file."""
    from residua import weights
    from residua.data import sets
    from residua.tables.runs import print_evaluation
    from residua.training.evaluate import VIEWS
    from residua.training.evaluate import evaluate as measure

    net = weights.load(path)
    meta = net.meta
    assert meta is not None, "weights.load attaches it"
    if net.spec.in_channels != 3:
        raise UsageError(f"{path} takes {net.spec.in_channels} channels, data sets have 3")
    data = sets.load(data_name, data_dir, image_size=meta.image_size)
    if len(data.classes) != net.spec.num_classes:
        raise UsageError(
            f"{path} tells {net.spec.num_classes} classes apart, {data.name} has "
            f"{len(data.classes)}"
        )
    images = data.test if split == "test" else _validation(path, data)
    how = partial(measure, net, images, weights.normalisation(meta), views=VIEWS[views])
    found = how(precision=precision)
    result = {**dataclasses.asdict(found), "split": split, "views": views}
    if precision != "fp32":
        result["error_difference"] = found.error - how().error
    if as_json:
        print_json(result)
    else:
        print_evaluation(result, net=meta.net, data=data.name)


def _validation(path: Path, data: DataSet) -> Images | Files:
    """The images that a run held back; of weights without their run nobody knows which."""
    from residua.data import sets
    from residua.runs.records import RunDirectory

    directory = RunDirectory(path if path.is_dir() else path.parent)
    if path not in {directory.path, directory.weights} or not directory.is_one:
        raise UsageError(
            f"{path} is of no run directory, so nobody knows what it was not trained on: leave "
            f"--split val out"
        )
    trained_on = directory.run().data
    if data.name != trained_on.name:
        raise UsageError(
            f"{path} held back images of {trained_on.name}, none of {data.name}: give --data "
            f"{trained_on.name}"
        )
    directory.check_files(data.files)
    if not trained_on.val_size:
        raise UsageError(f"{path} was trained on all images: none are left for validation")
    return sets.split(data, val_size=trained_on.val_size, train_limit=None).val


def _recipe(net: str, name: str | None, epochs: float | None) -> Recipe:
    from residua.training import presets, recipes

    entry = names.entry(net)
    if name == "fast":
        recipe = presets.fast_for(entry)
    else:
        recipe = presets.get(name) if name else presets.default(entry)
    return recipe if epochs is None else recipes.rescaled(recipe, epochs)


def _with_data(
    of: Callable[[DataChoice], Run], name: str, directory: Path | None, *, quiet: bool
) -> tuple[Run, DataSet]:
    """A run and what it sees: how many images validate, if nobody says, is known only then."""
    from residua.data import sets
    from residua.runs.config import DataChoice

    usual = DataChoice(name=name, val_size=0, image_size=sets.default_size(name))
    size = of(usual).data.image_size
    say = (lambda _line: None) if quiet else partial(click.echo, err=True)
    data = sets.load(name, directory, image_size=size, say=say)
    return of(replace(usual, val_size=data.val_size)), data


def _run(
    net: str,
    data: DataChoice,
    recipe: Recipe,
    *,
    seed: int,
    precision: str | None,
    settings: tuple[str, ...],
) -> Run:
    from residua.runs.config import Run, override

    chosen = (f"recipe.precision={precision}",) if precision else ()
    return override(Run(net=net, data=data, recipe=recipe, seed=seed), (*chosen, *settings))


def _shown(*, tensorboard: bool, quiet: bool) -> Callable[[RunDirectory], Watcher]:
    """What shows a run, once it has its directory."""
    from residua.training.progress import watcher

    if not tensorboard:
        return lambda _directory: watcher(quiet=quiet)
    try:
        from residua.training.event_files import Events
    except ImportError:
        raise UsageError(
            "--tensorboard needs a package: pip install 'residua[tensorboard]'"
        ) from None
    return lambda directory: Events(directory, watcher(quiet=quiet))


def _places(run: Run, seeds: int, out: Path | None) -> dict[Path, Run]:
    """Runs of so many seeds, each by its directory."""
    runs = [replace(run, seed=run.seed + index) for index in range(seeds)]
    if out is None:
        return {Path("runs") / each.slug: each for each in runs}
    return {out: run} if seeds == 1 else {out / f"s{each.seed}": each for each in runs}


def _show(records: list[dict[str, Any]], places: list[Path], *, as_json: bool) -> None:
    from residua.runs.records import RunDirectory
    from residua.studies.stats import over_seeds
    from residua.tables.runs import print_over_seeds, print_record

    result = over_seeds(records) if len(records) > 1 else records[0]
    if as_json:
        print_json(result)
    elif len(records) > 1:
        print_over_seeds(result)
    else:
        print_record(result, RunDirectory(places[0]))
