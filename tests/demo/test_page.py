"""The page in real Chromium: what a person does with it, and what it does not do."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from residua.data.images import Images

httpx = pytest.importorskip("httpx", reason="gradio, which needs it, is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.browser,
    # Found, not imported: that takes seconds, for tests that most runs leave out.
    pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: `make browser` installs it"),
]
PATIENCE_S = 120
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def address(
    weights_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The command's page for one net twice, and where it keeps its uploads; Ctrl-C ends it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = tmp_path_factory.mktemp("uploads")
    command = (sys.executable, "-m", "residua", "demo", weights_file, weights_file)
    with subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"open http://127.0.0.1:{port} in a browser; Ctrl-C ends it\n" == line
        yield f"http://127.0.0.1:{port}", place
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (0, "", "") == (process.returncode, out, err)
    assert [] == list(place.glob("residua-*"))


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    """A browser without a window."""
    with sync_api.sync_playwright() as playwright:
        # Chromium has no sandbox for root, and here it sees our own page alone.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def page(
    address: tuple[str, Path], browser: "sync_api.Browser", request: pytest.FixtureRequest
) -> Iterator["sync_api.Page"]:
    """The page as somebody first sees it; nothing that it asks for may be elsewhere."""
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    context.set_default_timeout(1000 * PATIENCE_S)
    sync_api.expect.set_options(timeout=1000 * PATIENCE_S)
    page = context.new_page()
    hosts = set[str]()
    failures: list[str] = []
    page.on("request", lambda asked: hosts.add(urlsplit(asked.url).netloc))
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(address[0])
    page.wait_for_selector(".plan")
    yield page
    context.close()
    # Nothing but the page's own, and what it holds within itself.
    assert {urlsplit(address[0]).netloc} == hosts - {""}
    assert [] == failures


@pytest.fixture
def image(images: Images, tmp_path: Path) -> Path:
    """An image of the size that the net was trained on."""
    path = tmp_path / "image.png"
    Image.fromarray(images.pixels[3].permute(1, 2, 0).contiguous().numpy()).save(path)
    return path


def drop(page: "sync_api.Page", image: Path) -> None:
    """Hand an image to the page."""
    page.set_input_files("#image input[type=file]", image)


def answers(page: "sync_api.Page") -> "sync_api.Locator":
    """What the nets say, one beside the other."""
    return page.locator(".said")


def first_share(page: "sync_api.Page", column: int) -> tuple[str, str]:
    """The likeliest class in a column, with its probability and what that was."""
    row = answers(page).nth(column).locator("tr").first
    return row.locator(".now").inner_text(), row.locator(".was").inner_text()


def test_an_image_is_told_and_units_are_left_out(page: "sync_api.Page", image: Path):
    """Both nets tell it; switches change one of them, and putting all back what they changed."""
    drop(page, image)
    sync_api.expect(answers(page)).to_have_count(2)
    before = first_share(page, 0)
    assert before == first_share(page, 1)
    assert re.fullmatch(r"\d+\.\d %", before[0])
    assert "" == before[1]
    plan = page.locator(".plan").first
    for unit in (1, 4):
        plan.get_by_role("switch", name=f"unit {unit}").click()
    sync_api.expect(plan.locator("output")).to_have_text("2 of 6 units left out")
    sync_api.expect(answers(page).first.locator(".was").first).to_contain_text("was")
    sync_api.expect(plan.locator("[aria-checked=false]")).to_have_count(2)
    assert before == first_share(page, 1)
    page.keyboard.press("Space")  # the last switch still has the focus
    sync_api.expect(plan.locator("output")).to_have_text("1 of 6 units left out")
    plan.get_by_role("button", name="Put all back").click()
    sync_api.expect(answers(page).first.locator(".was", has_text="was")).to_have_count(0)
    assert before == first_share(page, 0)


def test_heat_for_another_class(page: "sync_api.Page", image: Path):
    """It is drawn for the class that somebody picks."""
    drop(page, image)
    caption = answers(page).first.locator("figcaption").last
    sync_api.expect(caption).to_contain_text("what speaks for class <")
    page.get_by_label("Show what speaks for").first.click()
    page.get_by_role("option", name="class <7>").click()
    sync_api.expect(caption).to_have_text("what speaks for class <7>")


def test_bad_images_are_told(page: "sync_api.Page", image: Path, tmp_path: Path):
    """Each by its name and in a line, and the page goes on."""
    files = {name: tmp_path / name for name in ("cut.png", "text.png", "moving.gif", "huge.png")}
    files["cut.png"].write_bytes(image.read_bytes()[:1000])
    files["text.png"].write_text("hello")
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    frames[0].save(files["moving.gif"], save_all=True, append_images=frames[1:])
    Image.new("1", (10_000, 10_000)).save(files["huge.png"])
    phrases = ("damaged", "it is no BMP", "it has 2 frames", "decompression bomb")
    for (name, file), phrase in zip(files.items(), phrases, strict=True):
        drop(page, file)
        message = page.get_by_role("alert").first
        sync_api.expect(message).to_contain_text(f"{name} cannot be used: ")
        sync_api.expect(message).to_contain_text(phrase)
    assert "/" not in message.inner_text()
    page.get_by_label("Remove Image").click()
    sync_api.expect(page.get_by_text("No image yet.")).to_have_count(2)


def test_a_file_that_is_too_large_is_told(
    page: "sync_api.Page", address: tuple[str, Path], tmp_path: Path
):
    """By the browser to the person, and by the server to whoever does not ask the browser."""
    file = tmp_path / "large.png"
    file.write_bytes(bytes(21 * 1024 * 1024))
    drop(page, file)
    sync_api.expect(page.get_by_text("exceed the maximum allowed size").first).to_be_visible()
    handed = {"files": (file.name, file.read_bytes())}
    answer = httpx.post(f"{address[0]}/gradio_api/upload", files=handed, trust_env=False)
    assert 413 == answer.status_code
    assert [] == [path for path in address[1].rglob("*") if path.name == file.name]


def test_gradio_keeps_no_history_and_sends_no_word(address: tuple[str, Path]):
    """What the page says of itself."""
    config = httpx.get(f"{address[0]}/config", trust_env=False).json()
    assert (False, False) == (config["analytics_enabled"], config["run_history"])


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_a_phone_shows_all_without_scrolling_aside(page: "sync_api.Page", image: Path):
    """One column below the other, and nothing wider than the screen."""
    drop(page, image)
    page.locator(".plan .unit").nth(1).click()
    sync_api.expect(answers(page)).to_have_count(2)
    assert 390 >= page.evaluate("document.documentElement.scrollWidth")
    left, right = (answers(page).nth(column).bounding_box() for column in (0, 1))
    assert left is not None
    assert right is not None
    assert left["x"] == right["x"]
    assert left["x"] + left["width"] <= 390
