"""The committed findings: each page is what its file says, with its figures and its records."""

import re
from pathlib import Path

import pytest

from benchmarks.records import RECORDS, read
from docs import findings as pages
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


def test_a_paper_s_page_asks_its_questions():
    """With the verdicts where findings are committed, and a plain word where none are."""
    asked = pages.of("zagoruyko2016")
    assert "**Does dropout inside wide units help?** (`residua study run dropout`)" in asked
    found = pages.of("han2017")
    assert pages.verdicts("pyramid") in found
    assert "lesion" in found
    assert "degradation" not in found


def test_what_was_not_run_is_not_called_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Each of a paper's studies, when no folder is there."""
    monkeypatch.setattr(pages, "STUDIES", tmp_path)
    assert 2 == pages.of("zagoruyko2016").count(pages.NOT_YET)
    assert "" == pages.lead("pyramid")
