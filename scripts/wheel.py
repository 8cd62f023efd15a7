# ruff: noqa: INP001 - a script of its own
"""Build sdist and wheel, and use the wheel in an environment where nothing else of ours is.

    python scripts/wheel.py                    # build, install, list, train, predict
    python scripts/wheel.py --tests -x tests   # and run tests there, with arguments for pytest

The wheel is built from the sdist, so that both are complete. Exit status 1 where a step fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

REPO = Path(__file__).parents[1]
CONSTRAINTS = REPO / "constraints.txt"


def main() -> int:
    """Run all steps, each shown before it runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", nargs=argparse.REMAINDER, help="run pytest with what follows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        wheel = built(place / "dist")
        venv.create(place / "venv", with_pip=True)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        pip = (programs / "python", "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS)
        run(*pip, "pip")  # the one that came with Python may know no groups
        run(*pip, f"{wheel}[images]")  # no more than the steps below need
        used(programs / "residua", place)
        if options.tests is not None:
            run(*pip, f"{wheel}[{','.join(extras())}]", "--group", f"{REPO}/pyproject.toml:test")
            run(programs / "pytest", *options.tests)
    return 0


def extras() -> list[str]:
    """All that is optional for users."""
    content = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    return list(content["project"]["optional-dependencies"])


def built(directory: Path) -> Path:
    """The wheel, built from the sdist beside it."""
    run(sys.executable, "-m", "build", "--outdir", directory, REPO)
    (wheel,) = directory.glob("*.whl")
    return wheel


def used(residua: Path, place: Path) -> None:
    """List nets, train one, and ask it about an image, outside the repository."""
    image, trained = place / "grey.ppm", place / "run"
    image.write_bytes(b"P6 20 20 255\n" + bytes([128]) * 1200)
    run(residua, "list", "--family", "wrn", at=place)
    train = ("train", "cifar/resnet-8", "--data", "synthetic", "--epochs", "1", "--quiet")
    run(residua, *train, "--out", trained, at=place)
    run(residua, "predict", trained, image, at=place)


def run(*command: str | Path, at: Path = REPO) -> None:
    """Run a command, shown first; end with its status if it fails."""
    sys.stdout.write(f"+ {' '.join(map(str, command))}\n")
    sys.stdout.flush()
    status = subprocess.run(command, check=False, cwd=at).returncode  # noqa: S603 - our own
    if status:
        sys.exit(f"{Path(command[0]).name} failed with status {status}")


if __name__ == "__main__":
    sys.exit(main())
