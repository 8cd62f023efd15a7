"""A table that does not say what the code says is found."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs import families, tables

from .conftest import DOCS, REPO


@pytest.mark.parametrize(("number", "stale"), [("269,722", "269,721"), ("8.75", "8.57")])
def test_a_stale_number_fails_the_check(tmp_path: Path, number: str, stale: str):
    """The page of He et al. as it is passes; with one figure changed it does not."""
    cogapp = pytest.importorskip("cogapp", reason="cog writes the tables")
    page = tmp_path / "he2015.md"
    text = (DOCS / "papers" / "he2015.md").read_text(encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    arguments = ["cog", "--check", "-I", str(REPO), str(page)]
    assert 0 == cogapp.Cog().main(arguments)

    assert number in text
    page.write_text(text.replace(number, stale, 1), encoding="utf-8")
    assert 5 == cogapp.Cog().main(arguments)


def test_a_figure_says_how_it_came():
    """A printed error of what runs it is, and a learning rate of which optimiser."""
    (line,) = [
        line for line in tables.printed("he2015").splitlines() if "| `cifar/resnet-110` |" in line
    ]
    assert line.endswith("; best of five runs |")
    assert "| muon | 0.08 |" in tables.recipes()


def test_make_check_looks_at_every_table():
    """Each page with a block of cog is among those that `make check` hands to cog."""
    make = shutil.which("make")
    assert make is not None
    asked = subprocess.run(
        [make, "--dry-run", "check"], cwd=REPO, capture_output=True, text=True, check=True
    )
    (line,) = re.findall(r"^\S*cog --check .*$", asked.stdout, flags=re.MULTILINE)
    texts = [*REPO.glob("README*.md"), *DOCS.rglob("*.md")]
    tables = {str(_.relative_to(REPO)) for _ in texts if "[[[cog" in _.read_text("utf-8")}
    assert tables == set(re.findall(r"\S+\.md", line))


def test_the_picture_of_the_families_is_fresh():
    """What `make docs` would draw now, in the README and on the page that Koreans read."""
    assert families.families().file() == families.FILE.read_text(encoding="utf-8")
    for readme in REPO.glob("README*.md"):
        assert f"({families.FILE.relative_to(REPO)})" in readme.read_text(encoding="utf-8")
