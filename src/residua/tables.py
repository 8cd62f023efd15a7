"""What the command prints for people."""

from __future__ import annotations

import io
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from residua.arch import count, names, papers
from residua.arch.grammar import GRAMMAR
from residua.arch.names import Entry
from residua.arch.plan import Unit, plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from residua.data.fetch import Checked
    from residua.prediction import Prediction
    from residua.runs.records import RunDirectory
    from residua.training.presets import Explained
    from residua.training.recipes import Recipe

WIDE = 120  # columns of a terminal that has room for sources
SCREEN = 36  # lines of a table that fits a terminal of 40
WIDTHS = ("c_in", "c_mid", "c_out")
DATASETS = {"cifar10": "C10", "cifar100": "C100", "svhn": "SVHN", "imagenet": "IN-1k"}


def description(entry: Entry) -> dict[str, Any]:
    """A net as ``residua show --json`` prints it."""
    columns = ("index", "stage", "c_in", "c_mid", "c_out", "stride", "shortcut", "survival")
    return {
        "name": entry.name,
        "depth": entry.depth,
        "params": count.params(entry.spec),
        "params_no_bn": count.params_no_bn(entry.spec),
        "macs": count.macs(entry.spec),
        "out_features": count.out_features(entry.spec),
        "units": [{name: getattr(row, name) for name in columns} for row in plan(entry.spec)],
    }


def print_listing(rows: list[dict[str, Any]]) -> None:
    """The named nets, a block per family: counts, and the errors that the papers print."""
    console = Console()
    wide = console.width >= WIDE
    for family, group in groupby(rows, key=lambda row: names.entry(row["name"]).family):
        block = list(group)
        shown = [column for column in DATASETS if any(_errors(row, column) for row in block)]
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=family)
        table.title_justify = "left"
        table.add_column("net", no_wrap=True)
        for heading in ("parameters", *(("MACs",) if wide else ())):
            table.add_column(heading, no_wrap=True, justify="right")
        for column in shown:
            table.add_column(DATASETS[column], justify="right", no_wrap=True)
        if wide:
            table.add_column("printed in", style="dim", overflow="fold")
        for row in block:
            sources = "; ".join(dict.fromkeys(fact["where"] for fact in row["facts"]))
            table.add_row(
                row["name"],
                f"{row['params']:,}",
                *((f"{row['macs'] / 1e6:,.1f} M",) if wide else ()),
                *(_errors(row, column).replace(", ", "\n") for column in shown),
                *((sources,) if wide else ()),
            )
        console.print(table, end="\n\n", highlight=False)
    console.print(
        "Errors in percent as printed, several where sources differ; IN-1k: ImageNet top-1."
    )
    if not wide:
        console.print(f"A terminal of {WIDE} columns shows MACs and sources as well.")


def families_as_markdown() -> str:
    """A row per pattern of names, with its first reported net: for the README."""
    lines = [
        "| names | paper | such as | parameters | printed CIFAR-10 error, % |",
        "|---|---|---|---:|---:|",
    ]
    for pattern in GRAMMAR:
        if not pattern.shown.startswith("cifar/"):
            continue
        name = next(name for name in names.names() if re.fullmatch(pattern.regex, name))
        row = next(row for row in papers.listing(pattern.family) if row["name"] == name)
        shown = pattern.shown.replace("|", "\\|")
        error = _errors(row, "cifar10").partition(", ")[0]
        cells = (f"`{shown}`", _cite(pattern.paper), f"`{name}`", f"{row['params']:,}", error)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plan_as_markdown(name: str) -> str:
    """What ``residua show NAME`` prints, as a block of code: for the README."""
    printed = io.StringIO()
    print_plan(names.entry(name), console=Console(file=printed, width=100))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(("```console", f"$ residua show {name}", *lines, "```"))


def print_plan(entry: Entry, *, every: bool = False, console: Console | None = None) -> None:
    """A net's plan: runs of equal units on one line, or of one stage's where that is too long.

    Args:
        entry: The net.
        every: Give each unit a line of its own.
        console: Where it is printed; by default on standard output.
    """
    console = console or Console()
    spec = entry.spec
    figures = (
        f"depth {entry.depth}, {count.params(spec):,} parameters, "
        f"{count.macs(spec) / 1e6:,.1f} M multiply-adds at {spec.image_size}×{spec.image_size}"
    )
    fits = len(entry.name) + 2 + len(figures) <= console.width
    between = "  " if fits else "\n"
    console.print(f"[bold]{entry.name}[/bold]{between}{figures}", highlight=False)
    runs = _runs(plan(spec), every=every)
    gated = any(row.survival < 1 for run in runs for row in run)
    table = Table(box=None, pad_edge=False)
    for heading in ("unit", "stage", "in", "mid", "out", "stride"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("shortcut")
    if gated:
        table.add_column("survival", justify="right")
    for run in runs:
        cells = [
            _span(run[0].index, run[-1].index, "-"),
            str(run[0].stage),
            *(_span(getattr(run[0], c), getattr(run[-1], c), " to ") for c in WIDTHS),
            str(run[0].stride),
            ", ".join(dict.fromkeys(row.shortcut for row in run)),
        ]
        if gated:
            cells.append(_span(f"{run[0].survival:.3f}", f"{run[-1].survival:.3f}", "-"))
        table.add_row(*cells)
    console.print(table)
    if any(row.c_in != run[0].c_in for run in runs for row in run):
        console.print("Widths grow along a line: --all shows every unit.", style="dim")


def print_record(record: dict[str, Any], directory: RunDirectory) -> None:
    """A finished run's figures and where its files are."""
    table = _pairs()
    table.add_row("test error", f"{record['test_error']:.2f} %")
    table.add_row("with the mirrored view", f"{record['test_error_tta']:.2f} %")
    if record["val_error"] is not None:
        table.add_row("validation error", f"{record['val_error']:.2f} %")
    table.add_row("training error", f"{record['train_error']:.2f} %, augmented")
    table.add_row("epochs", f"{record['epochs']} ({record['steps']:,} steps)")
    minutes, seconds = divmod(round(record["train_seconds"]), 60)
    table.add_row(
        "training time", f"{minutes} min {seconds} s, {record['images_per_second']:.0f} images/s"
    )
    table.add_row("run directory", str(directory.path))
    if directory.curves.exists():
        table.add_row("learning curves", str(directory.curves))
    Console().print(table)


def print_over_seeds(result: dict[str, Any]) -> None:
    """Each error's mean ± standard deviation over seeds, as the papers print them."""
    table = _pairs()
    names = {
        "test_error": "test error",
        "test_error_tta": "with the mirrored view",
        "val_error": "validation error",
    }
    for key, label in names.items():
        if key in result:
            summary = result[key]
            low, high = summary["interval"]
            table.add_row(
                label,
                f"{summary['mean']:.2f} ± {summary['sd']:.2f} % (n = {summary['n']}; "
                f"the mean lies in {low:.2f} to {high:.2f} with 95 % confidence)",
            )
    for record in result["records"]:
        table.add_row(f"seed {record['seed']}", f"test error {record['test_error']:.2f} %")
    Console().print(table, highlight=False)


def print_checked(files: list[Checked]) -> None:
    """The files of a data set, and whether each is what it should be."""
    table = Table(box=None, pad_edge=False)
    for heading in ("file", "MD5", ""):
        table.add_column(heading, overflow="fold")
    for file in files:
        state = "right" if file.ok else "damaged" if file.md5 else "missing"
        table.add_row(file.name, file.md5 or "-", state)
    Console().print(table, highlight=False)


def print_evaluation(result: dict[str, Any], *, net: str, data: str) -> None:
    """The figures of ``residua evaluate``."""
    table = _pairs()
    table.add_row("net", net)
    table.add_row("images", f"{result['n']:,} of {data}, {result['split']}")
    table.add_row("views", result["views"])
    table.add_row("error", f"{result['error']:.2f} %")
    if "error_difference" in result:
        table.add_row("difference from fp32", f"{result['error_difference']:+.2f} points")
    table.add_row("top-5 error", f"{result['top5_error']:.2f} %")
    table.add_row("negative log-likelihood", f"{result['nll']:.4f} nats")
    table.add_row("calibration error", f"{result['ece']:.2f} %")
    Console().print(table)


def print_predictions(found: list[Prediction]) -> None:
    """The likeliest classes of each image."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    for each in found:
        for index, guess in enumerate(each.classes):
            share = f"{100 * guess.probability:.1f} %"
            table.add_row("" if index else escape(each.image), escape(guess.name), share)
    Console().print(table, highlight=False)


def print_export(written: dict[str, Any]) -> None:
    """What was written, and how near it comes to the net."""
    table = _pairs()
    table.add_row("format", written["format"])
    table.add_row("checked on", f"{written['n']:,} images")
    table.add_row("largest difference", f"{written['max_abs_diff']:.2g} in a logit")
    table.add_row("file", escape(str(written["file"])))
    Console().print(table, highlight=False)


def print_import(found: dict[str, Any], *, mean: list[float], std: list[float]) -> None:
    """Whose weights became which net's, and what they come with."""
    table = _pairs()
    table.add_row("net", found["net"])
    table.add_row("laid out by", found["project"])
    table.add_row("tensors", f"{found['tensors']}, each used once")
    table.add_row("images", f"(pixels in 0…1 - {_triple(mean)}) / {_triple(std)}")
    table.add_row("classes", f"{found['classes']}, of {found['data']}")
    table.add_row("weights", str(found["out"]))
    Console().print(table, highlight=False)


def _triple(values: list[float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"


def _errors(row: dict[str, Any], dataset: str) -> str:
    """The errors printed for a net on a data set, each once."""
    facts = (fact for fact in papers.facts(row["name"]) if fact.dataset == dataset)
    return ", ".join(dict.fromkeys(fact.error for fact in facts if fact.error is not None))


def _cite(key: str) -> str:
    paper = papers.paper(key)
    first, *others = paper.authors.split(", ")
    return f"{first}{' et al.' if others else ''} {paper.year}"


def print_recipes(recipes: Iterable[Recipe]) -> None:
    """The named recipes, a line each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    for heading in ("batch", "lr", "decay"):
        table.add_column(heading, justify="right")
    table.add_column("images")
    for recipe in recipes:
        table.add_row(
            recipe.name,
            f"{recipe.budget.length:,g} {recipe.budget.unit}",
            f"{recipe.batch_size}",
            f"{recipe.optim.lr:g}",
            f"{recipe.optim.weight_decay:g}",
            recipe.normalise,
        )
    Console().print(table)


def print_explained(rows: tuple[Explained, ...]) -> None:
    """Every value of a recipe with its source."""
    table = Table(box=None, pad_edge=False)
    table.add_column("value", no_wrap=True)
    table.add_column()
    table.add_column("where from", style="dim", overflow="fold")
    for row in rows:
        table.add_row(row.path, _plain(row.value), row.source)
    Console().print(table, highlight=False)


def print_difference(rows: list[tuple[str, Any, Any]], one: str, other: str) -> None:
    """Where two recipes differ."""
    if not rows:
        Console().print(f"{one} and {other} are the same")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("value", one, other):
        table.add_column(heading)
    for path, left, right in rows:
        table.add_row(path, _plain(left), _plain(right))
    Console().print(table, highlight=False)


def _plain(value: object) -> str:
    """A value as a person writes it."""
    if isinstance(value, tuple):
        return ", ".join(_plain(part) for part in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _pairs() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table


def _span(first: object, last: object, between: str) -> str:
    return f"{first}" if first == last else f"{first}{between}{last}"


def _runs(rows: tuple[Unit, ...], *, every: bool) -> list[list[Unit]]:
    """Neighbouring units that share a line.

    They are equal in all but their place and survival; where that makes too many lines for a
    screen, they share stage and stride.
    """

    def shape(row: Unit) -> tuple[object, ...]:
        return (row.stage, row.c_in, row.c_mid, row.c_out, row.stride, row.shortcut)

    if every:
        return [[row] for row in rows]
    runs = [list(run) for _, run in groupby(rows, key=shape)]
    if len(runs) > SCREEN:
        runs = [list(run) for _, run in groupby(rows, key=lambda row: (row.stage, row.stride))]
    return runs
