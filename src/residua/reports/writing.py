"""A page written as one HTML file that needs nothing else, and as Markdown with its figures."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import jinja2

from residua.reports.page import Cell, Chart, Page, Pictures, shown
from residua.runs.files import write_atomically

TEMPLATES = Path(__file__).with_name("templates")


def write(page: Page, folder: Path) -> Path:
    """Put ``report.html``, ``report.md`` and the figures of the latter into a folder.

    Figures that the folder's last report had and this one has not are removed.

    Returns:
        The HTML file.

    Raises:
        OSError: They cannot be written.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawn = _files(page)
    for name, content in drawn.items():
        write_atomically(figures / name, content)
    html, markdown = folder / "report.html", folder / "report.md"
    write_atomically(html, as_html(page).encode())
    before = markdown.read_text(encoding="utf-8", errors="replace") if markdown.exists() else ""
    for name in set(re.findall(r"\]\(figures/([^/()]+\.(?:png|svg))\)", before)) - drawn.keys():
        (figures / name).unlink(missing_ok=True)
    write_atomically(markdown, as_markdown(page).encode())  # last: it tells which figures are ours
    return html


def _files(page: Page) -> dict[str, bytes]:
    """The figures of a page as files, by name."""
    colours = (TEMPLATES / "colours.css").read_text(encoding="utf-8")
    files: dict[str, bytes] = {}
    for block in (block for section in page.sections for block in section.blocks):
        if isinstance(block, Chart):
            files[f"{block.name}.svg"] = _alone(block.svg, colours).encode()
        elif isinstance(block, Pictures):
            files |= {f"{picture.name}.png": picture.png for picture in block.pictures}
    return files


def as_html(page: Page) -> str:
    """The page as one file; its colours follow the reader's light or dark setting."""
    style = {
        name: (TEMPLATES / f"{name}.css").read_text(encoding="utf-8")
        for name in ("colours", "style")
    }
    return _environment(autoescape=True).get_template("page.html").render(page=page, **style)


def as_markdown(page: Page) -> str:
    """The page as Markdown, figures by reference."""
    text = _environment(autoescape=False).get_template("page.md").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,  # noqa: S701 - Markdown alone goes without
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "cell": _cell,
        "base64": lambda content: base64.b64encode(content).decode(),
    }
    return environment


def _cell(value: Cell) -> str:
    """A cell of a table in Markdown."""
    return shown(value).replace("|", "\\|").replace("\n", " ")


def _alone(svg: str, colours: str) -> str:
    """A drawing that carries its colours, for a file of its own."""
    head, end, rest = svg.partition(">")
    space = "" if "xmlns=" in head else ' xmlns="http://www.w3.org/2000/svg"'
    return f"{head}{space}{end}<style>{colours} svg {{ background: var(--page); }}</style>{rest}\n"
