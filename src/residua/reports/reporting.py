"""From paths to pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.data import sets
from residua.errors import RunError, UsageError
from residua.reports import comparison, runs, sources, studies, writing
from residua.reports.assessment import Assessment, assess
from residua.reports.drawings import drawings
from residua.reports.page import Page
from residua.reports.sources import Finished
from residua.studies import findings
from residua.studies.evidence import loaded

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A page that was written, and what it rests on as JSON values."""

    page: Page
    findings: dict[str, Any]
    html: Path


def report(paths: Sequence[Path], *, data_dir: Path | None, out: Path, say: Say) -> Report:
    """Write the page of a run, of several runs, or of a study.

    Args:
        paths: Run directories, folders of them, or one study's folder.
        data_dir: Where the data set lies; None for the usual place.
        out: The folder of the page.
        say: Is told what takes long.

    Raises:
        UsageError: A path holds nothing finished, or the runs cannot be compared.
        RunError: A file is damaged or of another version.
        OSError: The page cannot be written.
    """
    if any(map(sources.is_study, paths)):
        if len(paths) > 1:
            raise UsageError("a study has a page of its own: name its folder alone")
        return of_study(findings.read(paths[0]), out=out)
    directories = [directory for path in paths for directory in sources.directories(path)]
    read = {directory.path: sources.read(directory) for directory in directories}
    found = [run for run in read.values() if run is not None]
    missing = [f"{path} has not finished" for path, run in read.items() if run is None]
    if not found:
        raise UsageError(f"{missing[0]}: go on with residua train … --resume")
    if len(read) == 1:
        return _of_run(found[0], data_dir=data_dir, out=out, say=say)
    groups = comparison.grouped(found)
    page = comparison.page(groups, missing=missing)
    result = comparison.summary(groups, missing=missing)
    return Report(page=page, findings=result, html=writing.write(page, out))


def of_study(found: findings.Findings, *, out: Path) -> Report:
    """Write the page of a study's findings.

    Raises:
        OSError: It cannot be written.
    """
    page = studies.page(found, drawings(found.figures))
    return Report(page=page, findings=findings.to_json(found), html=writing.write(page, out))


def _of_run(found: Finished, *, data_dir: Path | None, out: Path, say: Say) -> Report:
    assessment, left_out = _assessment(found, data_dir, say)
    if left_out:
        say(left_out)
    page = runs.page(found, assessment, left_out=left_out)
    result = runs.summary(found, assessment)
    return Report(page=page, findings=result, html=writing.write(page, out))


def _assessment(found: Finished, data_dir: Path | None, say: Say) -> tuple[Assessment | None, str]:
    """A run's net on the test images, or what is left out and why."""
    choice = found.run.data
    try:
        net = loaded(found.directory.path)
        data = sets.load(choice.name, data_dir, image_size=choice.image_size)
    except (RunError, UsageError) as error:
        what = "Confusions, calibration and the surest mistakes are left out"
        return None, f"{what}: {error}".replace("\n", " ")
    if len(data.classes) != net.spec.num_classes:
        return None, f"{data.name} has {len(data.classes)} classes here: it is another data set now"
    say(f"predicting the {len(data.test):,} test images of {data.name}")
    return assess(net, data, val_size=choice.val_size), ""
