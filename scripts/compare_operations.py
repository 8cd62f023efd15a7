"""Train with the fused operations and with torch's, from the same seeds, and compare the errors.

    python scripts/compare_operations.py --data-dir DIR        # ResNet-20, 3 epochs, 3 seeds
    python scripts/compare_operations.py --data-dir DIR --net cifar/pyramidnet-20-a24 --seeds 5

Both compute the same function and round differently, so two runs of one seed drift apart as two
seeds do. The errors are of the 5,000 validation images. Exit status 1 if the two means are further
apart than the seeds' standard deviation.
"""

# ruff: noqa: INP001, T201 - a script of its own

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

from residua import kernels
from residua.arch import names
from residua.data import sets
from residua.data.images import DataSet
from residua.runs.config import DataChoice, Run, override
from residua.runs.records import RunDirectory
from residua.training import presets, recipes
from residua.training.loop import fit
from residua.training.progress import Watcher
from residua.training.runtime import Runtime
from residua.training.train import prepare


def main() -> None:
    """Train each seed both ways, print the table, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--net", default="cifar/resnet-20")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds: a deviation takes two")
    data = sets.load(options.data, options.data_dir)
    print(f"{options.net} on {data.name}, {options.epochs:g} epochs, {options.precision}: percent")
    print("  seed   fused   plain")
    found: dict[str, list[float]] = {"fused": [], "plain": []}
    for seed in range(options.seeds):
        for how, errors in found.items():
            errors.append(validation_error(options, data, seed=seed, plain=how == "plain"))
        print(f"  {seed:>4}  {found['fused'][-1]:>6.2f}  {found['plain'][-1]:>6.2f}", flush=True)
    difference = statistics.fmean(found["fused"]) - statistics.fmean(found["plain"])
    spread = max(statistics.stdev(errors) for errors in found.values())
    alike = abs(difference) <= spread
    verdict = "within" if alike else "beyond"
    print(f"difference of the means {difference:+.2f}, {verdict} the seeds' deviation {spread:.2f}")
    sys.exit(not alike)


def validation_error(
    options: argparse.Namespace, data: DataSet, *, seed: int, plain: bool
) -> float:
    """Percent of the validation images got wrong after training one way."""
    recipe = recipes.rescaled(presets.default(names.entry(options.net)), options.epochs)
    choice = DataChoice(name=data.name, val_size=data.val_size)
    run = Run(net=options.net, data=choice, recipe=recipe, seed=seed)
    run = override(run, (f"recipe.precision={options.precision}",))
    with (
        kernels.plain() if plain else contextlib.nullcontext(),
        tempfile.TemporaryDirectory() as place,
    ):
        state = prepare(run, data, Runtime())
        fit(state, RunDirectory(Path(place)), Watcher())
    return state.epochs[-1]["val_error"]


if __name__ == "__main__":
    main()
