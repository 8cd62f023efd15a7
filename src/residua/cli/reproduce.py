"""The verb ``reproduce``."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from residua.cli import engines
from residua.cli.options import as_json, data_dir, print_json
from residua.cli.study import publish

if TYPE_CHECKING:
    from residua.studies.reproduce import Reproduction


@click.command()
@click.argument("row")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="How many.")
@click.option("--epochs", type=float, help="Train for so many; decides nothing.")
@click.option("--data", "data_name", help="Other images than the row's; decides nothing.")
@data_dir
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="recipe.… or data.…")
@click.option("--out", type=click.Path(path_type=Path), help="Where the page goes.")
@engines.options
@click.option("--dry-run", is_flag=True, help="Train nothing: say what it would take.")
@as_json
def reproduce(
    *,
    row: str,
    seeds: int,
    epochs: float | None,
    data_name: str | None,
    data_dir: Path | None,
    settings: tuple[str, ...],
    out: Path | None,
    store: Path,
    dry_run: bool,
    as_json: bool,
    **where: Any,  # noqa: ANN401 - the options of engines.chosen
) -> None:
    """Train a printed row as its paper did, and say whether its error comes out.

    A row is a paper, a place in it, a net and a data set: he2015/table6/resnet-20/cifar10.
    """
    from residua.studies.reproduce import reproduction

    asked = reproduction(row, epochs=epochs, data=data_name, settings=settings)
    if dry_run:
        _estimate(asked, seeds=seeds, store=store, data_dir=data_dir, as_json=as_json)
        return
    from residua.studies import study
    from residua.studies.reproduce import budget, experiment

    words = ["residua", "reproduce", row, "--seeds", f"{seeds}"]
    words += [] if epochs is None else ["--epochs", f"{epochs:g}"]
    words += [] if data_name is None else ["--data", data_name]
    words += [word for setting in settings for word in ("--set", setting)]
    request = study.Request(
        budget=budget(asked),
        data_dir=data_dir,
        seeds=range(seeds),
        store=store,
        command=shlex.join(words),
    )
    engine = engines.chosen(**where)
    with engines.going_on():
        found = study.conduct(
            experiment(asked), request, engine=engine, say=partial(click.echo, err=True)
        )
    publish(found, out or Path("runs/studies") / row.replace("/", "-"), as_json=as_json)


def _estimate(
    asked: Reproduction, *, seeds: int, store: Path, data_dir: Path | None, as_json: bool
) -> None:
    from residua.studies import estimates
    from residua.tables.reports import print_estimate

    click.echo(f"estimating {asked.ours.net} on this machine", err=True)
    plan = estimates.plan(asked, seeds=seeds, store=store, data_dir=data_dir)
    if as_json:
        print_json(plan)
    else:
        print_estimate(plan)
