"""The certificate: every row of the facts, ours and an independent table's, and what it refuses."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).parents[2]
SCRIPT = REPO / "scripts" / "certify_counts.py"
INDEPENDENT = REPO.parent / "shared" / "facts" / "facts.json"


@pytest.fixture(scope="module")
def certify() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("certify_counts", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def independent() -> dict:
    """A table of the same papers that is not the package's."""
    if not INDEPENDENT.is_file():
        pytest.skip(f"no independent table of facts at {INDEPENDENT}")
    return json.loads(INDEPENDENT.read_text(encoding="utf-8"))


@pytest.fixture
def certified(certify, tmp_path, capsys):
    """A function that gives exit status and printed lines for a table of few rows."""

    def run(rows: list[dict], meta: dict) -> tuple[int, list[str]]:
        path = tmp_path / "facts.json"
        path.write_text(json.dumps({"meta": meta, "rows": rows}), encoding="utf-8")
        status = certify.main([str(path)])
        return status, capsys.readouterr().out.splitlines()

    return run


def command(*arguments: Path) -> tuple[int, list[str]]:
    """Exit status and printed lines of the command."""
    ran = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    assert "" == ran.stderr
    return ran.returncode, ran.stdout.splitlines()


def test_the_packages_facts_are_certified():
    """216 rows, each with expected beside found."""
    status, printed = command()
    assert (0, "216 of 216") == (status, printed[-1])
    assert 216 + 2 == len(printed)
    assert "params 269,722 | 269,722" in printed[0]


def test_an_independent_table_is_certified(independent):
    """All rows of it, each with a fact of ours that says the same and no other row has.

    No column with an exact integer, a width list or a printed figure goes unread.
    """
    assert 216 == len(independent["rows"])
    status, printed = command(INDEPENDENT)
    assert (0, "216 of 216") == (status, printed[-1])
    exact = ("params_", "macs", "out", "blocks", "depth")
    for line, row in zip(printed, independent["rows"], strict=False):
        known = [key for key in row if key.startswith(exact) and isinstance(row[key], int)]
        assert [] == [key for key in known if f" {key} {row[key]:,} | " not in line]
        errors = [key for key in ("error_std", "error_top5") if row.get(key) is not None]
        assert [] == [key for key in errors if f" {key} {row[key]} | " not in line]
        assert row["error_paper"] is None or f" error {row['error_paper']} | " in line
    assert 20 == sum("widths equal" in line for line in printed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("params_exact", 269_723),
        ("params_no_bn", 1),
        ("macs_conv_fc", 40_551_041),
        ("params_exact_optB", 0),
        ("params_exact_optC", 0),
        ("params_exact_with_conv_bias", 0),
        ("params_pytorchcv", 0),
        ("out_features", 63),
        ("blocks_per_stage", 4),
        ("depth", 21),
        ("width", "16-32-65 optA"),
        ("params_paper", "0.28M"),
        ("flops_paper", "0.05e9"),
        ("error_paper", 8.76),
        ("error_std", 0.1),
        ("error_top5", 1.0),
    ],
)
def test_one_wrong_value_is_found(certified, independent, key, value):
    """A row with one other value is not certified; it is named and the status is 1."""
    first, second, *_ = independent["rows"]
    status, printed = certified([{**first, key: value}, second], independent["meta"])
    assert (1, "1 of 2") == (status, printed[-1])
    assert "NOT AS EXPECTED  ResNet-20 on cifar10" in printed[0]


def test_a_row_that_comes_twice_finds_no_second_fact(certified, independent):
    """Every fact of ours answers one row."""
    status, printed = certified(independent["rows"][:1] * 2, independent["meta"])
    assert (1, "1 of 2") == (status, printed[-1])


@pytest.mark.parametrize("change", ["one wrong", "one more", "one less"])
def test_wrong_widths_are_found(certified, independent, change):
    """A list with another width, or another length, fails the row that it belongs to."""
    row = next(row for row in independent["rows"] if row["model"] == "PyramidNet-110 add a=48")
    widths = list(independent["meta"]["widths"]["pyramid-110-48"])
    wrong = {
        "one wrong": [*widths[:-1], 65],
        "one more": [*widths, 65],
        "one less": widths[:-1],
    }
    meta = {"widths": {"pyramid-110-48": wrong[change]}, "widths_mul": {}}
    status, printed = certified([row], meta)
    assert (1, "0 of 1") == (status, printed[-1])


def test_an_unread_model_stops_the_certificate(certified, independent):
    """A row in words that no rule reads is no row to leave out."""
    row = {**independent["rows"][3], "model": "VGG-16"}
    with pytest.raises(SystemExit, match="no rule reads the model 'VGG-16'"):
        certified([row], independent["meta"])
