"""The page: what is committed is what the committed records make."""

import json

from benchmarks import page

from .conftest import REPO


def test_page_and_readme_agree_with_the_records():
    """They hold what cog would write now."""
    assert page.as_markdown() in (REPO / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for readme in REPO.glob("README*.md"):
        assert page.short() in readme.read_text(encoding="utf-8")


def test_the_short_form_has_rates_and_ratios(tmp_path, steps_result):
    """And the machine, without aims."""
    (tmp_path / "steps.json").write_text(json.dumps(steps_result), encoding="utf-8")
    text = page.short(tmp_path)
    assert "| ResNet-20 | 80 | 320 | 320 | 4 | 1 |" in text
    assert (
        "on A processor, threads: 2; torch 2.13.0, pytorchcv 0.0.74; commit 0123456789ab." in text
    )


def test_a_record_becomes_tables(tmp_path, steps_result):
    """Its numbers, form and machine; the other benchmarks have no record yet."""
    (tmp_path / "steps.json").write_text(json.dumps(steps_result), encoding="utf-8")
    text = page.as_markdown(tmp_path)
    assert "| ResNet-20 | 80 | 320 | 320 | 4 (≥ 3.5) | 1 (≥ 1.4) | NO |" in text
    assert "The long form, on A processor, threads: 2" in text
    assert len(page.BENCHMARKS) - 1 == text.count("No record is committed yet.")


def test_every_section_says_how_to_run_it(tmp_path):
    """Title, command and what is compared come from the module itself."""
    text = page.as_markdown(tmp_path)
    for benchmark in page.BENCHMARKS:
        assert f"## {benchmark.title}\n\n```sh\npython -m benchmarks.{benchmark.name} " in text
