"""The tree keeps its own rules: packaging, size, documentation, and what `.ci/run` runs."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import residua
from residua.arch import papers

REPO = Path(__file__).parents[1]
SOURCES = sorted((REPO / "src" / "residua").rglob("*.py"))
MODULES = [path for path in SOURCES if path.name != "__init__.py"]
TEXTS = [
    *SOURCES,
    *REPO.glob("*.md"),
    REPO / "hubconf.py",
    *(REPO / "docs").rglob("*.md"),
    *(REPO / name for name in ("Makefile", "constraints.txt", "pyproject.toml", ".ci/run")),
]


def module_name(path: Path) -> str:
    """``src/residua/arch/plan.py`` is ``residua.arch.plan``."""
    parts = path.relative_to(REPO / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPO)))
def test_module_imports_and_says_what_it_is(path, request):
    """Every module can be imported and opens with a docstring."""
    if path.name == "timm.py":  # a door to other people's code, which may not be there
        request.getfixturevalue("torchvision_schemas")
        pytest.importorskip("timm", reason="timm is not installed")
    assert importlib.import_module(module_name(path)).__doc__


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPO)))
def test_file_is_short_enough_to_read(path):
    """No file is longer than 400 lines, no function longer than 40 besides its docstring."""
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(text.splitlines()) <= 400
    assert [] == [function.name for function in functions if code_lines(function) > 40]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPO)))
def test_the_tour_leads_to_every_module(path):
    """CONTRIBUTING.md names every module, so that a newcomer finds the room for a change."""
    tour = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, section = tour.partition(f"**`{path.parent.name}/`**")
    assert f"`{path.name}`" in section.partition("\n**`")[0]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPO)))
def test_text_names_no_place_outside_the_repository(path):
    """No file depends on where somebody's checkout or data happened to lie."""
    text = path.read_text(encoding="utf-8")
    assert [] == re.findall(r"(?<![\w.~])/(?:work|home|root|Users|mnt)/\S*|\.\./shared\S*", text)


def test_wheel_holds_code_types_and_facts(tmp_path):
    """The wheel holds every file of the package, among them ``py.typed`` and the papers' tables."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, REPO],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("residua-*-py3-none-any.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("residua/")}
    package = REPO / "src"
    files = {
        str(path.relative_to(package))
        for path in (package / "residua").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert files == held
    assert "residua/py.typed" in held
    assert any(re.fullmatch(r"residua/arch/\w+\.json", name) for name in held)


def test_sdist_holds_what_the_tests_read(tmp_path):
    """Who has the sdist alone can build, test and use every door."""
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, REPO],
        check=True,
        capture_output=True,
    )
    (sdist,) = tmp_path.glob("residua-*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - where git is, is the machine's business
        cwd=REPO,
        check=False,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    if not tracked:
        pytest.skip("no git checkout to compare with")
    others = (".github/", ".gitignore", ".pre-commit-config.yaml")
    expected = {name for name in tracked if (REPO / name).exists() and not name.startswith(others)}
    assert set() == expected - held


def test_the_citation_is_of_this_version_and_the_papers():
    """CITATION.cff has what its format asks for, our version and licence, and every paper."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    content = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "type"} <= content.keys()
    assert ("1.2.0", "software", "MIT") == (
        content["cff-version"],
        content["type"],
        content["license"],
    )
    assert residua.__version__ == content["version"]
    pyproject = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (pyproject["description"], pyproject["authors"]) == (
        content["abstract"],
        content["authors"],
    )
    expected = {
        (paper.title, paper.year, paper.authors, f"arXiv:{paper.arxiv}")
        for paper in papers.tables().papers
        if paper.arxiv
    }
    found = {
        (
            paper["title"],
            paper["year"],
            ", ".join(author["family-names"] for author in paper["authors"]),
            paper["identifiers"][0]["value"],
        )
        for paper in content["references"]
    }
    assert expected == found


def ci_run(tree: Path, readme: str) -> subprocess.CompletedProcess[str]:
    """Run ``.ci/run`` in a tree whose verbs only say their names."""
    (tree / ".ci").mkdir()
    shutil.copy(REPO / ".ci" / "run", tree / ".ci" / "run")
    (tree / "README.md").write_text(readme, encoding="utf-8")
    (tree / "Makefile").write_text("%:\n\t@echo made $@\n", encoding="utf-8")
    return subprocess.run(
        [tree / ".ci" / "run"], capture_output=True, text=True, check=False, timeout=20
    )


def test_ci_runs_the_command_of_the_readme(tmp_path):
    """The README's own test command runs, then the checks."""
    ran = ci_run(tmp_path, (REPO / "README.md").read_text(encoding="utf-8"))
    assert (0, "") == (ran.returncode, ran.stderr)
    made = re.findall(r"^made (\S+)", ran.stdout, flags=re.MULTILINE)
    assert ["test", "browser", "test-page", "check"] == made


def test_ci_stops_at_the_first_failure(tmp_path):
    """A failing test command fails the whole and no check runs after it."""
    ran = ci_run(tmp_path, "<!-- test command -->\n```sh\nfalse\necho on\n```\n")
    assert 1 == ran.returncode
    assert "+ false\necho on\n" == ran.stdout


def test_ci_misses_the_command(tmp_path):
    """A README without the marked command is a failure that names the marker."""
    ran = ci_run(tmp_path, "# residua\n\n```sh\nmake test\n```\n")
    assert 1 == ran.returncode
    assert "" == ran.stdout
    assert "<!-- test command -->" in ran.stderr
