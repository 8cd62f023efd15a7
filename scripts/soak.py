# ruff: noqa: INP001, T201 - a script of its own, and printing is its purpose
"""Kill a run with SIGKILL again and again, and see that it ends as if nothing had happened.

    python scripts/soak.py [--kills 30] [--epochs 150] [--seed 0]

A small net is trained once in peace, and once more while being killed at random moments and taken
up again with ``--resume``.  Every kill counts that left the run unfinished; at the end weights and
metrics (but for times) must be the same, bit for bit.
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
    *("--recipe", "he2015", "--set", "recipe.batch_size=16", "--resume", "--json"),
)
TIMES = ("seconds", "images_per_second")


def main() -> int:
    """Print ``N of N`` and return 0, or say what differs and return 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        peace, war = Path(place, "peace"), Path(place, "war")
        started_s = time.monotonic()
        start(peace, options.epochs).wait()
        whole_s = time.monotonic() - started_s
        kills = kill_repeatedly(war, options, span_s=whole_s / 8)
        start(war, options.epochs).wait()
        same = outcome(peace) == outcome(war)
    print(f"{kills if same else 0} of {options.kills}")
    return 0 if same and kills == options.kills else 1


def start(out: Path, epochs: int) -> subprocess.Popen[bytes]:
    """The command in a process of its own, on a run directory."""
    command = [*TRAIN, "--epochs", str(epochs), "--out", str(out)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603 - our own command


def kill_repeatedly(out: Path, options: argparse.Namespace, *, span_s: float) -> int:
    """Start and kill after a random time up to ``span_s``; return how many runs were cut off."""
    moments = random.Random(options.seed)  # noqa: S311 - no secrets here
    kills = 0
    while kills < options.kills and not (out / "record.json").exists():
        process = start(out, options.epochs)
        time.sleep(moments.uniform(0, span_s))
        process.kill()
        kills += process.wait() < 0
    return kills


def outcome(out: Path) -> tuple[bytes, list[dict[str, object]]]:
    """The trained weights, and the metrics without times."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    return (
        (out / "model.safetensors").read_bytes(),
        [{k: v for k, v in epoch.items() if k not in TIMES} for epoch in epochs],
    )


if __name__ == "__main__":
    sys.exit(main())
