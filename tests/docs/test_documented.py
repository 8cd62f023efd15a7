"""Nothing that users can name is missing from the site."""

import re

import pytest

import residua
from docs.commands import verbs
from residua.arch.grammar import GRAMMAR
from residua.arch.papers import tables
from residua.arch.variations import VARIATIONS
from residua.studies.named import EXPERIMENTS
from residua.training.presets import RECIPES

from .conftest import DOCS, PAGES


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path, _ in verbs()])
def test_every_command_has_its_section(path):
    """With the help that the command prints."""
    assert f"\n## {path}\n\n```text\nUsage: {path} " in page("reference/command.md")


@pytest.mark.parametrize("name", residua.__all__)
def test_every_public_name_is_described(name):
    """Sphinx takes its text from the docstring."""
    found = re.search(
        rf"auto(function|exception):: residua\.{name}$|py:data:: {name}$",
        page("reference/python.md"),
        flags=re.MULTILINE,
    )
    assert found is not None


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_row(name):
    """In the table of recipes."""
    assert f"\n| `{name}` |" in page("reference/recipes.md")


@pytest.mark.parametrize("study", EXPERIMENTS.values(), ids=lambda study: study.name)
def test_every_study_has_a_section(study):
    """With its question."""
    assert f"\n## {study.name}\n\n**{study.question}**\n" in page("reference/studies.md")


@pytest.mark.parametrize("row", [*GRAMMAR, *VARIATIONS], ids=lambda row: row.shown)
def test_every_pattern_of_names_has_a_row(row):
    """Families and variations."""
    plus = "" if row in GRAMMAR else "+"
    assert f"| `{plus}{row.shown.replace('|', chr(92) + '|')}` |" in page("reference/names.md")


@pytest.mark.parametrize("family", sorted({pattern.family for pattern in GRAMMAR}))
def test_every_family_is_drawn_on_a_page_of_a_paper(family):
    """A unit of it stands in a block of pictures."""
    drawn = "".join(path.read_text(encoding="utf-8") for path in PAGES if "papers" in path.parts)
    assert re.search(rf"^(cifar|imagenet)/{family}-\S+ \d+ \|", drawn, flags=re.MULTILINE)


def test_every_paper_with_nets_has_a_page():
    """The post and the lesion study have none: they bring no family."""
    found = {path.stem for path in (DOCS / "papers").glob("*.md")}
    assert found == {paper.key for paper in tables().papers} - {"post2018", "veit2016"}


def test_every_page_of_the_papers_has_all_sections():
    """Idea, unit, figures, deviations, recipe."""
    sections = ["The idea", "The unit", "Printed, and ours", "Where we differ"]
    sections += ["The recipe", "Claims, tried"]
    for path in (DOCS / "papers").glob("*.md"):
        assert sections == re.findall(r"^## (.*)$", path.read_text("utf-8"), flags=re.MULTILINE)


def test_the_two_readmes_know_each_other():
    """A reader of either finds the other."""
    assert "(README.ko.md)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert "(README.md)" in (DOCS.parent / "README.ko.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((DOCS / "ko").glob("*.md")), ids=lambda path: path.name)
def test_a_korean_page_has_its_english_twin(path):
    """And the same code, so that neither falls behind."""
    english = {"index": "index", "start": "start", "slips": "slips"}
    twin = DOCS / f"{english.get(path.stem, f'tutorials/{path.stem}')}.md"
    code = [re.findall(r"^>>> .*$", each.read_text("utf-8"), re.MULTILINE) for each in (path, twin)]
    korean, original = ([re.sub(r"  #.*", "", line) for line in lines] for lines in code)
    assert original == korean
