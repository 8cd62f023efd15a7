"""The committed findings: each page is what its file says, with its figures and its records."""

import re
from pathlib import Path

import pytest

from benchmarks.records import RECORDS, read
from residua.reports import studies, writing
from residua.studies import findings

from .conftest import DOCS, PAGES

FOLDERS = sorted(path.parent for path in DOCS.glob("studies/*/findings.json"))
each_study = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@each_study
def test_a_page_says_what_its_findings_say(folder: Path):
    """Word for word; only the figures are made elsewhere."""
    found = findings.read(folder)
    page = studies.page(found, {figure.name: "" for figure in found.figures})
    assert writing.as_markdown(page) == (folder / "report.md").read_text(encoding="utf-8")


@each_study
def test_a_page_has_its_figures(folder: Path):
    """Those that it shows, and no others."""
    shown = re.findall(r"\]\((figures/\S+)\)", (folder / "report.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(f"figures/{path.name}" for path in folder.glob("figures/*"))
    for file in shown:  # words that matplotlib leaves black are read on dark paper, too
        assert "svg.drawn { fill: var(--ink); }" in (folder / file).read_text(encoding="utf-8")


@each_study
def test_findings_rest_on_committed_records(folder: Path):
    """Every run of a study is among the records, and none is missing."""
    found = findings.read(folder)
    assert folder.name == found.study
    assert () == found.missing
    records = {record.key: record for record in read(RECORDS / "studies")}
    for run in found.runs:
        assert run.test_error == records[run.key].test_error


def test_pages_that_show_a_figure_find_it():
    """From where the page lies, and under its title."""
    shown = {
        (path.parent / file).resolve()
        for path in PAGES
        for file in re.findall(r"\]\((\S*studies/\S+\.svg)\)", path.read_text(encoding="utf-8"))
    }
    assert DOCS / "studies/bottleneck/figures/bottleneck.svg" in shown
    assert [] == [file for file in shown if not file.is_file()]
