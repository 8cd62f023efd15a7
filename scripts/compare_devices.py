"""Train for some steps in one process and in several, and print both losses side by side.

    python scripts/compare_devices.py                     # three nets, two processes
    python scripts/compare_devices.py --float32
    python scripts/compare_devices.py --devices 4 cifar/wrn-10-1-dropout,recipe.batch_size=64

A case is a net, and after commas what `residua train --set` takes. The data is synthetic, the
recipe the net's own but for a batch of 32. Exit status 1 if a difference is above the tolerance.

The nets compute in float64, so that what is compared is what is computed. In float32 each order of
summation has its own rounding; a ReLU whose input is nearly 0 then opens in one and not in the
other, and at the papers' learning rates such differences grow with every step.
"""

# ruff: noqa: INP001, T201, PLC0415 - a script of its own; its ranks alone need torch

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from residua.training.loop import Fit
    from residua.training.runtime import Runtime

CASES = ("cifar/resnet-8", "cifar/preresnet-8", "cifar/sd-resnet-8")
TOLERANCE = 1e-6  # relative


def main() -> None:
    """Compare, print the tables, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=CASES, metavar="NET[,PATH=VALUE…]")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--float32", action="store_true", help="as the command computes")
    parser.add_argument("--losses-to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.losses_to:
        write_losses(options)
        return
    alone, together = measured(options, 1), measured(options, options.devices)
    worst = 0.0
    for case, one, other in zip(options.cases, alone, together, strict=True):
        differences = [abs(b - a) / a for a, b in zip(one, other, strict=True)]
        worst = max(worst, *differences)
        print(f"{case}\n  step  one process  {options.devices} processes  difference, relative")
        for step, row in enumerate(zip(one, other, differences, strict=True)):
            print("  {:>4}  {:>11.8f}  {:>11.8f}  {:.1e}".format(step + 1, *row))
    equal = worst <= TOLERANCE
    verdict = "equal" if equal else "not equal"
    print(f"largest difference {worst:.1e}, tolerance {TOLERANCE:.0e}: {verdict}")
    sys.exit(not equal)


def measured(options: argparse.Namespace, devices: int) -> list[list[float]]:
    """Losses of each case, from so many processes."""
    from residua.training.launch import run_ranks

    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "losses.json"
        command = [sys.executable, __file__, *options.cases, f"--steps={options.steps}"]
        command += [f"--losses-to={file}", *(["--float32"] if options.float32 else [])]
        status = run_ranks(command, devices) if devices > 1 else subprocess.call(command)  # noqa: S603 - this file
        if status:
            sys.exit(status)
        return json.loads(file.read_text())


def write_losses(options: argparse.Namespace) -> None:
    """Train each case for some steps, as one of however many ranks there are."""
    from residua.training.runtime import start

    runtime = start()
    losses = [
        _losses(_prepared(case, runtime, double=not options.float32), options.steps)
        for case in options.cases
    ]
    if runtime.ranks.first:
        options.losses_to.write_text(json.dumps(losses))


def _prepared(case: str, runtime: Runtime, *, double: bool) -> Fit:
    from residua.arch import names
    from residua.data import sets
    from residua.runs.config import DataChoice, Run, override
    from residua.training import presets
    from residua.training.train import prepare

    net, *settings = case.split(",")
    data = sets.load("synthetic")
    choice = DataChoice(name=data.name, val_size=data.val_size)
    run = Run(net=net, data=choice, recipe=presets.default(names.entry(net)), seed=0)
    state = prepare(override(run, ("recipe.batch_size=32", *settings)), data, runtime)
    if double:
        state.net.double()
        state.net.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
        if state.average:
            state.average.net.double()
    return state


def _losses(state: Fit, steps: int) -> list[float]:
    from residua.training.loop import Tally, train_step

    losses = []
    state.net.train()
    while state.step < steps:
        state.tally = Tally()
        train_step(state, state.rate.at(state.step))
        state.step += 1
        losses.append(state.tally.loss / state.tally.images)
    return losses


if __name__ == "__main__":
    main()
