"""All benchmarks, one process after the other: 1 where an aim is missed.

python -m benchmarks [--short] [--record]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.page import BENCHMARKS, RESULTS


def main() -> int:
    """Run each, even where one before it missed an aim, and say which did."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--short", action="store_true", help="in under ten minutes on two cores")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}/*.json")
    options = parser.parse_args()
    started_s = time.monotonic()
    # Moved in at the end: a record names the commit, and says so if a tracked file differs from it.
    with tempfile.TemporaryDirectory(dir=RESULTS.parent) as scratch:
        missed = _missed(Path(scratch), short=options.short)
        for record in Path(scratch).iterdir() if options.record else ():
            record.replace(RESULTS / record.name)
    minutes = (time.monotonic() - started_s) / 60
    verdict = f"aims missed, or failed: {', '.join(missed)}" if missed else "every aim reached"
    sys.stdout.write(f"{verdict}; {minutes:.1f} minutes\n")
    return int(bool(missed))


def _missed(records: Path, *, short: bool) -> list[str]:
    """Run each, with a record of it in a folder; return those that missed an aim, or failed."""
    missed: list[str] = []
    for name in (benchmark.name for benchmark in BENCHMARKS):
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", f"{records}/{name}.json"]
        command += ["--short"] if short else []
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own modules
            missed.append(name)
    return missed


if __name__ == "__main__":
    sys.exit(main())
