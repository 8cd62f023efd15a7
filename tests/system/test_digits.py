"""The demo: a PyramidNet learns handwritten digits."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
COMMAND = shutil.which("residua", path=Path(sys.executable).parent)


@pytest.mark.slow
def test_the_demo_reaches_three_percent(tmp_path: Path):
    """The command of `make demo` ends at 3 % test error or below, in two minutes of training."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    assert COMMAND is not None
    found = re.search(r"^DEMO := ((?:.*\\\n)*.*)$", MAKEFILE.read_text(), re.MULTILINE)
    assert found is not None
    arguments = shlex.split(found[1].replace("\\\n", " "))
    arguments[arguments.index("--out") + 1] = str(tmp_path / "demo")

    done = subprocess.run(
        [COMMAND, *arguments, "--json"], capture_output=True, text=True, check=True
    )

    record = json.loads(done.stdout)
    assert ("cifar/pyramidnet-20-a24", "digits") == (record["net"], record["data"]["name"])
    assert record["test_error"] <= 3
    assert record["train_seconds"] < 120
    assert (tmp_path / "demo" / "curves.png").stat().st_size > 10_000
