"""The pages, cut into blocks of code, and a reader who runs them."""

import doctest
import os
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from ..cli.conftest import Outcome, run  # noqa: TID252 - tests are no package

REPO = Path(__file__).parents[2]
sys.path.insert(0, str(REPO))  # for the folder docs, which is no part of the package
DOCS = REPO / "docs"
PAGES = sorted(
    path
    for path in (*REPO.glob("README*.md"), *DOCS.rglob("*.md"))
    if path.name not in {"faults.md", "results.md", "benchmarks.md"}
    and path.parent.name != "decisions"
)
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>run|fails|not run) -->\n)?```(?P<language>[\w-]+)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and what a comment before it says.

    ``run``: its commands are run, not only understood; ``fails``: they are, and refused; ``not
    run``: it needs what is not on every machine, and need only be Python.
    """

    language: str
    text: str
    mark: str | None

    @property
    def commands(self) -> list[list[str]]:
        """The lines of a shell block, in words."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line, comments=True) for line in lines if line.strip()]


def blocks(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    found = BLOCK.finditer(path.read_text(encoding="utf-8"))
    return [Block(match["language"], match["text"], match["mark"]) for match in found]


def name_of(path: Path) -> str:
    """A page as the parameter of a test."""
    return str(path.relative_to(REPO))


def parsed(words: list[str], group: click.Group) -> click.Context:
    """A command line understood, and not run.

    Raises:
        click.ClickException: An option or argument is wrong.
        KeyError: There is no such verb.
    """
    command: click.Command = group
    rest = words[1:]
    while isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    return command.make_context(" ".join(words), rest)


@dataclass
class Reader:
    """Somebody who types a page's lines, from the first to the last."""

    page: str
    names: dict[str, object] = field(default_factory=dict)
    blocks: int = 0

    def follow(self, block: Block) -> None:
        """Run a block as its language says."""
        if block.mark == "not run":
            compile(block.text, self.page, "exec")
        elif block.language == "pycon":
            self._compare(block.text)
        elif block.language == "python":
            exec(compile(block.text, self.page, "exec"), self.names)  # noqa: S102 - our own page
        elif block.mark is not None:
            for outcome in map(_run, block.commands):
                assert (block.mark == "fails") == (outcome.status != 0), outcome.err

    def _compare(self, text: str) -> None:
        self.blocks += 1  # functions of one block are told from those of the next by its name
        name = f"{self.page}, block {self.blocks}"
        test = doctest.DocTestParser().get_doctest(text, self.names, name, self.page, 0)
        said: list[str] = []
        runner = doctest.DocTestRunner(verbose=False)
        runner.run(test, out=said.append, clear_globs=False)
        self.names = test.globs
        assert [] == said, "".join(said)


def _run(words: list[str]) -> Outcome:
    assert "residua" == words[0]
    return run(*words[1:])


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Reader]:
    """A reader in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESIDUA_DATA", os.fspath(tmp_path / "data"))
    return Reader
