"""Event files: every epoch once, whatever became of the process that wrote them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from residua.data.sets import DataSet
from residua.errors import RunError
from residua.runs.config import Run
from residua.runs.records import Metrics, RunDirectory
from residua.training.event_files import Events
from residua.training.loop import Fit
from residua.training.progress import Watcher
from residua.training.train import train

TAGS = {"loss/train", "loss/val", "error/train", "error/val", "lr", "images_per_second"}


class Heard(Watcher):
    """Keeps what it is told."""

    def __init__(self, last: int = -1) -> None:
        self.last = last
        self.told: list[object] = []

    def say(self, message: str) -> None:
        """Keep a message."""
        self.told.append(message)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.told.append(f"warning: {message}")

    def start(self, *, step: int, num_steps: int, steps_per_epoch: int) -> None:
        """Keep the numbers."""
        self.told.append((step, num_steps, steps_per_epoch))

    def step(self, step: int, *, train_error: float, images_per_second: float) -> None:
        """Keep the numbers, or stop."""
        self.told.append((step, train_error, images_per_second))
        if step == self.last:
            raise KeyboardInterrupt

    def epoch(self, metrics: Metrics) -> None:
        """Keep the epoch."""
        self.told.append(metrics)


def metrics(epoch: int, *, val: float | None = 50.0) -> Metrics:
    """Return an epoch of ten steps."""
    return Metrics(
        epoch=epoch,
        step=10 * epoch,
        lr=0.1,
        train_loss=2.0 / epoch,
        train_error=80.0,
        val_error=val,
        val_loss=val,
        seconds=1.0,
        images_per_second=100.0,
    )


def scalars(directory: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard's own reader finds, nothing purged: steps and values by tag.

    In the order of steps: files of one second are read in that of their names, "10" before "9".
    """
    found = EventAccumulator(str(directory.path / "tensorboard"), purge_orphaned_data=False)
    found.Reload()
    return {
        tag: sorted((event.step, event.value) for event in found.Scalars(tag))
        for tag in found.Tags()["scalars"]
    }


@pytest.fixture
def place(tmp_path: Path) -> RunDirectory:
    """A run's directory."""
    return RunDirectory(tmp_path)


def test_epochs_are_put_down_by_step(place: RunDirectory):
    """Loss, error, learning rate and speed; what was not measured is left out."""
    with Events(place, Watcher()) as events:
        events.epoch(metrics(1))
        events.epoch(metrics(2, val=None))
    found = scalars(place)
    assert TAGS == found.keys()
    assert [(10, 2.0), (20, 1.0)] == found["loss/train"]
    assert [(10, 50.0)] == found["error/val"] == found["loss/val"]
    assert [(10, 100.0), (20, 100.0)] == found["images_per_second"]
    assert [10, 20] == [step for step, _ in found["lr"]]


def test_what_fails_leaves_the_terminal_alone(place: RunDirectory):
    """Who shows the run is entered when nothing of before can fail any more."""
    (place.path / "metrics.jsonl").write_text("damaged\n")
    entered: list[str] = []

    class Shown(Watcher):
        def __enter__(self) -> Watcher:
            entered.append("the cursor is gone")
            return self

    with pytest.raises(RunError, match="damaged"), Events(place, Shown()):
        pass
    assert [] == entered


def test_all_is_passed_on(place: RunDirectory):
    """Who else watches is told everything."""
    heard = Heard()
    with Events(place, heard) as events:
        events.say("hello")
        events.warn("careful")
        events.start(step=0, num_steps=4, steps_per_epoch=2)
        events.step(1, train_error=1.0, images_per_second=2.0)
        events.epoch(metrics(1))
    assert ["hello", "warning: careful", (0, 4, 2), (1, 1.0, 2.0), metrics(1)] == heard.told


@pytest.mark.parametrize("cut", [0, 3])
def test_epochs_are_put_down_once(place: RunDirectory, cut: int):
    """One that is trained again, as its checkpoint was lost, is there already if it is whole."""
    with Events(place, Watcher()) as events:
        events.epoch(metrics(1))
        events.epoch(metrics(2))
    (file,) = (place.path / "tensorboard").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) - cut])

    with Events(place, Watcher()) as events:
        events.epoch(metrics(2))
        events.epoch(metrics(3))

    assert [10, 20, 30] == [step for step, _ in scalars(place)["loss/train"]]


def test_epochs_of_before_are_put_down_first(place: RunDirectory):
    """A run that goes on, or has finished, without event files gets them from its metrics."""
    place.write_metrics([{**_asdict(metrics(epoch))} for epoch in (1, 2)])
    with Events(place, Watcher()):
        pass
    with Events(place, Watcher()) as events:
        events.epoch(metrics(3))
    assert [10, 20, 30] == [step for step, _ in scalars(place)["loss/train"]]


def test_nothing_to_put_down_leaves_nothing(place: RunDirectory):
    """Without an epoch there is no file."""
    with Events(place, Watcher()):
        pass
    assert not list(place.path.iterdir())


def _asdict(metrics: Metrics) -> dict:
    return {name: getattr(metrics, name) for name in Metrics.__dataclass_fields__}


def test_an_interrupted_run_has_every_epoch_once(
    make_run: Callable[..., Run],
    start: Callable[..., Fit],
    directory: Callable[..., RunDirectory],
    data: DataSet,
):
    """Stopped in its second epoch and gone on with, it has the values of its metrics."""
    run = make_run()
    place = directory(run)
    with pytest.raises(KeyboardInterrupt), Events(place, Heard(last=5)) as events:
        train(start(run), data, place, events)
    with Events(place, Watcher()) as events:
        train(start(run), data, place, events)

    epochs, found = place.metrics(), scalars(place)
    assert [(3, 6)] == [tuple(epoch["step"] for epoch in epochs)]
    for tag, name in (("loss/train", "train_loss"), ("error/val", "val_error")):
        assert [(epoch["step"], pytest.approx(epoch[name])) for epoch in epochs] == found[tag]
