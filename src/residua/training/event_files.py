"""Metrics as event files, which TensorBoard draws; the one module that imports it."""

from __future__ import annotations

import time
from types import TracebackType

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue] - made on import
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue] - likewise
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from residua.runs.records import Metrics, RunDirectory
from residua.training.progress import Watcher

TAGS = {
    "train_loss": "loss/train",
    "val_loss": "loss/val",
    "train_error": "error/train",
    "val_error": "error/val",
    "lr": "lr",
    "images_per_second": "images_per_second",
}


class Events(Watcher):
    """Puts every epoch of a run once into event files in its directory, and passes all on.

    What an earlier process put there stays; epochs that no file has, such as those from before
    there were files, are put down first.
    """

    def __init__(self, directory: RunDirectory, shown: Watcher) -> None:
        self._directory = directory
        self._place = directory.path / "tensorboard"
        self._shown = shown
        self._steps: set[int] = set()
        self._writer: EventFileWriter | None = None

    def __enter__(self) -> Events:  # noqa: PYI034 - the type checker of the tests cannot read Self
        for file in self._place.glob("events.out.tfevents.*"):
            self._steps |= {event.step for event in LegacyEventFileLoader(str(file)).Load()}
        for epoch in self._directory.metrics():
            self._put(Metrics(**epoch))
        self._shown.__enter__()  # last: whatever fails before leaves the terminal as it is
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer:
            self._writer.close()
        self._shown.__exit__(kind, value, traceback)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._shown.say(message)

    def warn(self, message: str) -> None:
        """Pass it on."""
        self._shown.warn(message)

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Pass it on."""
        self._shown.start(step=step, num_steps=num_steps, steps_per_epoch=steps_per_epoch)

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """Pass it on."""
        self._shown.step(step, train_error=train_error, images_per_second=images_per_second)

    def epoch(self, metrics: Metrics) -> None:
        """Put the epoch's figures down, and pass them on."""
        self._put(metrics)
        self._shown.epoch(metrics)

    def _put(self, metrics: Metrics) -> None:
        # An epoch whose checkpoint was lost is trained again, to the same figures.
        if metrics.step in self._steps:
            return
        self._steps.add(metrics.step)
        self._writer = self._writer or EventFileWriter(str(self._place))
        values = {tag: getattr(metrics, name) for name, tag in TAGS.items()}
        summary = Summary(
            value=[
                Summary.Value(tag=tag, simple_value=value)
                for tag, value in values.items()
                if value is not None
            ]
        )
        event = Event(wall_time=time.time(), step=metrics.step, summary=summary)
        self._writer.add_event(event)
        self._writer.flush()
