"""Progress: what is said, and that it is said on standard error."""

import io
import re
import sys
import time

import pytest
from rich.console import Console

from residua.runs.records import Metrics
from residua.training import progress
from residua.training.progress import Bar, Lines, Quiet, Watcher, watcher

METRICS = Metrics(
    epoch=2,
    step=20,
    lr=0.01,
    train_loss=1.23456,
    train_error=45.678,
    val_error=43.21,
    val_loss=1.1,
    seconds=2.5,
    images_per_second=512.4,
)
EPOCH = "epoch 2/4  lr 0.01  loss 1.2346  train error 45.68 %  val error 43.21 %  512 images/s"


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that progress reads."""
    turned = Clock()
    monkeypatch.setattr(time, "monotonic", turned)
    return turned


def test_an_epoch_is_a_line_with_the_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]):
    """Ten more steps in 50 s leave 20 steps for 100 s; nothing goes to standard output."""
    lines = Lines()
    lines.start(step=10, num_steps=40, steps_per_epoch=10)
    clock.now += 50
    lines.epoch(METRICS)
    out, err = capsys.readouterr()
    assert "" == out
    assert f"{EPOCH}  1 min 40 s left\n" == err


def test_an_epoch_without_validation_says_nothing_of_it(capsys: pytest.CaptureFixture[str]):
    """A run with no validation images has no validation error."""
    lines = Lines()
    lines.start(step=0, num_steps=40, steps_per_epoch=10)
    lines.epoch(Metrics(**{**_asdict(METRICS), "val_error": None, "val_loss": None}))
    err = capsys.readouterr().err
    assert "train error 45.68 %  512 images/s" in err
    assert "val" not in err


def _asdict(metrics: Metrics) -> dict:
    return {name: getattr(metrics, name) for name in Metrics.__dataclass_fields__}


def test_a_long_epoch_has_a_line_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]):
    """One step a second: a line at 60 s and at 120 s, and an epoch's line starts a new minute."""
    lines = Lines()
    lines.start(step=0, num_steps=1000, steps_per_epoch=500)
    for step in range(1, 151):
        clock.now += 1
        lines.step(step, train_error=50.0, images_per_second=128.0)
    err = capsys.readouterr().err.splitlines()
    expected = [
        "step 60/1000  train error 50.00 %  128 images/s  15 min 40 s left",
        "step 120/1000  train error 50.00 %  128 images/s  14 min 40 s left",
    ]
    assert expected == err

    lines.epoch(METRICS)
    clock.now += 59
    lines.step(209, train_error=50.0, images_per_second=128.0)
    assert 1 == len(capsys.readouterr().err.splitlines())


def test_lines_say_what_is_said(capsys: pytest.CaptureFixture[str]):
    """A message is a line on standard error."""
    with Lines() as lines:
        lines.say("going on from step 3 [of 4]")
    assert ("", "going on from step 3 [of 4]\n") == capsys.readouterr()


def test_the_bar_shows_error_speed_and_time_left():
    """Steps move the bar; epochs and messages stand above it as they were written."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=120, color_system=None)
    with Bar(console) as bar:
        bar.start(step=10, num_steps=40, steps_per_epoch=10)
        bar.step(20, train_error=45.678, images_per_second=512.4)
        bar.epoch(METRICS)
        bar.say("a [bold]message[/bold] of 3 words")
    shown = terminal.getvalue()
    assert EPOCH in shown
    assert "a [bold]message[/bold] of 3 words" in shown
    last = re.findall(r"training .*", shown)[-1]
    assert "50%" in last
    assert "train error 45.68 %" in last
    assert "512 images/s" in last
    assert re.search(r"-:--:--|\d:\d\d:\d\d", last)


def test_plain_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch):
    """A pipe gets no bar."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(watcher(), Lines)


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A terminal gets a bar, drawn on standard error alone."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with watcher() as watch:
        assert isinstance(watch, Bar)
        watch.start(step=0, num_steps=4, steps_per_epoch=2)
        watch.say("hello")
    assert "hello" in terminal.getvalue()
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_watcher_warns_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
):
    """No steps, epochs or notes are shown, on a terminal or elsewhere; warnings are."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with watcher(quiet=True) as watch:
        assert isinstance(watch, Quiet)
        watch.say("going on from step 3")
        watch.start(step=0, num_steps=4, steps_per_epoch=2)
        watch.step(1, train_error=1.0, images_per_second=1.0)
        watch.epoch(METRICS)
        assert ("", "") == capsys.readouterr()
        watch.warn("the checkpoint is damaged")
    assert ("", "the checkpoint is damaged\n") == capsys.readouterr()


def test_others_show_warnings_among_the_rest(capsys: pytest.CaptureFixture[str]):
    """A warning is a line like others."""
    Lines().warn("the checkpoint is damaged")
    assert ("", "the checkpoint is damaged\n") == capsys.readouterr()


def test_the_plain_watcher_is_silent(capsys: pytest.CaptureFixture[str]):
    """Code that trains without a person looking passes this one."""
    with Watcher() as silent:
        silent.say("hello")
        silent.start(step=0, num_steps=4, steps_per_epoch=2)
        silent.step(1, train_error=1.0, images_per_second=1.0)
        silent.epoch(METRICS)
    assert ("", "") == capsys.readouterr()
    assert isinstance(silent, progress.Watcher)
