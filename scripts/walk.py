# ruff: noqa: INP001, T201 - a script of its own, and printing is its purpose
"""Walk the ten-minute tour on real CIFAR-10, and write down how long each of its lines takes.

    python scripts/walk.py --data-dir DIR [--json docs/walk.json]

The lines are those of docs/start.md, word for word; only where the data lie is the reader's own.
They run in a temporary directory, one after the other, and the first that fails ends the walk.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from residua.runs.files import write_json
from residua.training.runtime import Runtime, environment

START = Path(__file__).parents[1] / "docs" / "start.md"


def lines() -> list[str]:
    """The commands under the page's heading of CIFAR-10."""
    section = START.read_text(encoding="utf-8").partition("## Real CIFAR-10")[2]
    block = re.search(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    assert block, f"{START} has no such block"
    return [line for line in block[1].splitlines() if line.startswith("residua ")]


def main() -> int:
    """Print a line for each command; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 lies, or will")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times there")
    options = parser.parse_args()
    binaries = Path(sys.executable).parent
    env = os.environ | {
        "RESIDUA_DATA": str(options.data_dir.resolve()),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
    }
    walked: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as place:
        for line in lines():
            started_s = time.monotonic()
            status = subprocess.run(line.split(), cwd=place, env=env, check=False).returncode  # noqa: S603 - our own page's commands
            seconds = round(time.monotonic() - started_s, 1)
            print(f"{seconds:8.1f} s  {line}", flush=True)
            if status:
                return 1
            walked.append({"command": line, "seconds": seconds})
    if options.json:
        write_json(options.json, {"environment": environment(Runtime()), "lines": walked})
    return 0


if __name__ == "__main__":
    sys.exit(main())
