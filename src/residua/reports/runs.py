"""The page of one run: how it learned, what its net does on the test images, how to repeat it."""

from __future__ import annotations

import dataclasses
from typing import Any

from residua.arch import count, names, papers
from residua.arch.spec import Spec
from residua.reports import charts
from residua.reports.assessment import Assessment, Calibration
from residua.reports.charts import MOST_NAMED, Line
from residua.reports.page import (
    Cell,
    Chart,
    Code,
    Grid,
    Page,
    Picture,
    Pictures,
    Section,
    Text,
    duration,
    plain,
)
from residua.reports.sources import Finished
from residua.runs.config import Run, by_path, to_json
from residua.studies import commands
from residua.training import presets


def page(found: Finished, assessment: Assessment | None, *, left_out: str) -> Page:
    """The page of a finished run.

    Args:
        found: The run.
        assessment: Its net on the test images; None where the images or weights are missing.
        left_out: Then why, and what to do.
    """
    record = found.record
    sections = [_learning(found), _set_up(found)]
    if assessment is None:
        sections.insert(
            1, Section(title="Test images", blocks=(Text(text=left_out, mark="missing"),))
        )
    else:
        sections[1:1] = [_mistakes(assessment, record), _calibration(assessment)]
    sections += [_papers(found), *_rerun(found)]
    return Page(
        title=f"{record['net']} on {found.run.data.name}, seed {record['seed']}",
        lead=_lead(found.run, record),
        tiles=_tiles(record, assessment),
        sections=tuple(section for section in sections if section.blocks),
    )


def summary(found: Finished, assessment: Assessment | None) -> dict[str, Any]:
    """What the page rests on, as JSON values; pictures are left out."""
    seen = None
    if assessment is not None:
        seen = dataclasses.asdict(assessment)
        for mistake in seen["mistakes"]:
            del mistake["png"]
    return {"record": found.record, "epochs": found.metrics, "assessment": seen}


def _lead(run: Run, record: dict[str, Any]) -> str:
    recipe = run.recipe
    moved = f", whose own are {recipe.rescaled_from}" if recipe.rescaled_from else ""
    return (
        f"{record['test_error']:.2f} % of the test images were got wrong after {record['epochs']} "
        f"epochs of the recipe {recipe.name}{moved}. One seed: what another would give is not "
        f"known from it."
    )


def _tiles(record: dict[str, Any], assessment: Assessment | None) -> tuple[tuple[str, str], ...]:
    tiles = [
        ("test error", f"{record['test_error']:.2f} %"),
        ("with the mirrored view", f"{record['test_error_tta']:.2f} %"),
        ("parameters", f"{record['params']:,}"),
        ("training time", duration(record["train_seconds"])),
        ("throughput", f"{record['images_per_second']:,.0f} images/s"),
    ]
    if record["val_error"] is not None:
        tiles.insert(2, ("validation error", f"{record['val_error']:.2f} %"))
    if assessment is not None:
        tiles.append(("calibration error", f"{assessment.trained.ece:.2f} %"))
    return tuple(tiles)


def _learning(found: Finished) -> Section:
    """Four drawings over the epochs, each under a title with its last or mean value."""
    epochs, record = found.metrics, found.record
    if not epochs:
        return Section(title="Learning", blocks=())
    (rate,), (speed,) = _curves(epochs, rate="lr"), _curves(epochs, speed="images_per_second")
    error = _curves(epochs, **{"training, augmented": "train_error", "validation": "val_error"})
    loss = _curves(epochs, **{"training, augmented": "train_loss", "validation": "val_loss"})
    mark = ("test", record["test_error"])
    log = 0 < 20 * min(rate.ys) < max(rate.ys)
    drawings = (
        (
            f"Error: {record['test_error']:.2f} % on the test images at the end",
            charts.lines(error, x="epoch", y="error, %", mark=mark),
        ),
        (
            f"Training loss: {record['train_loss']:.3f} in the last epoch",
            charts.lines(loss, x="epoch", y="cross-entropy, nats"),
        ),
        (
            "Learning rate at each epoch's end",
            charts.lines([rate], x="epoch", y="learning rate", log=log),
        ),
        (
            f"Throughput: {record['images_per_second']:,.0f} images a second on average",
            charts.lines([speed], x="epoch", y="images per second"),
        ),
    )
    names = ("error", "loss", "rate", "throughput")
    blocks = tuple(
        Chart(name=name, title=title, svg=svg)
        for name, (title, svg) in zip(names, drawings, strict=True)
    )
    return Section(title="Learning", blocks=blocks)


def _curves(epochs: list[dict[str, Any]], **metrics: str) -> list[Line]:
    """A curve for each metric that every epoch has, under its label."""
    x = [epoch["epoch"] for epoch in epochs]
    return [
        Line(label, x, [epoch[name] for epoch in epochs])
        for label, name in metrics.items()
        if all(epoch[name] is not None for epoch in epochs)
    ]


def _mistakes(assessment: Assessment, record: dict[str, Any]) -> Section:
    few = len(assessment.classes) <= MOST_NAMED
    worst = sorted(_by_class(assessment), key=lambda row: row[-1], reverse=True)
    per_class = Grid(
        title="Error of each class" if few else f"The {MOST_NAMED} classes with the most errors",
        columns=("class", "images", "got wrong", "error, %"),
        rows=tuple(worst[:MOST_NAMED]),
    )
    confused = Grid(
        title="What is taken for what most often",
        columns=("class", "taken for", "times"),
        rows=_pairs(assessment) or (("none", "none", 0),),
    )
    blocks = [
        Chart(
            name="confusion",
            title="Classes (rows) and answers (columns)",
            svg=charts.heat(assessment.confusion, assessment.classes),
            wide=not few,
        ),
        per_class,
        confused,
    ]
    if assessment.mistakes:
        blocks += [Text(text="The mistakes it was surest of:"), _gallery(assessment)]
    if round(assessment.error, 2) != round(record["test_error"], 2):
        blocks.insert(
            0,
            Text(
                mark="missing",
                text=f"Its weights get {assessment.error:.2f} % wrong here, and the record says "
                f"{record['test_error']:.2f} %: other images, or another precision.",
            ),
        )
    return Section(title="Mistakes on the test images", blocks=tuple(blocks))


def _gallery(assessment: Assessment) -> Pictures:
    return Pictures(
        pictures=tuple(
            Picture(
                name=f"mistake-{mistake.index}",
                png=mistake.png,
                caption=f"{mistake.label}, taken for {mistake.answer}: "
                f"{mistake.confidence_pct:.1f}\N{NO-BREAK SPACE}%",
            )
            for mistake in assessment.mistakes
        )
    )


def _by_class(assessment: Assessment) -> list[tuple[str, int, int, float]]:
    rows: list[tuple[str, int, int, float]] = []
    for index, (name, counts) in enumerate(
        zip(assessment.classes, assessment.confusion, strict=True)
    ):
        n, wrong = sum(counts), sum(counts) - counts[index]
        if n:
            rows.append((name, n, wrong, 100 * wrong / n))
    return rows


def _pairs(assessment: Assessment) -> tuple[tuple[Cell, ...], ...]:
    wrong = [
        (times, name, assessment.classes[column])
        for index, (name, counts) in enumerate(
            zip(assessment.classes, assessment.confusion, strict=True)
        )
        for column, times in enumerate(counts)
        if column != index and times
    ]
    wrong.sort(key=lambda row: -row[0])
    return tuple((name, answer, times) for times, name, answer in wrong[:10])


def _calibration(assessment: Assessment) -> Section:
    trained, scaled = assessment.trained, assessment.scaled

    def points(of: Calibration) -> list[tuple[float, float]]:
        return [(each.confidence_pct, each.right_pct) for each in of.bins]

    chart = Chart(
        name="reliability",
        title=f"Confidence against right answers: calibration error {trained.ece:.2f} %",
        svg=charts.reliability(points(trained), points(scaled) if scaled else []),
    )
    rows: list[tuple[Cell, ...]] = [("as trained", 1.0, trained.ece, trained.nll)]
    note = "The run held no images back for validation, so no temperature was fitted."
    if scaled is not None:
        rows.append(("with the temperature", assessment.temperature, scaled.ece, scaled.nll))
        note = "The temperature was fitted on the validation images, never on the test images."
    columns = ("", "temperature", "calibration error, %", "loss, nats")
    return Section(
        title="Calibration", blocks=(chart, Grid(columns=columns, rows=tuple(rows), note=note))
    )


def _set_up(found: Finished) -> Section:
    run, record = found.run, found.record
    spec = _spec(found)
    data = by_path(to_json(run)["data"])
    rows: list[tuple[Cell, ...]] = [
        ("net", run.net),
        ("depth", names.entry(run.net).depth),
        ("parameters", record["params"]),
        ("multiply-adds per image", count.macs(spec, image_size=run.data.image_size)),
        *((f"data.{name}", plain(value)) for name, value in data.items()),
        ("seed", record["seed"]),
        ("epochs", record["epochs"]),
        ("steps", record["steps"]),
    ]
    named = presets.RECIPES.get(run.recipe.name)
    usual = presets.leaves(named) if named else {}
    recipe = tuple(
        (path, plain(value), plain(usual[path]) if usual.get(path, value) != value else "")
        for path, value in presets.leaves(run.recipe).items()
        if path != "name"
    )
    known = Grid(title="Run", rows=tuple((name, plain(value)) for name, value in rows))
    changed = "in the recipe itself" if named else "no recipe of ours has this name"
    return Section(
        title="Set-up",
        blocks=(
            known,
            Grid(
                title=f"Recipe {run.recipe.name}", columns=("value", "here", changed), rows=recipe
            ),
        ),
    )


def _spec(found: Finished) -> Spec:
    """The net with the classes of its run, which are as many as its parameters tell."""
    spec = names.spec(found.run.net)
    more = (found.record["params"] - count.params(spec)) // (count.out_features(spec) + 1)
    return dataclasses.replace(spec, num_classes=spec.num_classes + more)


def _papers(found: Finished) -> Section:
    """What is printed about this net on these images, to stand beside one run."""
    record = found.record
    facts = papers.errors(record["net"], found.run.data.name)
    rows = tuple(
        (fact.where, fact.printed_error, record["test_error"], fact.recipe_note) for fact in facts
    )
    note = "One run decides nothing: residua reproduce trains several seeds by a row's own recipe."
    columns = ("printed in", "error there, %", "here, %", "trained there")
    blocks = (Grid(columns=columns, rows=rows, note=note),) if rows else ()
    return Section(title="Beside the papers", blocks=blocks)


def _rerun(found: Finished) -> tuple[Section, Section]:
    command = Section(title="To do it again", blocks=(Code(text=commands.train(found.run)),))
    versions = by_path(found.record["versions"])
    env = {
        "device": found.record["device"],
        "devices": found.record["devices"],
        "images that BN averages over": found.record["bn_group"],
        **versions,
        "system": found.env.get("system"),
        "commit": found.env.get("commit"),
        "record": found.record["key"],
    }
    rows = tuple((name, plain(value)) for name, value in env.items() if value is not None)
    return command, Section(title="Environment", blocks=(Grid(rows=rows),))
