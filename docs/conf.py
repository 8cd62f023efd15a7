"""Settings of Sphinx for this site; nothing on its pages is loaded from elsewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for docs.pictures

from sphinx.application import Sphinx  # noqa: E402 - behind the path

import residua  # noqa: E402 - behind the path

project = "residua"
version = release = residua.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs.pictures"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["__pycache__"]
nitpicky = True
# Types of other projects, whose pages would have to be fetched to be linked.
nitpick_ignore_regex = [(r"py:.*", r"(?!residua).*")]

myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "residua"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False  # the licence says whose it is
# A link out of this folder, to a place that is in the repository but not on the site.
OUTSIDE = r"\[([^\]]+)\]\((?:\.\./){{{levels}}}[^)]*\)"


def without_links_out(_: Sphinx, page: str, source: list[str]) -> None:
    """Leave the words of links that lead out of the site."""
    source[0] = re.sub(OUTSIDE.format(levels=page.count("/") + 1), r"\1", source[0])


def in_korean(_: Sphinx, page: str, __: str, context: dict[str, Any], ___: object) -> None:
    """Tell browsers and screen readers which pages are Korean."""
    if page.startswith("ko/"):
        context["language"] = "ko"


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("source-read", without_links_out)
    app.connect("html-page-context", in_korean)
