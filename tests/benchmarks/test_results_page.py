"""The page of results and the README's table: what the committed records make, and no more."""

import json
from dataclasses import asdict

from benchmarks import results_page
from residua.runs.files import write_json
from residua.training import presets
from residua.training.recipes import rescaled

from .conftest import REPO


def test_page_and_readmes_agree_with_the_records():
    """They hold what cog would write now."""
    assert results_page.as_markdown() in (REPO / "docs/results.md").read_text(encoding="utf-8")
    for readme in REPO.glob("README*.md"):
        assert results_page.short() in readme.read_text(encoding="utf-8")


def test_records_become_tables(kept, tmp_path, steps_result):
    """Runs beside printed errors and cut recipes; an ablation and a GPU's speeds, once there."""
    recipe = presets.get("he2015")
    (tmp_path / "ablation").mkdir()
    for record in (kept(rescaled(recipe, 16), test_error=10.1), kept(recipe, test_error=8.6)):
        write_json(tmp_path / record.file_name, asdict(record))
    before = results_page.as_markdown(tmp_path, tmp_path / "speeds.json")
    assert "| he2015 | 8.75 | 8.60 | 8.50 | 1 | 16 | 1,500 | A processor" in before
    assert "cut from 64000 iterations | 8.75 | 10.10 |" in before
    assert 4 == before.count("No record is committed yet.")
    for each in (recipe, rescaled(recipe, 16)):
        record = kept(each)
        write_json(tmp_path / "ablation" / record.file_name, asdict(record))
    (tmp_path / "speeds.json").write_text(json.dumps(steps_result))
    after = results_page.as_markdown(tmp_path, tmp_path / "speeds.json")
    assert 2 == after.count("No record is committed yet.")
    assert "| nothing (he2015" in after
    assert "On A processor, threads: 2" in after


def test_short_form_has_only_what_was_run(kept, tmp_path):
    """A row for the one record, none for the errors that nobody tried."""
    record = kept(presets.get("he2015"))
    write_json(tmp_path / record.file_name, asdict(record))
    assert 3 == len(results_page.short(tmp_path).splitlines())
