# ruff: noqa: INP001 - a script of its own
"""Run every test that is marked with a fault, and write what users then see to docs/faults.md.

    python scripts/faults.py            # write the table
    python scripts/faults.py --check    # compare it with the one that is there

A test names its fault by ``@pytest.mark.fault("disk full")`` and hands over what was printed by
``record_property("message", …)``; nothing of the table is typed. What differs between machines is
left out of messages. The row of a test that is skipped here stays as it is in the table. Exit
status 1 if a test fails, or if with ``--check`` the table is another.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
MARK = "pytest.mark.fault"  # all other files need not even be imported
TABLE = REPO / "docs" / "faults.md"
INTRODUCTION = """# What goes wrong, and what you then see

Every row is a test: it brings the fault about and keeps what was printed in the end. `…` stands
for a directory or a checksum. Where the message is empty, all goes on as if nothing had happened.
`python scripts/faults.py` writes this page, and `--check` tells whether it is fresh.

| fault | test | message |
|---|---|---|
"""
# What no two machines or runs have in common.
VARYING = (
    (r"process \d+ on [^:]+:", "process N on HOST:"),
    (r"allocate \d+ bytes", "allocate N bytes"),
    (r"images died \(.*?\):", "images died (REASON):"),
    (r"(MD5|SHA-256|found) [0-9a-f]{32,64}", r"\1 …"),
    (r"line \d+ column \d+ \(char \d+\)", "line N"),
)


class Faults:
    """A plugin of pytest: rows of the table, one for each marked test."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.faults: dict[str, str] = {}
        self.rows: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note each test's fault."""
        for item in items:
            if mark := item.get_closest_marker("fault"):
                self.faults[item.nodeid] = mark.args[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test that passed was told."""
        if report.when == "call" and report.passed:
            message = self.normalised(str(dict(report.user_properties)["message"]))
            fault = self.faults[report.nodeid]
            self.rows[report.nodeid] = f"| {fault} | `{report.nodeid}` | {message} |"

    def normalised(self, message: str) -> str:
        """A message without what varies, on one line of a table."""
        message = re.sub(rf"{re.escape(str(self.place))}/[^/\s:;]+", "…", message)
        for pattern, replacement in VARYING:
            message = re.sub(pattern, replacement, message)
        return message.strip().replace("|", r"\|").replace("\n", "<br>")

    def table(self, before: str) -> str:
        """The page, with the rows of before for tests that were skipped."""
        old = {row.split("`")[1]: row for row in before.splitlines() if row.count("`") >= 2}
        rows = {test: self.rows.get(test) or old.get(test, "") for test in self.faults}
        return INTRODUCTION + "".join(f"{row}\n" for row in sorted(rows.values()) if row)


def main() -> int:
    """Run the tests, and write or compare the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    files = [str(file) for file in (REPO / "tests").rglob("test_*.py") if MARK in file.read_text()]
    with tempfile.TemporaryDirectory() as directory:
        plugin = Faults(Path(directory, "tests").resolve())
        how = ("-m", "fault", "--quiet", "-p", "no:randomly", f"--basetemp={plugin.place}")
        status = pytest.main([*how, f"--rootdir={REPO}", *files], plugins=[plugin])
    if status:
        return 1
    before = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    table = plugin.table(before)
    sys.stdout.write(f"{len(plugin.faults)} faults, {len(plugin.rows)} seen here\n")
    if options.check:
        sys.stdout.write(f"{TABLE} is {'fresh' if table == before else 'out of date'}\n")
        return int(table != before)
    TABLE.write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
