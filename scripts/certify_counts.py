"""Print what the papers' facts expect of every net beside what ours has, row by row.

    python scripts/certify_counts.py [FACTS_JSON]

Without an argument the rows are the package's own facts.  FACTS_JSON is an independent table of
the same papers, ``{"meta": …, "rows": […]}`` with a model's name in the papers' words; each of its
rows must find a fact of the package with the same net, data set and printed error, and no two the
same one.  A value that deviates for a stated reason counts as found.  Ends with ``N of N`` and
exit status 0 if every row is as expected, else 1.
"""
# ruff: noqa: INP001, T201 - a script of its own, and printing is its purpose

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from residua.arch import count, names, papers
from residua.arch.layers import walk
from residua.arch.papers import CLASSES, Fact
from residua.arch.plan import plan
from residua.arch.spec import (
    OPTION_B,
    OPTION_C,
    PREACTIVATION,
    Absent,
    Additive,
    DenseSpec,
    Doubling,
    Multiplicative,
    ResidualSpec,
    Shortcut,
    Spec,
)

# How the independent table words a model → our name. {0}, {1}… are the regex's groups.
MODELS: tuple[tuple[str, str, str], ...] = (
    ("cifar", r"plain-(\d+)", "plain-{0}"),
    ("cifar", r"ResNet-(\d+)(?: original(?: \(shortcut 1, F 1\))?)?", "resnet-{0}"),
    ("cifar", r"ResNet-(\d+)\(1layer\) original", "resnet-{0}+one-layer"),
    (
        "cifar",
        r"ResNet-(\d+) constant scaling \(shortcut (\S+), F (\S+)\).*",
        "resnet-{0}+scale-{1}-{2}",
    ),
    (
        "cifar",
        r"ResNet-(\d+) (exclusive|shortcut)\S* gating .*b_g(?: init |=-?)(\d+).*",
        "resnet-{0}+gate-{1}-{2}",
    ),
    ("cifar", r"ResNet-(\d+) 1x1 conv shortcut .*", "resnet-{0}-c"),
    (
        "cifar",
        r"ResNet-(\d+) dropout shortcut \(shortcut dropout (\S+), F 1\)",
        "resnet-{0}+dropped-{1}",
    ),
    ("cifar", r"ResNet-(\d+) BN after addition", "resnet-{0}+bn-after-addition"),
    ("cifar", r"ResNet-(\d+) ReLU before addition", "resnet-{0}+relu-before-addition"),
    ("cifar", r"ResNet-(\d+) ReLU-only pre-activation", "resnet-{0}+relu-only"),
    ("cifar", r"ResNet-(\d+) full pre-activation", "preresnet-{0}"),
    ("cifar", r"PreResNet-(\d+)(?: batch64)?", "preresnet-{0}"),
    ("cifar", r"PreResNet-(\d+)\(1layer\)", "preresnet-{0}+one-layer"),
    ("cifar", r"ResNet-(\d+) constant depth", "sd-resnet-{0}+constant"),
    ("cifar", r"ResNet-(\d+) stochastic depth", "sd-resnet-{0}"),
    ("cifar", r"WRN-(\d+-\d+)(?:-B\(3,3\)| l=2)?", "wrn-{0}"),
    ("cifar", r"WRN-(\d+-\d+)-B\((\d),(\d),?(\d?)\)", "wrn-{0}+b{1}{2}{3}"),
    ("cifar", r"WRN-(\d+-\d+) l=(\d)", "wrn-{0}+layers-{1}"),
    ("cifar", r"(?:Wide-)?DenseNet-BC-(\d+-\d+)", "densenet-bc-{0}"),
    ("cifar", r"DenseNet-(\d+-\d+)", "densenet-{0}"),
    ("cifar", r"PyramidNet-(\d+) add a=(\d+)", "pyramidnet-{0}-a{1}"),
    ("cifar", r"PyramidNet-(\d+) add a=(\d+) bottleneck", "pyramidnet-{0}-a{1}-bottleneck"),
    ("cifar", r"PyramidNet-(\d+) mul a=(\S+)", "pyramidnet-{0}-m{1}"),
    ("cifar", r"full net \(54 modules\)|trained on exactly 23 random .*", "preresnet-110"),
    ("cifar", r'.* blog PyramidNet "110" a=48 .*', "pyramidnet-104-a48-post"),
    ("cifar", r".* blog ResNet-(\d+)", "resnet-{0}"),
    ("imagenet", r"plain-(\d+)", "plain-{0}"),
    ("imagenet", r"ResNet-(\d+)(?: B| original| constant depth .*)", "resnet-{0}"),
    ("imagenet", r"ResNet-(\d+) A", "resnet-{0}-a"),
    ("imagenet", r"ResNet-(\d+) C", "resnet-{0}-c"),
    ("imagenet", r"ResNet-(\d+) pre-act.*", "preresnet-{0}-bottleneck"),
    ("imagenet", r"ResNet-(\d+) stochastic depth .*", "sd-resnet-{0}"),
    ("imagenet", r"WRN-(\d+)-(\d+(?:\.[1-9])?)(?:\.0|-bottleneck)?", "wrn-{0}-{1}"),
    ("imagenet", r"DenseNet-(\d+)", "densenet-{0}"),
    ("imagenet", r"PyramidNet-(\d+) a=(\d+)", "pyramidnet-{0}-a{1}"),
)

BOTTLENECKS = re.compile(r"cifar/(?:pre)?resnet-(?:164|1001)")


@dataclass(frozen=True, slots=True)
class Check:
    """One expected value beside ours; ``why`` excuses a difference."""

    what: str
    expected: object
    found: object
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether they agree, or differ for a stated reason."""
        return self.expected == self.found or bool(self.why)

    def __str__(self) -> str:
        """``what expected | found``."""
        values = (f"{v:,}" if isinstance(v, int) else str(v) for v in (self.expected, self.found))
        excuse = f" ({self.why})" if self.why and self.expected != self.found else ""
        return f"{self.what} {' | '.join(values)}{excuse}"


@dataclass(frozen=True, slots=True)
class Row:
    """The checks of one row."""

    label: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether there are checks and all hold."""
        return bool(self.checks) and all(check.holds for check in self.checks)


def main(arguments: list[str]) -> int:
    """Print the rows and how many are as expected."""
    found = list(foreign_rows(Path(arguments[0])) if arguments else own_rows())
    for number, row in enumerate(found, start=1):
        verdict = "ok" if row.holds else "NOT AS EXPECTED"
        print(f"{number:3} {verdict}  {row.label}: {'; '.join(map(str, row.checks))}")
    as_expected = sum(row.holds for row in found)
    print("Each value: expected | found.")
    print(f"{as_expected} of {len(found)}")
    return 0 if found and as_expected == len(found) else 1


def own_rows() -> Iterator[Row]:
    """The package's facts, one row each."""
    tables = papers.tables()
    counts = {(row.net, row.num_classes): row for row in tables.counts}
    for fact in tables.facts:
        spec = spec_of(fact.net, fact.dataset)
        checks = [depth(fact.net, spec, names.entry(fact.net).depth)]
        exact = counts.get((fact.net, CLASSES[fact.dataset]))
        if exact is not None:
            checks += [
                Check(what, getattr(exact, key), counted(spec))
                for key, what, counted in COUNTS
                if getattr(exact, key) is not None
            ]
        if fact.net in tables.widths:
            checks.append(widths(spec, tables.widths[fact.net]))
        if fact.params:
            checks.append(printed(fact, spec, "params", fact.params))
        if fact.macs:
            checks.append(printed(fact, spec, "macs", fact.macs))
        yield Row(f"{fact.net} on {fact.dataset}, {fact.where}", tuple(checks))


def foreign_rows(path: Path) -> Iterator[Row]:
    """An independent table, one row each, with the facts of ours that they find."""
    content = json.loads(path.read_text(encoding="utf-8"))
    unused = list(papers.tables().facts)
    lists = {**content["meta"]["widths"], **content["meta"]["widths_mul"]}
    for row in content["rows"]:
        net = net_of(row)
        fact = take(unused, net, row)
        label = f"{row['model']} on {row['dataset']} = {net}"
        if fact is None:
            yield Row(label, (Check("fact", f"error {row['error_paper']}", "none of ours"),))
            continue
        spec = spec_of(net, row["dataset"])
        checks = [depth(net, spec, row["depth"]), drawn(spec, row["width"])]
        checks += [
            Check(key, row[key], counted(spec))
            for key, counted in FOREIGN.items()
            if row.get(key) is not None
        ]
        for key, value in lists.items():
            if key == list_name(net):
                checks.append(widths(spec, value))
        for metric, key in (("params", "params_paper"), ("macs", "flops_paper")):
            if row.get(key):
                checks.append(printed(fact, spec, metric, row[key]))
        checks += figures(fact, row)
        yield Row(label, tuple(checks))


def net_of(row: dict[str, Any]) -> str:
    """Our name of an independent table's model."""
    room = "imagenet" if row["dataset"] == "imagenet" else "cifar"
    for where, regex, template in MODELS:
        if where == room and (found := re.fullmatch(regex, row["model"])):
            net = f"{room}/{template.format(*found.groups())}"
            break
    else:
        raise SystemExit(f"no rule reads the model {row['model']!r}")
    net = BOTTLENECKS.sub(r"\g<0>-bottleneck", net)
    stated = re.search(r"dropout (0\.\d)", f"{row['augmentation']} {row['source']}")
    rate = row.get("dropout") or (float(stated[1]) if stated else 0)
    if not rate:
        return net
    return f"{net}-dropout" if "wrn" in net and rate == 0.3 else f"{net}+dropout-{rate:g}"


def take(unused: list[Fact], net: str, row: dict[str, Any]) -> Fact | None:
    """Remove and return the first unused fact of ours that says what a row says."""
    for fact in unused:
        if (fact.net, fact.dataset) == (net, row["dataset"]) and all(
            check.holds for check in figures(fact, row)
        ):
            unused.remove(fact)
            return fact
    return None


def figures(fact: Fact, row: dict[str, Any]) -> list[Check]:
    """The printed errors of a fact beside a row's."""
    pairs = (
        ("error", row["error_paper"], fact.error),
        ("error_std", row["error_std"], fact.error_std),
        ("error_top5", row.get("error_top5"), fact.error_top5),
    )
    return [
        Check(what, expected, number(ours))
        for what, expected, ours in pairs
        if (expected, ours) != (None, None)
    ]


def number(text: str | None) -> float | str | None:
    """A printed error as the independent table has it."""
    return text if text is None or text == "fail" else float(text)


def spec_of(net: str, dataset: str) -> Spec:
    """A net with the classes of a data set."""
    return replace(names.spec(net), num_classes=CLASSES[dataset])


def depth(net: str, spec: Spec, expected: int) -> Check:
    """The depth in a name beside the weighted layers of the net."""
    deviation = papers.deviation(net, metric="depth")
    return Check("depth", expected, weighted_layers(net, spec), deviation.why if deviation else "")


def weighted_layers(net: str, spec: Spec) -> int:
    """Convolutions on the longest path and the classifier, but as the WRN paper counts for its own.

    There the three projections count (even where k = 1 needs only two) and the classifier does not.
    """
    convs = len(spec.kernels) if isinstance(spec, ResidualSpec) else 0
    wide = "cifar/wrn" in net
    if isinstance(spec, DenseSpec):
        transitions = len(spec.depths) - 1
        return 2 + sum(spec.depths) * (2 if spec.bottleneck else 1) + transitions
    return 1 + sum(spec.depths) * convs + (3 if wide else 1)


def printed(fact: Fact, spec: Spec, metric: str, value: str) -> Check:
    """A printed count beside ours, rounded to its digits."""
    exact = count.params(spec) if metric == "params" else count.macs(spec)
    deviation = papers.deviation(fact.net, fact.dataset, metric=metric)
    why = deviation.why if deviation else ""
    if not why and metric == "params" and fact.params is None and "resnet-110" in fact.net:
        why = "that table prints no counts: 1.7M is the unchanged ResNet-110's, of he2016 Table 4"
    return Check(f"{metric} as printed", value, papers.rounded(exact, like=value), why)


def widths(spec: Spec, expected: list[int]) -> Check:
    """The inner width of every unit."""
    found = [unit.c_mid for unit in plan(spec)]
    same = [ours == theirs for ours, theirs in zip(found, expected, strict=False)]
    return Check("widths equal", max(len(found), len(expected)), sum(same))


def list_name(net: str) -> str:
    """What an independent table calls a PyramidNet's list of widths."""
    name = re.sub(r"^cifar/pyramidnet-(\d+)-a", r"pyramid-\1-", net)
    name = re.sub(r"^cifar/pyramidnet-(\d+)-m", r"pyramid-\1-mul-", name)
    return name.removesuffix("-bottleneck")


def drawn(spec: Spec, words: str) -> Check:
    """The words of a row's width that are true of our net, beside all of its words."""
    said = re.split(r"[ ()+]+", words.replace("zero pad", "zero-pad").strip("()"))
    true = described(spec)
    return Check("width", " ".join(said), " ".join(word for word in said if word in true))


def described(spec: Spec) -> set[str]:
    """What an independent table may call our net's widths, units and shortcuts."""
    if isinstance(spec, DenseSpec):
        return {f"k={spec.growth}"}
    rows = {unit.stage: unit for unit in plan(spec)}.values()
    inner = "-".join(str(unit.c_mid) for unit in rows)
    both = "-".join(f"{unit.c_mid}/{unit.c_out}" for unit in rows)
    said = {inner, both, "bottleneck" if spec.kernels == (1, 3, 1) else "basic"}
    if spec.joints == PREACTIVATION:
        said.add("pre-act")
    said |= _shortcut_words(spec.shortcut)
    if isinstance(spec.widths, Doubling):
        widen = spec.widths.base / spec.stem.width
        said |= {f"k={widen:g}", f"{widen:g}", f"{widen:.1f}"}
    if isinstance(spec.widths, Additive | Multiplicative):
        said |= {f"alpha={spec.widths.alpha:g}", f"out={count.out_features(spec)}"}
    if isinstance(spec.widths, Additive) and spec.widths.steps:
        said.add(f"alpha_eff={spec.widths.alpha * sum(spec.depths) / spec.widths.steps:.2f}")
    return said


def _shortcut_words(shortcut: Shortcut) -> set[str]:
    if isinstance(shortcut.carry, Absent):
        return {"plain"}
    if shortcut == OPTION_C:
        return {"C", "optC"}
    if shortcut.match == "project":
        return {"B", "optB"}
    pooled = {"avgpool2x2"} if shortcut.subsample == "average" else set[str]()
    return {"A", "optA", "zero-pad", *pooled}


def with_option(shortcut: Shortcut) -> Callable[[Spec], int]:
    """Parameters of a net with another shortcut."""
    return lambda spec: count.params(replace(spec, shortcut=shortcut))


def with_biases(spec: Spec) -> int:
    """Parameters if every convolution had a bias, as in Huang's released code."""
    biases = sum(layer.c_out for layer, _ in walk(spec) if layer.kind == "conv")
    return count.params(spec) + biases


def with_wide_stem(spec: Spec) -> int:
    """Parameters of a DenseNet with a stem of 2k, as in the authors' code."""
    assert isinstance(spec, DenseSpec)
    return count.params(replace(spec, stem=replace(spec.stem, width=2 * spec.growth)))


class Floored(Additive):
    """Additive widths rounded down."""

    def width(self, index: int, *, stage: int, num_units: int, start: int) -> int:  # noqa: ARG002 - one signature for all rules
        """Width of unit ``index`` (from 0) of ``num_units`` after a stem ``start`` wide."""
        assert isinstance(self.alpha, int)
        return start + self.alpha * (index + 1) // num_units


def with_floored_widths(spec: Spec) -> int:
    """Parameters of a PyramidNet whose real widths are cut off, not rounded."""
    assert isinstance(spec, ResidualSpec)
    assert isinstance(spec.widths, Additive)
    return count.params(replace(spec, widths=Floored(alpha=spec.widths.alpha)))


def as_pytorchcv(spec: Spec) -> int:
    """Parameters as pytorchcv has them: option B in the CIFAR (Pre)ResNets that have A here."""
    project = Shortcut(match="project", norm=True), Shortcut(match="project")
    if isinstance(spec, ResidualSpec) and spec.shortcut == Shortcut():
        spec = replace(spec, shortcut=project[spec.joints == PREACTIVATION])
    return count.params(spec)


def units_per_stage(spec: Spec) -> int:
    """Units of the first stage."""
    return spec.depths[0]


COUNTS: tuple[tuple[str, str, Callable[[Spec], int]], ...] = (
    ("params", "params", count.params),
    ("params_no_bn", "without BN", count.params_no_bn),
    ("macs", "MACs", count.macs),
    ("out_features", "features", count.out_features),
)
FOREIGN: dict[str, Callable[[Spec], int]] = {
    "params_exact": count.params,
    "params_no_bn": count.params_no_bn,
    "macs_conv_fc": count.macs,
    "out_features": count.out_features,
    "params_exact_optB": with_option(OPTION_B),
    "params_exact_optC": with_option(OPTION_C),
    "params_exact_with_conv_bias": with_biases,
    "params_exact_init_2k": with_wide_stem,
    "params_exact_if_floor": with_floored_widths,
    "params_pytorchcv": as_pytorchcv,
    "blocks_per_stage": units_per_stage,
    "blocks_per_group": units_per_stage,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
