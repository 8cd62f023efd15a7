"""What the fast recipes come to on real CIFAR-10: their errors, and what each idea brings.

python -m benchmarks.fast_recipes aim|families|ablation [--seeds N] [--jobs N] [--data-dir DIR]

Records go to ``records/``, those of the ablation to ``records/ablation``.  What the store holds
already is not trained again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.records import RECORDS, keep, warn
from residua.arch import names
from residua.errors import RunError, UsageError
from residua.runs.config import DataChoice, Run
from residua.studies.runner import complete, in_turn, side_by_side
from residua.training import fast, presets
from residua.training.recipes import Recipe, rescaled

AIM = "cifar/resnet-20"
# A small member of each other family, and the epochs that two cores have time for.
FAMILIES = {
    "cifar/preresnet-20": 4,
    "cifar/sd-resnet-20": 4,
    "cifar/wrn-10-2": 4,
    "cifar/densenet-bc-40-12": 2,
    "cifar/pyramidnet-20-a24": 4,
}
ABLATION_EPOCHS = 3

EVERYTHING = DataChoice(name="cifar10", val_size=0)


def aim(seeds: Sequence[int]) -> list[Run]:
    """The net of the papers' smallest error that takes minutes, on all training images."""
    recipe = presets.fast_for(names.entry(AIM))
    return [Run(net=AIM, data=EVERYTHING, recipe=recipe, seed=seed) for seed in seeds]


def families(seeds: Sequence[int]) -> list[Run]:
    """The fast recipe, and the paper's cut to as many epochs, on all training images."""
    runs: list[Run] = []
    for net, epochs in FAMILIES.items():
        entry = names.entry(net)
        for recipe in (presets.fast_for(entry), presets.default(entry)):
            cut = rescaled(recipe, epochs)
            runs += [Run(net=net, data=EVERYTHING, recipe=cut, seed=seed) for seed in seeds]
    return runs


def ablation(seeds: Sequence[int]) -> list[Run]:
    """The fast recipe, and it without each of its ideas, in few epochs."""
    entry = names.entry(AIM)
    paper = presets.default(entry)
    whole = presets.fast_for(entry)
    recipes = [whole, *(fast.fast(paper, without=idea.name) for idea in fast.ideas(paper))]
    cut: list[Recipe] = [rescaled(recipe, ABLATION_EPOCHS) for recipe in recipes]
    return [Run(net=AIM, data=EVERYTHING, recipe=each, seed=seed) for seed in seeds for each in cut]


PARTS: dict[str, tuple[Callable[[Sequence[int]], list[Run]], Path]] = {
    "aim": (aim, RECORDS),
    "families": (families, RECORDS),
    "ablation": (ablation, RECORDS / "ablation"),
}


def main(arguments: list[str] | None = None) -> int:
    """Train a part's runs and keep their records."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fast_recipes")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, of one thread each")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--store", type=Path, default=Path("runs/store"))
    parser.add_argument("--records", type=Path, help="where records go")
    options = parser.parse_args(arguments)
    of, folder = PARTS[options.part]
    runs = of(range(options.seeds))
    done = {run.key for run in runs if (options.store / run.slug / "record.json").exists()}
    engine = side_by_side(options.jobs) if options.jobs > 1 else in_turn
    try:
        failed = complete(
            runs, store=options.store, data_dir=options.data_dir, engine=engine, say=warn
        )
        for run in runs:
            if run.key not in failed:
                at_once = None if run.key in done else options.jobs
                keep(options.store / run.slug, options.records or folder, at_once=at_once)
    except (RunError, UsageError) as error:
        warn(error)
        return 1 if isinstance(error, RunError) else 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
