"""The pages in real Chromium: on a desk and on a phone, in light and dark."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from residua.reports.reporting import report

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `make browser` installs it"),
]
PATIENCE_MS = 120_000
PAPER = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with sync_api.sync_playwright() as playwright:
        # Chromium has no sandbox for root, and here it sees our own page alone.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["run", "comparison"])
def file(
    request: pytest.FixtureRequest,
    store: Path,
    run_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A page of one run, and of six."""
    out = tmp_path_factory.mktemp("pages")
    path = {"run": run_dir, "comparison": store}[request.param]
    return report([path], data_dir=None, out=out, say=lambda _: None).html


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    ("scheme", "paper", "ink"),
    [
        ("light", "rgb(255, 255, 255)", "rgb(91, 100, 112)"),
        ("dark", "rgb(20, 23, 26)", "rgb(162, 171, 181)"),
    ],
)
def test_a_page_fits_and_follows_the_readers_colours(
    browser: Any, file: Path, width: int, scheme: str, paper: str, ink: str
):
    """Nothing is fetched, nothing sticks out to the right, drawings turn dark with the page."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri(), timeout=PATIENCE_MS)
    assert [file.as_uri()] == [url for url in asked if not url.startswith("data:")]
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert paper == page.evaluate(PAPER)
    axis = "getComputedStyle(document.querySelector('svg text.axis')).fill"
    assert ink == page.evaluate(axis)
    page.close()
