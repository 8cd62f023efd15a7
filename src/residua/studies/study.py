"""A study from its question to a folder with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from residua import weights
from residua.data import sets
from residua.data.images import Images
from residua.errors import RunError, UsageError
from residua.studies import budgets, findings, runner
from residua.studies.budgets import Budget
from residua.studies.evidence import Evidence
from residua.studies.experiments import Experiment
from residua.studies.findings import Findings
from residua.studies.runner import Engine, Say
from residua.training.runtime import Runtime, environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks a study for.

    Attributes:
        budget: How much may be trained.
        data: The data set; None for the budget's own.
        data_dir: Where it lies; None for the usual place.
        seeds: Those of the runs.
        weights: Trained nets to look at in place of the study's runs.
        shard: Train only each n-th of the runs, from the i-th: (i, n), from 1.
        store: Where runs lie.
        command: What asks for the same again.
    """

    budget: Budget
    data: str | None = None
    data_dir: Path | None = None
    seeds: Sequence[int] = (0,)
    weights: tuple[Path, ...] = ()
    shard: tuple[int, int] = (1, 1)
    store: Path
    command: str


def conduct(experiment: Experiment, request: Request, *, engine: Engine, say: Say) -> Findings:
    """Train what a study lacks, and find what it finds.

    Raises:
        UsageError: The study takes no weights, or they do not fit it.
        RunError: The data set is missing or damaged, or no run could be finished.
        Stopped: By SIGINT or SIGTERM; the same request goes on from there.
    """
    if request.weights and not experiment.takes_weights:
        raise UsageError(f"{experiment.name} trains its own nets: leave --weights out")
    if request.weights and request.shard != (1, 1):
        raise UsageError("--weights trains nothing: leave --shard out")
    budget = request.budget
    if request.data or request.weights or experiment.runs(budget, request.seeds):
        budget = _fitted(request)  # arithmetic alone needs no images
    runs = {} if request.weights else experiment.runs(budget, request.seeds)
    wanted = {run.key: run for run in chain.from_iterable(runs.values())}
    first, step = request.shard
    failed = runner.complete(
        list(wanted.values())[first - 1 :: step],
        store=request.store,
        data_dir=request.data_dir,
        engine=engine,
        say=say,
    )
    evidence = Evidence(
        budget=budget,
        runs=runs,
        store=request.store,
        data_dir=request.data_dir,
        weights=request.weights,
    )
    lacking = [run for key, run in wanted.items() if key not in evidence.keys]
    if lacking and not evidence.keys:
        raise RunError(next(iter(failed.values()), f"no run has finished in {request.store} yet"))
    missing = (
        failed.get(run.key, f"{run.net}, seed {run.seed}: not trained yet") for run in lacking
    )
    return _found(experiment, evidence, missing=tuple(missing), command=request.command)


def _found(
    experiment: Experiment, evidence: Evidence, *, missing: tuple[str, ...], command: str
) -> Findings:
    analysis = experiment.analyse(evidence)
    runs = {run.key: run for run in (*evidence.trained, *analysis.runs)}
    return Findings(
        study=experiment.name,
        question=experiment.question,
        source=experiment.source,
        rule=experiment.rule,
        budget=evidence.budget.name,
        data=evidence.setup,
        claims=analysis.claims,
        tables=analysis.tables,
        figures=analysis.figures,
        deviations=(*analysis.deviations, *budgets.shorter(chain(*evidence.runs.values()))),
        runs=tuple(runs.values()),
        missing=missing,
        command=command,
        environment=environment(Runtime()),
    )


def _fitted(request: Request) -> Budget:
    """The budget on the data set that is asked for, with no more images than that has."""
    name = request.data or request.budget.data.name
    if request.weights and request.data is None:
        name = _trained_on(request.weights)
    data = sets.load(name, request.data_dir)
    if not isinstance(data.train, Images):
        raise UsageError(f"{name} does not fit into memory: studies take CIFAR, SVHN, digits, …")
    return request.budget.on(name, num_train=len(data.train), val_size=data.val_size)


def _trained_on(paths: Sequence[Path]) -> str:
    """The data set that all these weights were trained on."""
    found: dict[str, Path] = {}
    for path in paths:
        meta = weights.load(path).meta
        assert meta is not None, "weights.load attaches it"
        found.setdefault(meta.data, path)
    if len(found) > 1:
        told = ", ".join(f"{path} on {name}" for name, path in found.items())
        raise UsageError(f"trained on different images: {told}; say with --data which to test on")
    return next(iter(found))


def write(folder: Path, found: Findings) -> None:
    """Write a study's folder: its figures, then ``findings.json``.

    Raises:
        UsageError: matplotlib is not installed.
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw(folder, found)
    _clear(folder, found)
    findings.write(folder, found)


def _clear(folder: Path, found: Findings) -> None:
    """Remove the figures that the folder's last findings had and these have not."""
    from residua.studies.figures.style import FORMATS  # noqa: PLC0415 - as below

    try:
        before = findings.read(folder).figures
    except (RunError, UsageError):
        return  # there were none, or nobody can tell
    for name in {each.name for each in before} - {each.name for each in found.figures}:
        for suffix in FORMATS:
            (folder / f"{name}{suffix}").unlink(missing_ok=True)


def draw(folder: Path, found: Findings) -> None:
    """Draw all figures of some findings, in each format.

    Raises:
        UsageError: matplotlib is not installed.
        OSError: The folder cannot be written to.
    """
    from residua.studies.figures import drawing  # noqa: PLC0415 - for who has matplotlib

    try:
        for figure in found.figures:
            drawing.draw(figure, folder)
    except ImportError:
        raise UsageError("figures need matplotlib: pip install 'residua[plots]'") from None
