# ruff: noqa: INP001, T201 - a script of its own, and printing is its purpose
"""Kill a run with SIGKILL again and again, and see that it ends as if nothing had happened.

    python scripts/soak.py [--kills 30] [--epochs 500] [--seed 0]

A small net is trained once in peace, and once more while being killed at random moments and taken
up again with ``--resume``. Epochs are of four steps, so a good part of the time goes into writing
checkpoints. Every kill counts that left the run unfinished; at the end weights, metrics and record
(but for times) must be the same, bit for bit. Takes three to four minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = (
    *(sys.executable, "-m", "residua", "train", "cifar/resnet-8", "--data", "synthetic"),
    *("--recipe", "he2015", "--set", "recipe.batch_size=16", "--set", "data.train_limit=64"),
    *("--resume", "--json"),
)
START_S, EPOCH_S = 4.0, 0.1  # about what they take
TIMES = {"seconds", "images_per_second", "train_seconds"}


def main() -> int:
    """Print ``N of N`` and return 0, or say what differs and return 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        peace, war = Path(place, "peace"), Path(place, "war")
        finish(peace, options.epochs)
        kills = kill_repeatedly(war, options)
        finish(war, options.epochs)
        expected, found = outcome(peace), outcome(war)
    different = [name for name in expected if expected[name] != found[name]]
    if different:
        print(f"{kills} kills; not as without interruption: {', '.join(different)}")
    print(f"{0 if different else kills} of {options.kills}")
    return int(bool(different) or kills < options.kills)


def start(out: Path, epochs: int) -> subprocess.Popen[bytes]:
    """The command in a process of its own, on a run directory."""
    command = [*TRAIN, "--epochs", str(epochs), "--out", str(out)]
    return subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(out: Path, epochs: int) -> None:
    """Train to the end, whatever is done already."""
    ended(start(out, epochs))


def kill_repeatedly(out: Path, options: argparse.Namespace) -> int:
    """Start and kill at random moments, some while it starts; return how many runs were cut off."""
    moments = random.Random(options.seed)  # noqa: S311 - no secrets here
    epochs = range(0, options.epochs * 8 // 10, max(1, options.epochs // 40))
    kills = 0
    for epoch in sorted(moments.choices(epochs, k=options.kills)):
        delay_s = EPOCH_S if num_epochs(out) < epoch else START_S
        process = start(out, options.epochs)
        while process.poll() is None and num_epochs(out) < epoch:
            time.sleep(EPOCH_S / 5)
        time.sleep(moments.uniform(0, delay_s))
        process.kill()
        kills += ended(process) < 0 and not (out / "record.json").exists()
    return kills


def num_epochs(out: Path) -> int:
    """How many epochs are done."""
    file = out / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a run, 0 or a signal's; any other ends this script with its message."""
    _, told = process.communicate()
    if process.returncode > 0:
        sys.exit(told.decode())
    return process.returncode


def outcome(out: Path) -> dict[str, object]:
    """What a run left, without times."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return {
        "weights": (out / "model.safetensors").read_bytes(),
        "metrics": [without_times(line) for line in lines],
        "record": without_times((out / "record.json").read_text()),
        "names of files": sorted(path.name for path in out.iterdir()),
    }


def without_times(text: str) -> dict[str, object]:
    """A JSON object without what no two runs share."""
    return {name: value for name, value in json.loads(text).items() if name not in TIMES}


if __name__ == "__main__":
    sys.exit(main())
