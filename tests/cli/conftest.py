"""The command, run in this process, and a run that it finished."""

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from residua.cli import main


class Outcome(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str

    def assert_refused(self, *phrases: str, status: int) -> None:
        """Check an error's status and its one or two lines; nothing went to standard output."""
        assert status == self.status
        assert "" == self.out
        lines = self.err.splitlines()
        assert 1 <= len(lines) <= 2, self.err
        assert lines[0].startswith("residua: ")
        for phrase in phrases:
            assert phrase in self.err


def run(*arguments: object) -> Outcome:
    """Run the command here; an exception that it lets pass (a traceback) passes here too."""
    argv = ["residua", *map(str, arguments)]
    status = 0
    with (
        mock.patch.object(sys, "argv", argv),
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        try:
            main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
    return Outcome(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def residua() -> Callable[..., Outcome]:
    """The command: arguments in, outcome out."""
    return run


@pytest.fixture(scope="session")
def train() -> Callable[..., Outcome]:
    """``residua train`` for two steps on synthetic images; further arguments are added."""

    def short(*more: object, net: str = "cifar/resnet-8") -> Outcome:
        how = ("--data", "synthetic", "--recipe", "han2017", "--epochs", "1")
        settings = ("--set", "recipe.batch_size=32", "--set", "data.train_limit=64")
        return run("train", net, *how, *settings, *more)

    return short


@pytest.fixture
def refused(record_property: Callable[..., None]) -> Callable[..., None]:
    """A checker of a fault: after all progress, a line or two with these phrases, and a status."""

    def check(outcome: Outcome, *phrases: str, status: int = 1) -> None:
        last = outcome.err[outcome.err.rfind("residua: ") :]
        record_property("message", last)
        outcome._replace(err=last).assert_refused(*phrases, status=status)

    return check


@pytest.fixture(scope="session")
def files() -> Callable[[Path], dict[str, bytes]]:
    """A reader of every file below a directory."""

    def read(path: Path) -> dict[str, bytes]:
        found = [file for file in path.rglob("*") if file.is_file()]
        return {str(file.relative_to(path)): file.read_bytes() for file in found}

    return read


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, train: Callable[..., Outcome]) -> Path:
    """The directory of a finished run."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert 0 == train("--out", out).status
    return out
