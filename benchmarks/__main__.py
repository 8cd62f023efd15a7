"""All benchmarks, one process after the other: 1 where an aim is missed.

python -m benchmarks [--short] [--record]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.page import BENCHMARKS, RESULTS


def main() -> int:
    """Run each, even where one before it missed an aim, and say which did."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--short", action="store_true", help="in under ten minutes on two cores")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}/*.json")
    options = parser.parse_args()
    if options.record:
        RESULTS.mkdir(exist_ok=True)
    started_s = time.monotonic()
    missed: list[str] = []
    for benchmark in BENCHMARKS:
        command = [sys.executable, "-m", f"benchmarks.{benchmark.name}"]
        command += ["--short"] if options.short else []
        command += ["--json", str(RESULTS / f"{benchmark.name}.json")] if options.record else []
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own modules
            missed.append(benchmark.name)
    minutes = (time.monotonic() - started_s) / 60
    verdict = f"aims missed, or failed: {', '.join(missed)}" if missed else "every aim reached"
    sys.stdout.write(f"{verdict}; {minutes:.1f} minutes\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
