"""What a person sees while a run goes on, always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from residua.runs.records import Metrics


class Watcher:
    """Is told of a run's steps and epochs, and shows nothing of them."""

    def __enter__(self) -> Watcher:  # noqa: PYI034 - the type checker of the tests cannot read Self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def say(self, message: str) -> None:
        """Something worth a line."""

    def warn(self, message: str) -> None:
        """Something that went wrong and was made good."""
        self.say(message)

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Training goes on from ``step``."""

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """``step`` steps are done; the rest is the running epoch's."""

    def epoch(self, metrics: Metrics) -> None:
        """An epoch is done."""


class Quiet(Watcher):
    """A line for each warning and for nothing else."""

    def warn(self, message: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


class Lines(Watcher):
    """A plain line per epoch, and one a minute within long epochs: for logs and pipes."""

    EVERY_S = 60

    def __init__(self) -> None:
        self._num_steps = 0
        self._epochs = 0.0
        self._started = (0, 0.0)
        self._last_s = 0.0

    def say(self, message: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Remember how much there is to do."""
        self._num_steps = num_steps
        self._epochs = num_steps / steps_per_epoch
        self._last_s = time.monotonic()
        self._started = (step, self._last_s)

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """Print a line when the last one is a minute old."""
        now = time.monotonic()
        if now - self._last_s < self.EVERY_S:
            return
        self._last_s = now
        self.say(
            f"step {step}/{self._num_steps}  train error {train_error:.2f} %  "
            f"{images_per_second:.0f} images/s  {self._left(step, now)} left"
        )

    def epoch(self, metrics: Metrics) -> None:
        """Print the epoch's figures."""
        self._last_s = time.monotonic()
        left = self._left(metrics.step, self._last_s)
        self.say(f"{_epoch_line(metrics, self._epochs)}  {left} left")

    def _left(self, step: int, now: float) -> str:
        first, started_s = self._started
        seconds = (now - started_s) / max(1, step - first) * (self._num_steps - step)
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


class Bar(Watcher):
    """A progress bar with error, images/s and time left, and a line per finished epoch."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("train error {task.fields[error]:5.2f} %  {task.fields[rate]:.0f} images/s"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=None, error=float("nan"), rate=0)
        self._epochs = 0.0

    def __enter__(self) -> Bar:  # noqa: PYI034 - the type checker of the tests cannot read Self
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(message, highlight=False, markup=False)

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Set the bar's length."""
        self._epochs = num_steps / steps_per_epoch
        self._bar.update(self._task, total=num_steps, completed=step)

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step, error=train_error, rate=images_per_second)

    def epoch(self, metrics: Metrics) -> None:
        """Print the epoch's figures above the bar."""
        self.say(_epoch_line(metrics, self._epochs))


def watcher(*, quiet: bool = False) -> Watcher:
    """A bar on a terminal, plain lines elsewhere, or warnings alone."""
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines()


def _epoch_line(metrics: Metrics, epochs: float) -> str:
    val = "" if metrics.val_error is None else f"  val error {metrics.val_error:.2f} %"
    return (
        f"epoch {metrics.epoch}/{epochs:g}  lr {metrics.lr:.4g}  loss {metrics.train_loss:.4f}  "
        f"train error {metrics.train_error:.2f} %{val}  {metrics.images_per_second:.0f} images/s"
    )
