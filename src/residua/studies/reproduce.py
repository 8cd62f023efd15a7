"""A printed row trained again as its source trained it: the question, its runs, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from residua.arch import names, rows
from residua.arch.papers import Fact
from residua.errors import UsageError
from residua.runs.config import DataChoice, Run, by_path, differing, override, to_json
from residua.studies.budgets import HELD_BACK, Budget
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis, Experiment
from residua.studies.findings import Claim, Paper, Table, Verdict
from residua.studies.stats import LEVEL, MIN_SEEDS, WIDEST, Summary, reproduces, summarise, too_wide
from residua.training import presets, recipes
from residua.training.recipes import Augment, Recipe

RULE = (
    f"A row is reproduced (confirmed) if the printed error lies inside Student's {LEVEL:.0%} "
    f"interval of our mean error, widened by the source's own standard deviation where that is "
    f"known, or above it: then ours is better. Where the source prints the mean beside the best or "
    f"the median of its runs, the mean is compared. It takes {MIN_SEEDS} seeds trained as the "
    f"source trained; with fewer, or with another recipe or other images, the verdict is "
    f"undecided, as it is if half of the interval is wider than {WIDEST:.0%} of the printed error."
)
# What may differ from the source's set-up and still decide.
HARMLESS = {"recipe.precision"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A row, a run of it as the source trained it, and a run of it as it is trained here.

    Seeds aside: both have seed 0.
    """

    name: str
    fact: Fact
    theirs: Run
    ours: Run

    @property
    def differences(self) -> tuple[str, ...]:
        """What is changed, in words."""
        theirs, ours = by_path(to_json(self.theirs)), by_path(to_json(self.ours))
        return tuple(
            f"{path} is {here}, not {there}" for path, there, here in differing(theirs, ours)
        )

    @property
    def decides(self) -> bool:
        """Whether it is trained as the source trained it."""
        return all(line.partition(" ")[0] in HARMLESS for line in self.differences)


def reproduction(
    name: str, *, epochs: float | None, data: str | None, settings: tuple[str, ...]
) -> Reproduction:
    """What it is to reproduce a row.

    Args:
        name: The row's.
        epochs: Another length than the source's.
        data: Another data set.
        settings: ``path=value``, as ``--set`` takes them.

    Raises:
        UsageError: No such row, its figure is not verified, or no recipe of ours is its own.
    """
    fact = rows.row(name)
    _refuse(name, fact)
    source = rows.source(fact)
    held_back = HELD_BACK.get(source, {}).get(fact.dataset, 0)
    choice = DataChoice(name=fact.dataset, val_size=held_back)
    theirs = Run(net=fact.net, data=choice, recipe=recipe(fact), seed=0)
    ours = theirs
    if epochs is not None:
        ours = replace(ours, recipe=recipes.rescaled(ours.recipe, epochs))
    ours = override(ours, settings)
    if data is not None:
        ours = replace(ours, data=replace(ours.data, name=data))
    return Reproduction(name=name, fact=fact, theirs=theirs, ours=ours)


def _refuse(name: str, fact: Fact) -> None:
    if fact.confidence not in {"paper", "authors' code"}:
        raise UsageError(
            f"the figure of {name} is unverified: it is {fact.where}, and nothing is judged by it"
        )
    if fact.dataset == "imagenet":
        raise UsageError(
            f"{name} is of ImageNet, which is not reproduced here: `residua train {fact.net} "
            f"--data imagenet:PATH` trains its net"
        )
    if fact.error == "fail":
        raise UsageError(
            f'{name} prints "fail", an error above 20 %: there is no figure to compare'
        )


def recipe(fact: Fact) -> Recipe:
    """The recipe by which a row was trained.

    Raises:
        UsageError: None of ours is.
    """
    source = rows.source(fact)
    if source not in presets.RECIPES:
        raise UsageError(f"no recipe of ours is that of {source}: the row cannot be reproduced")
    plain = rows.NO_AUGMENTATION in fact.recipe_note
    special = {
        f"{source}-svhn": fact.dataset == "svhn",
        f"{source}-c100": fact.dataset == "cifar100",
        f"{source}-zca": rows.ZCA in fact.recipe_note,
        f"{source}-plain": plain,
        f"{source}-1202": names.entry(fact.net).depth == 1202,
    }
    found = presets.get(
        next((r for r, is_it in special.items() if is_it and r in presets.RECIPES), source)
    )
    if plain and found.augment.pad:
        found = replace(found, augment=Augment(pad=0, flip=False))
    return replace(found, batch_size=64) if rows.SMALL_BATCH in fact.recipe_note else found


def budget(of: Reproduction) -> Budget:
    """What its runs have in common."""
    return Budget(
        name="the row's own" if of.decides else "another than the row's",
        says="as the source trained" if of.decides else "; ".join(of.differences),
        data=of.ours.data,
        recipe=lambda *_: of.ours.recipe,
        decides=of.decides,
    )


def experiment(of: Reproduction) -> Experiment:
    """The row as a study of one claim."""
    fact = of.fact
    label, error = fact.net.partition("/")[2], _compared(fact)
    return Experiment(
        name=of.name,
        question=f"Does {fact.net} come to the {error} % on {fact.dataset} of {fact.where}?",
        source=fact.where,
        rule=RULE,
        runs=lambda given, seeds: {label: tuple(given.run(fact.net, seed) for seed in seeds)},
        analyse=lambda evidence: _analysis(of, label, evidence),
    )


def _analysis(of: Reproduction, label: str, evidence: Evidence) -> Analysis:
    fact = of.fact
    values = evidence.values(label, "test_error")
    ours = summarise(list(values.values()))
    verdict, reason = judged(ours, fact, decides=of.decides, wanted=len(evidence.runs[label]))
    claim = Claim(
        statement=f"{fact.net} has a test error of {_compared(fact)} % on {fact.dataset}",
        paper=Paper(value=fact.printed_error, where=fact.where),
        ours={label: ours},
        verdict=verdict,
        reason=reason,
    )
    table = Table(
        title="Every seed",
        columns=("seed", "test error, %", "with the mirrored view, %", "training error, %"),
        rows=tuple(
            (seed, record["test_error"], record["test_error_tta"], record["train_error"])
            for seed, record in sorted(evidence.records(label).items())
        ),
        note="Test images are looked at once, after the last epoch; no epoch is selected.",
    )
    notes = (f"There: {fact.recipe_note}.", *of.differences)
    return Analysis(claims=(claim,), tables=(table,), deviations=notes)


def judged(ours: Summary, fact: Fact, *, decides: bool, wanted: int) -> tuple[Verdict, str]:
    """The verdict on a row, by :data:`RULE`, and why.

    Args:
        ours: Our errors.
        fact: The row.
        decides: Whether they were trained as the source trained.
        wanted: How many seeds were asked for.
    """
    printed, sd = float(_compared(fact)), _number(fact.error_std)
    spread = "" if ours.sd is None else f" ± {ours.sd:.2f}"
    reason = f"printed {fact.printed_error} %, ours {ours.mean:.2f}{spread} %, n = {ours.n}"
    if ours.interval is not None:
        low, high = ours.interval
        reason += f", {LEVEL:.0%} interval {low:.2f} to {high:.2f}"
    found = reproduces(ours, printed=printed, printed_sd=sd)
    lacking = []
    if not decides:
        lacking.append("not trained as the source trained")
    if ours.n < MIN_SEEDS:
        lacking.append(f"{MIN_SEEDS} seeds are needed")
    elif too_wide(ours, printed=printed):
        lacking.append(f"half of the interval is wider than {WIDEST:.0%} of the printed error")
    if ours.n < wanted:
        lacking.append(f"{wanted - ours.n} of {wanted} runs are missing")
    if lacking:
        return "undecided", f"{reason}; {', '.join(lacking)}"
    return ("confirmed" if found else "refuted"), reason


def _compared(fact: Fact) -> str:
    """What ours is put to: the mean, where the source prints it beside the best or the median."""
    compared = fact.error_mean or fact.error
    assert compared is not None, "every row has one"
    return compared


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
