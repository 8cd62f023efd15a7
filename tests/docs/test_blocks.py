"""What the pages tell people to type works as they say."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from residua.arch import names, rows
from residua.cli.command import cli
from residua.runs.config import DataChoice, Run, override
from residua.studies import named
from residua.training import presets

from ..cli.conftest import run  # noqa: TID252 - tests are no package
from .conftest import PAGES, REPO, Reader, blocks, name_of, parsed

LANGUAGES = {"sh", "console", "pycon", "python", "text"}
RUN = [
    # A Korean page has the code of its English twin.
    pytest.param(path, marks=pytest.mark.slow if path.parent.name == "ko" else ())
    for path in PAGES
    if any(block.language in {"pycon", "python"} for block in blocks(path))
]
TYPED = [path for path in PAGES if any(_.language == "sh" for _ in blocks(path))]
SHOWN = [path for path in PAGES if any(_.language == "console" for _ in blocks(path))]


@pytest.mark.parametrize("path", RUN, ids=name_of)
def test_a_page_runs_from_the_first_line_to_the_last(path: Path, reader: Callable[[str], Reader]):
    """Python does what it says there, with what it prints; marked commands succeed or fail so."""
    if path.name == "README.md":
        _as_the_readme_assumes()
    one = reader(name_of(path))
    for block in blocks(path):
        one.follow(block)


def _as_the_readme_assumes() -> None:
    """A trained net and a photograph, which the README's lines before have left."""
    settings = ("--set", "recipe.batch_size=32", "--set", "data.train_limit=32", "--quiet")
    how = ("--data", "synthetic", "--epochs", 1, "--out", "runs/r20", *settings)
    assert 0 == run("train", "cifar/resnet-8", *how).status
    Path("photos").mkdir()
    Image.new("RGB", (48, 32)).save("photos/cat.jpg")


@pytest.mark.parametrize("path", TYPED, ids=name_of)
def test_every_command_is_one(path: Path):
    """Verbs, options, nets, recipes, studies, rows and settings of each line exist."""
    targets = re.findall(r"^([\w-]+):", (REPO / "Makefile").read_text(), flags=re.MULTILINE)
    for block in blocks(path):
        assert block.language in LANGUAGES
        for words in block.commands if block.language == "sh" else ():
            if words[0] == "make":
                assert words[1] in targets
            elif words[0] == "residua":
                _exists(words)


def _exists(words: list[str]) -> None:
    given = parsed(words, cli).params
    match words[1:3]:
        case ["train", net]:
            recipe = given["recipe_name"]
            chosen = presets.get(recipe) if recipe not in {None, "fast"} else presets.HE2015
            run_ = Run(net=net, data=DataChoice(name="digits", val_size=0), recipe=chosen, seed=0)
            assert names.spec(net)
            assert override(run_, given["settings"])
        case ["show", net]:
            assert names.spec(net)
        case ["list", *_]:
            assert names.names(given["family"])
        case ["study", "run"]:
            assert named.get(words[3])
        case ["reproduce", row]:
            assert rows.row(row)
        case ["recipes", "show" | "diff"]:
            assert all(map(presets.get, words[3:]))


@pytest.mark.parametrize("path", SHOWN, ids=name_of)
def test_what_a_command_prints_is_what_it_prints(path: Path, monkeypatch: pytest.MonkeyPatch):
    """A command shown with its output prints this output."""
    monkeypatch.setenv("COLUMNS", "100")
    for block in blocks(path):
        if block.language == "console":
            prompt, *lines = block.text.splitlines()
            outcome = run(*prompt.removeprefix("$ residua ").split())
            assert lines == [line.rstrip() for line in outcome.out.splitlines()]
