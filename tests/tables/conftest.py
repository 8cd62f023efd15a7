"""Tables as lines of text."""

from collections.abc import Callable

import pytest


@pytest.fixture
def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """A caller of a printing function that returns the lines it printed."""

    def call(function: Callable[..., None], *arguments, width: int = 100, **options) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        function(*arguments, **options)
        out, err = capsys.readouterr()
        assert "" == err
        return [line.rstrip() for line in out.splitlines()]

    return call
