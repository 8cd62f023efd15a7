"""A study's folder: drawn from its findings alone, and without matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from residua.errors import UsageError
from residua.studies import budgets, findings, runner, study
from residua.studies.findings import Findings
from residua.studies.named import EXPERIMENTS


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What a study found that trains nothing, and so reads none of its budget's images."""
    place = tmp_path_factory.mktemp("empty")
    request = study.Request(
        budget=budgets.get("laptop"), data_dir=place, store=place / "store", command="again"
    )
    return study.conduct(
        EXPERIMENTS["bottleneck"], request, engine=runner.in_turn, say=lambda _line: None
    )


def test_what_is_written_can_be_drawn_again(found: Findings, tmp_path: Path):
    """Figures made from the file are those that were made from the findings."""
    study.write(tmp_path / "out", found)
    (tmp_path / "again").mkdir()
    study.draw(tmp_path / "again", findings.read(tmp_path / "out"))
    drawn = (tmp_path / "out" / "bottleneck.png").read_bytes()
    assert drawn == (tmp_path / "again" / "bottleneck.png").read_bytes()
    assert ["bottleneck.png", "bottleneck.svg", "findings.json"] == sorted(
        path.name for path in (tmp_path / "out").iterdir()
    )


@pytest.mark.fault("figures without matplotlib")
def test_without_matplotlib(
    found: Findings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[..., None],
):
    """The findings are kept; one line says what draws them."""
    loaded = [name for name in sys.modules if name.startswith("matplotlib.")]
    for name in ("matplotlib", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'residua\[plots\]'") as told:
        study.write(tmp_path, found)
    assert found == findings.read(tmp_path)
    record_property("message", str(told.value))
