"""Damaged files of every format, a few hundred of the many that the command makes."""

import re
import subprocess
import sys
from pathlib import Path

COMMAND = Path(__file__).parent
FORMATS = (
    *("pickle", "records", "matlab", "parquet", "image", "cache"),
    *("checkpoint", "run", "record", "metrics", "description", "weights", "total"),
)


def test_damaged_files_are_read_or_refused():
    """No crash, no hang, nothing executed and no error but ours, whatever the format."""
    ran = subprocess.run(
        [sys.executable, COMMAND, "--inputs", "600"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    rows = re.findall(
        r"^(\w+) +([\d,]+) +([\d,]+) +([\d,]+) +(\d+) +\d+$", ran.stdout, re.MULTILINE
    )
    assert list(FORMATS) == [row[0] for row in rows], ran.stderr
    for _, inputs, read, refused, findings in rows:
        assert int(inputs) == int(read) + int(refused)
        assert "0" == findings
    assert ("600", 0) == (rows[-1][1], ran.returncode)
    assert min(int(row[2]) for row in rows) > 0
    assert all(int(row[3]) > 0 for row in rows if row[0] != "cache")
