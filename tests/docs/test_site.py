"""The site: it builds without a warning and stands on its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import DOCS, REPO

ASKS = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(\w+:)?//|<link\b[^>]*\"(\w+:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; warnings are errors, as for `make docs`."""
    pytest.importorskip("sphinx", reason="pip install --group docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", out]
    subprocess.run(command, cwd=REPO, check=True)
    return out


@pytest.mark.slow
def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path):
    """No script, style, font or picture has an address of its own."""
    for source in DOCS.rglob("*.md"):
        assert (site / source.relative_to(DOCS)).with_suffix(".html").is_file()
    for page in site.rglob("*.html"):
        assert None is ASKS.search(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert [] == re.findall(r"(?:@import|url\()[\s\"']*(?:\w+:)?//\S*", text), style


@pytest.mark.slow
def test_pictures_and_languages(site: Path):
    """A paper's page has its units as pictures with words, a Korean page says that it is one."""
    paper = (site / "papers" / "he2015.html").read_text(encoding="utf-8")
    assert "unit 3 of cifar/resnet-20: 3×3 conv, 32, /2 - BN - ReLU" in paper
    assert '<html class="no-js" lang="en"' in paper
    assert 'lang="ko"' in (site / "ko" / "slips.html").read_text(encoding="utf-8")
