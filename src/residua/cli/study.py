"""The verbs about studies."""

from __future__ import annotations

import importlib.util
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from residua.cli import engines
from residua.cli.options import as_json, data_dir, print_json
from residua.errors import UsageError

if TYPE_CHECKING:
    from residua.studies.budgets import Budget
    from residua.studies.experiments import Experiment
    from residua.studies.findings import Findings

LEVELS = ("smoke", "laptop", "fast", "paper")
SEEDS = 3  # as many as a verdict takes


@click.group()
def study() -> None:
    """Ask trained nets what the papers claim about them."""


@study.command("list")
@click.option("--budget", "level", type=click.Choice(LEVELS), default="laptop", show_default=True)
@as_json
def study_list(*, level: str, as_json: bool) -> None:
    """Name the studies, and what each takes at a budget."""
    from residua.studies import budgets, named
    from residua.tables.studies import print_studies

    budget = budgets.get(level)
    rows = [
        {
            "name": each.name,
            "question": each.question,
            "source": each.source,
            **_costs(each, budget),
        }
        for each in named.EXPERIMENTS.values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_studies(rows, budget=f"{level}: {budget.says}; {SEEDS} seeds")


def _costs(experiment: Experiment, budget: Budget) -> dict[str, Any]:
    """How many runs, and about how long on two cores; None where a recipe is missing."""
    from residua.studies import budgets

    try:
        runs = {
            run.key: run for runs in experiment.runs(budget, range(SEEDS)).values() for run in runs
        }
    except UsageError:
        return {"runs": None, "minutes": None}
    return {"runs": len(runs), "minutes": round(budgets.cpu_minutes(runs.values()) / 2, 1)}


@study.command("run")
@click.argument("name")
@click.option(
    "--budget", "level", type=click.Choice(LEVELS), help="[default: smoke; with --weights paper]"
)
@click.option("--seeds", type=click.IntRange(min=1), help="How many.  [default: 3, at smoke 1]")
@click.option("--data", "data_name", help="Another data set than the budget's.")
@data_dir
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the findings go.  [default: runs/studies/NAME-BUDGET, and there shard-I-of-N]",
)
@engines.options
@click.option(
    "--shard",
    callback=lambda _context, _option, value: _part(value),
    metavar="I/N",
    help="Train only every N-th run, from the I-th.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Look at these trained nets instead.",
)
@as_json
def study_run(
    *,
    name: str,
    level: str | None,
    seeds: int | None,
    data_name: str | None,
    data_dir: Path | None,
    out: Path | None,
    store: Path,
    shard: tuple[int, int],
    weights: tuple[Path, ...],
    as_json: bool,
    **where: Any,  # noqa: ANN401 - the options of engines.chosen
) -> None:
    """Train what a study lacks, and write its findings; again, it goes on where it was."""
    from residua.studies import budgets, named

    experiment = named.get(name)
    if importlib.util.find_spec("matplotlib") is None:  # told now, not after hours of training
        raise UsageError("a study's figures need matplotlib: pip install 'residua[plots]'")
    # It imports torch, which a wrong name does not need.
    from residua.studies import study as studies

    if weights and seeds is not None:
        raise UsageError("--weights are looked at as they are: leave --seeds out")
    level = level or ("paper" if weights else "smoke")
    count = seeds or (1 if level == "smoke" else SEEDS)
    request = studies.Request(
        budget=budgets.get(level),
        data=data_name,
        data_dir=data_dir,
        seeds=range(count),
        weights=weights,
        shard=shard,
        store=store,
        command=_command(name, level, count, data_name, weights),
    )
    engine, say = engines.chosen(**where), partial(click.echo, err=True)
    with engines.going_on():
        found = studies.conduct(experiment, request, engine=engine, say=say)
    publish(found, out or _folder(name, level, shard), as_json=as_json)


def publish(found: Findings, out: Path, *, as_json: bool) -> None:
    """Write a study's folder with its page, and print what it found.

    ``findings.json`` comes last: what lies beside it then belongs to it.
    """
    from residua.reports.reporting import of_study
    from residua.studies import study as studies
    from residua.tables.studies import print_findings

    made = of_study(found, out=out)
    studies.write(out, found)
    if as_json:
        print_json({"findings": made.findings, "report": str(made.html)})
    else:
        print_findings(found, out)


def _part(shard: str | None) -> tuple[int, int]:
    if shard is None:
        return 1, 1
    one, _, of = shard.partition("/")
    if not (one.isdecimal() and of.isdecimal() and 1 <= int(one) <= int(of)):
        raise UsageError(f"--shard wants I/N with I from 1 to N, such as 1/4, not {shard!r}")
    return int(one), int(of)


def _folder(name: str, level: str, shard: tuple[int, int]) -> Path:
    """Where the findings go: those of shards, which may be at work at once, apart."""
    place, (one, of) = Path("runs/studies") / f"{name}-{level}", shard
    return place / f"shard-{one}-of-{of}" if of > 1 else place


def _command(name: str, level: str, seeds: int, data: str | None, weights: tuple[Path, ...]) -> str:
    """What asks for the same findings again; the store and the data set's place are no part."""
    words = ["residua", "study", "run", name, "--budget", level]
    words += [] if weights else ["--seeds", str(seeds)]
    words += ["--data", data] if data else []
    words += [word for path in weights for word in ("--weights", str(path))]
    return shlex.join(words)
