"""Start-up: the table of given times, and the line that ends a first step."""

import pytest

from benchmarks import startup
from benchmarks.startup import TRAIN


def test_table_of_given_times(times):
    """A verb may take 0.4 s, training 6."""
    row = {"times": {"residua list": times(0.5), TRAIN: times(3)}}
    (sheet,) = startup.sheets({"rows": [row]})
    _, verb, training = sheet.lines()
    assert ["residua list", "0.5 (≤ 0.4)", "0.25–1.00", "3", "NO"] == verb
    assert [TRAIN, "3 (≤ 6)", "1.50–6.00", "3", "yes"] == training


def test_a_verb_that_fails_ends_the_benchmark():
    """A quick failure is no quick start."""
    with pytest.raises(startup.subprocess.CalledProcessError):
        startup.answer(("show", "--no-such-option"))()


def test_training_that_does_no_step_ends_the_benchmark(monkeypatch):
    """What the command said is passed on."""
    monkeypatch.setattr(startup, "ONE_STEP", ("--data", "synthetic", "--recipe", "no-such"))
    with pytest.raises(SystemExit, match=r"training did no step: .*no-such"):
        startup.first_step()


@pytest.mark.slow
def test_first_step_is_before_the_end():
    """The line of the first epoch is found, so seconds are measured."""
    assert 0 < startup.first_step() < 60
