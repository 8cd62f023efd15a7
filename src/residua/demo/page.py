"""The page itself, by Gradio (an optional package), for this machine alone."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from residua import prediction, weights
from residua.demo import answers, markup
from residua.errors import RunError, UsageError
from residua.nets.build import Net
from residua.studies.measures import lesions

if TYPE_CHECKING:
    from gradio import Blocks, Image
else:  # gradio is optional
    Blocks = Image = Any

LOOPBACK = "127.0.0.1"
MOST_BYTES = "20mb"
# Gradio reads them, some on import: no word to its makers, and no history in the browser.
PRIVATE = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False"}
STYLE = Path(__file__).with_name("page.css")
SWITCHES = Path(__file__).with_name("switches.js")
LIKELIEST = "the likeliest class"
NOTHING = '<p class="hint">No image yet.</p>'
TITLE = """# residua
Drop an image, and see what the net takes it for. Click units to leave out their branches, and see
what becomes of it."""


@contextmanager
def served(paths: list[Path], *, port: int) -> Iterator[str]:
    """Serve the page for some trained nets on this machine; yield its address.

    Nothing is sent or loaded from anywhere else, and what was uploaded is deleted in the end.

    Args:
        paths: A run directory or weights file for each net.
        port: On the loopback interface.

    Raises:
        UsageError: There are no weights, they name no classes, or gradio is missing.
        RunError: Weights are damaged, or the port cannot be had.
    """
    _check_port(port)
    nets = [(str(path), _net(path)) for path in paths]
    with tempfile.TemporaryDirectory(prefix="residua-demo-") as uploads:
        os.environ |= PRIVATE | {"GRADIO_TEMP_DIR": uploads}
        page = _page(nets)
        page.launch(
            server_name=LOOPBACK,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,  # which would start Node.js
            max_file_size=MOST_BYTES,
            css_paths=STYLE,
            footer_links=[],
        )
        try:
            yield f"http://{LOOPBACK}:{port}"
        finally:
            page.close(verbose=False)


def _check_port(port: int) -> None:
    """Say at once what Gradio would say after seconds, and not so well."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        raise RunError(
            f"port {port} cannot be had ({error.strerror}): choose another with --port"
        ) from None


def _net(path: Path) -> Net:
    net = weights.load(path)
    try:
        prediction.look(net, [])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return net


def _page(nets: list[tuple[str, Net]]) -> Blocks:
    try:
        import gradio  # noqa: PLC0415 - an optional package, and slow to import
    except ImportError as error:
        raise UsageError("the page needs gradio: pip install 'residua[demo]'") from error
    with gradio.Blocks(title="residua") as page:
        gradio.Markdown(TITLE)
        with gradio.Row():
            with gradio.Column(min_width=260):
                image = gradio.Image(
                    label="Image",
                    type="filepath",
                    sources=["upload", "clipboard"],
                    height=280,
                    elem_id="image",
                )
            for place, net in nets:
                with gradio.Column(min_width=300, scale=2):
                    _column(place, net, image)
    return page


def _column(place: str, net: Net, image: Image) -> None:
    """A net of the page: what it is, what it says, its plan with a switch for each unit."""
    import gradio  # noqa: PLC0415 - an optional package

    meta = net.meta
    assert meta is not None
    gradio.HTML(markup.heading(net, place), apply_default_css=False)
    plan = gradio.HTML(
        [],
        html_template=markup.plan(net.plan, lesions.indispensable(net)),
        js_on_load=SWITCHES.read_text(encoding="utf-8"),
        apply_default_css=False,
    )
    said = gradio.HTML(NOTHING, apply_default_css=False)
    looked_for = gradio.Dropdown(
        [LIKELIEST, *meta.classes], value=LIKELIEST, label="Show what speaks for"
    )
    gradio.on(
        [image.change, plan.change, looked_for.change],
        partial(_said, net),
        [image, plan, looked_for],
        said,
        preprocess=False,  # which would decode the image: our own reader is careful
        trigger_mode="always_last",
        show_progress="minimal",
        concurrency_id="nets",  # one at a time: pillow's guard is the process's
        api_visibility="private",
    )


def _said(net: Net, image: dict[str, Any] | None, gone: list[int], looked_for: str) -> str:
    if image is None:
        return NOTHING
    path = Path(image["path"])
    try:
        answer = answers.answer(
            net, path, gone=gone, looked_for=None if looked_for == LIKELIEST else looked_for
        )
    except (RunError, UsageError) as error:
        return markup.message(str(error).replace(str(path), path.name))
    return markup.said(answer)
