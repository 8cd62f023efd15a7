"""Reports: aims judged, tables, the form of the JSON, and the exit status."""

import json
import math

import pytest

from benchmarks import machine
from benchmarks.report import Aim, Benchmark, Sheet, images_per_second


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch, facts):
    """No machine is measured here."""
    monkeypatch.setattr(machine, "facts", lambda: facts)


def benchmark(value: float, asked: list | None = None) -> Benchmark:
    """A benchmark of one row, whose aim is 2."""

    def measure(options):
        (asked if asked is not None else []).append(options)
        return [{"net": "A", "ratio": value}]

    def sheets(result):
        (row,) = result["rows"]
        aim = Aim(value=row["ratio"], limit=2, sense="≥")
        return [Sheet(headings=("net", "ratio"), rows=((row["net"], aim),))]

    return Benchmark(name="x", title="X", measure=measure, sheets=sheets, nets=("A", "B"))


@pytest.mark.parametrize(
    ("value", "sense", "reached"),
    [(2.0, "≥", True), (1.99, "≥", False), (2.0, "≤", True), (2.01, "≤", False)],
)
def test_aim_is_judged(value, sense, reached):
    """A floor or a ceiling; the limit itself is reached."""
    assert reached is Aim(value=value, limit=2, sense=sense).reached


def test_a_value_that_is_no_number_reaches_nothing():
    """Neither a floor nor a ceiling."""
    assert [False, False] == [Aim(value=math.nan, limit=2, sense=s).reached for s in ("≥", "≤")]


def test_markdown_says_which_rows_are_short_of_their_aims():
    """A column of verdicts, empty for rows without aims; the note stands below."""
    sheet = Sheet(
        headings=("net", "ratio"),
        rows=(
            ("A", Aim(value=3.14159, limit=3, sense="≥")),
            ("B", Aim(value=2.5, limit=3, sense="≥", unit=" s")),
            ("C", "1"),
        ),
        note="Notes.",
    )
    lines = sheet.as_markdown().splitlines()
    assert "| net | ratio | reached |" == lines[0]
    assert ["| A | 3.14 (≥ 3) | yes |", "| B | 2.5 s (≥ 3) | NO |", "| C | 1 |  |"] == lines[2:5]
    assert "Notes." == lines[-1]
    assert not sheet.reached


def test_table_without_aims_has_no_verdicts():
    """And nothing in it is missed."""
    sheet = Sheet(headings=("net", "ratio"), rows=(("A", "1"),))
    assert [["net", "ratio"], ["A", "1"]] == list(sheet.lines())
    assert sheet.reached


@pytest.mark.parametrize(("value", "status", "verdict"), [(2.5, 0, "yes"), (1.5, 1, "NO")])
def test_status_is_1_where_an_aim_is_missed(capsys, value, status, verdict):
    """The table says so too, and below it stands the machine."""
    assert status == benchmark(value).main(["--short"])
    printed = capsys.readouterr().out
    assert verdict in printed
    assert "commit 0123456789ab" in printed


def test_json_holds_what_was_measured_and_nothing_derived(tmp_path, facts):
    """The benchmark's name, the form, the machine's facts and the rows."""
    file = tmp_path / "x.json"
    benchmark(1.5).main(["--json", str(file)])
    expected = {
        "benchmark": "x",
        "form": "long",
        "machine": facts,
        "rows": [{"net": "A", "ratio": 1.5}],
    }
    assert expected == json.loads(file.read_text())


@pytest.mark.parametrize(
    ("arguments", "short", "seconds", "nets"),
    [
        ([], False, 60, ("A", "B")),
        (["--short"], True, 10, ("A", "B")),
        (["--seconds", "0.5", "--nets", "B"], False, 0.5, ("B",)),
    ],
)
def test_options_reach_the_measurement(arguments, short, seconds, nets):
    """The form sets the budget, unless seconds do; nets are all of them or the chosen ones."""
    asked = []
    benchmark(2, asked).main(arguments)
    (options,) = asked
    assert (short, seconds, nets) == (options.short, options.budget.seconds, options.nets)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--nets", "C"], "invalid choice: 'C'"), (["--json", "nowhere/x.json"], "is no directory")],
)
def test_wrong_options_end_before_anything_is_measured(capsys, arguments, said):
    """Exit status 2, and one line that says what is wrong."""
    asked = []
    with pytest.raises(SystemExit) as ended:
        benchmark(2, asked).main(arguments)
    assert 2 == ended.value.code
    assert said in capsys.readouterr().err
    assert [] == asked


@pytest.mark.parametrize(("seconds", "shown"), [(0.1, "1,280"), (2, "64"), (13, "9.85")])
def test_rates_keep_three_digits(seconds, shown):
    """128 images in so many seconds."""
    assert shown == images_per_second(128, seconds)
