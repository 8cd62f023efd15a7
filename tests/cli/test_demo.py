"""The verb ``demo``: what is refused before there is a page."""

import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

Residua = Callable[..., Any]


@pytest.fixture
def port() -> str:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.mark.fault("port of the page in use")
def test_a_port_in_use_is_told(residua: Residua, finished: Path, refused: Callable[..., None]):
    """With the way to another one, and before anything slow."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        outcome = residua("demo", finished, "--port", taken)
    message = outcome.err.replace(str(taken), "7860")
    refused(outcome._replace(err=message), "port 7860 cannot be had", "--port")


@pytest.mark.fault("page without gradio")
def test_without_gradio_the_package_is_named(
    residua: Residua,
    finished: Path,
    port: str,
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., None],
):
    """It is optional, and only the page needs it."""
    monkeypatch.setitem(sys.modules, "gradio", None)
    refused(residua("demo", finished, "--port", port), "pip install 'residua[demo]'", status=2)


@pytest.mark.fault("page for weights without classes")
def test_weights_without_classes_are_told(
    residua: Residua, finished: Path, port: str, tmp_path: Path, refused: Callable[..., None]
):
    """With the path, for there may be several; before the page is there."""
    description = json.loads((finished / "model.json").read_bytes())
    file = tmp_path / "weights.safetensors"
    file.write_bytes((finished / "model.safetensors").read_bytes())
    file.with_suffix(".json").write_text(json.dumps({**description, "classes": []}))
    outcome = residua("demo", finished, file, "--port", port)
    refused(outcome, f"{file}: the weights name 0 classes", status=2)


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_address_is_printed_once_the_page_listens(
    residua: Residua, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
):
    """For people, or as one document; Ctrl-C then ends it without a word."""

    @contextmanager
    def served(paths: list[Path], *, port: int) -> Iterator[str]:
        assert [Path("run")] == paths
        yield f"http://127.0.0.1:{port}"

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("residua.demo.page.served", served)
    waiting = SimpleNamespace(Event=lambda: SimpleNamespace(wait=stop))
    monkeypatch.setattr("residua.cli.demo.threading", waiting)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the tests' own stays
    outcome = residua("demo", "run", *how)
    assert (0, "") == (outcome.status, outcome.err)
    address = "http://127.0.0.1:7860"
    if how:
        assert {"address": address} == json.loads(outcome.out)
    else:
        assert f"open {address} in a browser; Ctrl-C ends it\n" == outcome.out


def test_wrong_use_is_told(residua: Residua, tmp_path: Path, port: str):
    """No path, a path without weights, and a port that is none."""
    residua("demo").assert_refused("PATH", status=2)
    residua("demo", tmp_path, "--port", port).assert_refused("no weights at", status=2)
    residua("demo", tmp_path, "--port", 70_000).assert_refused("70000", status=2)
