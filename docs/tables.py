"""Tables of nets, printed figures and recipes, as Markdown that cog puts into the pages."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from residua.arch import count, names, papers, rows
from residua.arch.grammar import GRAMMAR
from residua.arch.papers import CLASSES, Deviation, Fact
from residua.arch.plan import plan
from residua.arch.spec import DenseSpec, Op, Spec
from residua.arch.variations import VARIATIONS
from residua.interop.differences import DIFFERENCES
from residua.reports.page import plain
from residua.tables.recipes import COLUMNS, cells
from residua.training import presets

PEERS = Path(__file__).parents[1] / "tests" / "peers"
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "svhn": "SVHN", "imagenet": "ImageNet"}
NUMBER, WORDS = "---:", "---"


def joints(*of: str) -> str:
    """The row of joints of some nets: what stands where, and how the input is carried."""
    lines = [
        (f"`{name}`", *_places(spec), f"({', '.join(map(str, spec.kernels))})", _carried(spec))
        for name in of
        if not isinstance(spec := names.spec(name), DenseSpec)
    ]
    heads = ("net", "first", "between", "last", "after", "kernels", "carried")
    return table(heads, (WORDS,) * len(heads), lines)


def printed(source: str) -> str:
    """What a paper, or its authors' code, prints about nets, beside our counts."""
    lines = [
        (
            f"`{fact.net}`",
            DATASETS[fact.dataset],
            _error(fact),
            fact.params or "–",
            f"{_params(fact):,}",
            _verdict(fact),
            fact.where.removeprefix(source).lstrip(", "),
            fact.recipe_note,
        )
        for fact in papers.tables().facts
        if fact.printed and rows.source(fact) == source
    ]
    heads = ("net", "data", "error, %", "printed", "ours", "same", "where", "trained")
    return table(heads, (WORDS, WORDS, *(NUMBER,) * 3, *(WORDS,) * 3), lines)


def deviations(source: str) -> str:
    """Where a paper's printed figure is not our net's, and why."""
    lines = [
        (
            row.metric,
            ", ".join(f"`{net}`" for net in row.nets),
            DATASETS.get(row.dataset or "", "all"),
            row.why,
        )
        for row in papers.tables().deviations
        if _of(row, source)
    ]
    return (
        table(("of", "nets", "data", "why"), (WORDS,) * 4, lines)
        if lines
        else "Nowhere: every printed count is ours, rounded."
    )


def recipe(name: str) -> str:
    """Every value of a recipe, with its source."""
    lines = [
        (f"`{row.path}`", plain(row.value), row.source)
        for row in presets.explained(presets.get(name))
    ]
    return table(("value", "", "where from"), (WORDS,) * 3, lines)


def recipes() -> str:
    """The named recipes, a line each."""
    lines = [(f"`{name}`", *rest) for name, *rest in map(cells, presets.RECIPES.values())]
    kinds = [NUMBER if side == "right" else WORDS for side in COLUMNS.values()]
    return table(tuple(COLUMNS), kinds, lines)


def grammar() -> str:
    """Every pattern of names, with its family, its paper and the first net that it reports."""
    lines: list[tuple[str, ...]] = []
    for pattern in GRAMMAR:
        name = next(name for name in names.names() if re.fullmatch(pattern.regex, name))
        lines.append((f"`{pattern.shown}`", pattern.family, pattern.paper, f"`{name}`"))
    return table(("name", "family", "of", "such as"), (WORDS,) * 4, lines)


def variations() -> str:
    """Every suffix of a name, and what it does."""
    lines = [
        (
            f"`+{row.shown}`",
            ", ".join(f"`{start}…`" for start in row.of),
            row.paper,
            (inspect.getdoc(row.change) or "").partition("\n")[0].partition("  Source")[0],
        )
        for row in VARIATIONS
    ]
    return table(("suffix", "of", "paper", "what it does"), (WORDS,) * 4, lines)


def certified() -> str:
    """Every net that papers report, with its exact counts; marked where others found the same."""
    found = {(row.net, row.num_classes): row.params for row in papers.tables().counts}
    lines: list[tuple[str, ...]] = []
    for name in names.names():
        entry = names.entry(name)
        totals = count.totals(entry.spec)
        known = found.get((name, entry.spec.num_classes))
        lines.append(
            (
                f"`{name}`",
                str(entry.depth),
                f"{totals.params:,}",
                f"{count.params_no_bn(entry.spec):,}",
                f"{totals.macs / 1e6:,.1f}",
                "equal" if known == totals.params else "–",
            )
        )
    heads = ("net", "depth", "parameters", "without BN", "10⁶ MACs", "elsewhere")
    return table(heads, (WORDS, NUMBER, NUMBER, NUMBER, NUMBER, WORDS), lines)


def same_elsewhere() -> str:
    """Other people's nets that are ours under some name: same tensors, same outputs."""
    peers = runpy.run_path(str(PEERS / "table.py"))["PEERS"]
    named = {peer.theirs: peer for peer in peers if not peer.changed}
    lines = [(*_theirs(theirs), f"`{peer.ours}`") for theirs, peer in named.items()]
    return table(("project", "theirs", "ours"), (WORDS,) * 3, lines)


def other_elsewhere() -> str:
    """Other people's nets that have a name of ours and are other nets."""
    read = json.loads((PEERS / "why_different.json").read_text(encoding="utf-8"))
    lines = [
        (
            *_theirs(row["theirs"]),
            f"`{row['ours']}`",
            f"{row['params_theirs']:,}",
            f"{row['params_ours']:,}",
            row["why"],
        )
        for row in read
    ]
    heads = ("project", "theirs", "by name", "parameters: theirs", "ours", "why")
    return table(heads, (WORDS,) * 3 + (NUMBER,) * 2 + (WORDS,), lines)


def refused_imports() -> str:
    """Which weights ``residua import`` refuses under which name, and the name to take."""
    lines = [
        (project, f"`{net}`", why.format(net=net).replace("<", "\\<"))
        for project, net, why in DIFFERENCES
    ]
    return table(("project", "asked for as", "why not"), (WORDS,) * 3, lines)


def walked() -> str:
    """How long each line of the ten-minute tour took: what scripts/walk.py wrote down."""
    found = json.loads((Path(__file__).parent / "walk.json").read_text(encoding="utf-8"))
    each = [(f"`{line['command']}`", f"{line['seconds']:,.0f}") for line in found["lines"]]
    total = ("together", f"{sum(line['seconds'] for line in found['lines']):,.0f}")
    env = found["environment"]
    of = f"{env['device']}; torch {env['versions']['torch']}; commit {env['commit']}."
    rows = [*each, total]
    return f"{table(('line', 'seconds'), (WORDS, NUMBER), rows)}\n\nOn {of}"


def table(heads: Sequence[str], kinds: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar inside a cell is escaped."""
    body = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, kinds, *body))


def _theirs(path: str) -> tuple[str, str]:
    """The project and the function of a dotted path."""
    return path.partition(".")[0], f"`{path.rpartition('.')[2]}`"


def _places(spec: Spec) -> tuple[str, ...]:
    assert spec.kind == "residual"
    return tuple(
        _shown(getattr(spec.joints, place)) for place in ("first", "between", "last", "after")
    )


def _shown(ops: tuple[Op, ...]) -> str:
    return " ".join({"bn": "BN", "relu": "ReLU", "drop": "dropout"}[op] for op in ops) or "–"


def _carried(spec: Spec) -> str:
    return ", ".join(dict.fromkeys(row.shortcut for row in plan(spec)))


def _error(fact: Fact) -> str:
    if fact.error is None:
        return "–"
    return f"({fact.printed_error})" if fact.confidence == "quoted" else fact.printed_error


def _params(fact: Fact) -> int:
    return count.params(replace(names.spec(fact.net), num_classes=CLASSES[fact.dataset]))


def _verdict(fact: Fact) -> str:
    if fact.params is None:
        return "–"
    return (
        "yes" if papers.rounded(_params(fact), like=fact.params) == fact.params else "no, see why"
    )


def _of(row: Deviation, source: str) -> bool:
    sources = {rows.source(fact) for net in row.nets for fact in papers.facts(net)}
    return source in sources
