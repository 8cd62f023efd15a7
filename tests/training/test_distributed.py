"""Several ranks: their parts of a batch, how they are started, watched and ended."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from residua.data.sets import DataSet
from residua.errors import RunError, UsageError
from residua.runs.config import Run
from residua.runs.records import RunDirectory
from residua.training import launch
from residua.training.launch import LOST, run_ranks, world_size
from residua.training.loop import Fit, train_step
from residua.training.progress import Watcher
from residua.training.ranks import ALONE, Ranks
from residua.training.runtime import Runtime, start
from residua.training.train import entered, prepare, train

MakeRun = Callable[..., Run]


class Apart(Ranks):
    """Ranks that are told apart but never hear of each other."""

    def _reduce(self, tensor: Tensor, *_: object) -> Tensor:
        return tensor

    def gathered(self, tensor: Tensor, *, size: int) -> Tensor:
        """Take one's own for everybody's."""
        return tensor.expand(size, *tensor.shape)


def test_one_process_is_all_there_is():
    """Alone, a rank has the whole batch, and what is done in common is done."""
    net = nn.Linear(2, 1)
    net(torch.ones(1, 2)).backward()
    gradient = net.weight.grad
    ALONE.average(net)
    ALONE.wait()
    with ALONE.in_turn():
        pass
    assert (True, slice(0, 8)) == (ALONE.first, ALONE.part(8))
    assert [1.5, 2] == ALONE.sums(1.5, 2)
    assert [15, 0] == [ALONE.agreed(15), ALONE.agreed(None)]
    assert gradient is net.weight.grad


def test_parts_are_the_whole_in_order():
    """Each image is in one rank's part."""
    parts = [list(range(24))[Ranks(rank=rank, count=3).part(24)] for rank in range(3)]
    assert list(range(24)) == [image for part in parts for image in part]
    assert {8} == {len(part) for part in parts}


MIXED = ("recipe.augment.cutmix=1.0", "recipe.augment.cutout=6")
BLENDED = ("recipe.augment.mixup=0.5", "recipe.augment.flip=alternating")


@pytest.mark.parametrize("settings", [(), MIXED, BLENDED], ids=["plain", "cutmix", "mixup"])
@pytest.mark.parametrize("count", [2, 4])
def test_batches_are_the_same_for_any_number_of_ranks(
    make_run: MakeRun, data: DataSet, count: int, settings: tuple[str, ...]
):
    """What the ranks' nets see, one after the other, is what one net sees, for two epochs."""
    run = make_run(*settings)

    def seen(ranks: Ranks) -> list[Tensor]:
        state = prepare(run, data, Runtime(device=torch.device("cpu"), ranks=ranks))
        batches: list[Tensor] = []
        state.net.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].clone()))
        for _ in range(6):
            train_step(state, 0.0)
            state.step += 1
        return batches

    whole = seen(ALONE)
    parts = [seen(Apart(rank=rank, count=count)) for rank in range(count)]
    for step, batch in enumerate(whole):
        assert batch.equal(torch.cat([part[step] for part in parts]))


def test_only_the_first_rank_touches_the_directory(
    make_run: MakeRun, data: DataSet, tmp_path: Path
):
    """The others write no file at all, and say nothing."""
    run = make_run(epochs=1 / 3)
    runtime = Runtime(device=torch.device("cpu"), ranks=Apart(rank=1, count=2))
    before = set(tmp_path.iterdir())
    with entered(tmp_path, run, runtime, resume=False) as (place, watch):
        assert type(watch) is Watcher
        record = train(prepare(run, data, runtime), data, place, watch)
    assert (2, 32) == (record.devices, record.bn_group)
    assert record.device.startswith("2 × ")
    assert before == set(tmp_path.iterdir())


def test_ranks_that_find_different_checkpoints_do_not_go_on(
    make_run: MakeRun, start: Callable[..., Fit], data: DataSet, tmp_path: Path
):
    """A directory that only some can read would otherwise spoil the run unseen."""

    class Astray(Apart):
        def sums(self, *values: float) -> list[float]:
            return [2 * value + 3 for value in values]

    run = make_run()
    state = start(run, ranks=Astray(rank=1, count=2))
    with pytest.raises(RunError, match="do not find the same checkpoint"):
        train(state, data, RunDirectory(tmp_path), Watcher())


def tell(monkeypatch: pytest.MonkeyPatch, *, world_size: int) -> None:
    """Set what torchrun sets in the first of some processes here."""
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, f"{world_size}")


def test_a_process_by_itself_is_the_only_rank(monkeypatch: pytest.MonkeyPatch):
    """A world size without a rank is somebody else's variable."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert 1 == world_size()
    assert ALONE is start(1).ranks
    assert ALONE is start().ranks
    tell(monkeypatch, world_size=8)
    assert 8 == world_size()


@pytest.mark.parametrize("name", launch.TOLD)
@pytest.mark.parametrize("value", [None, "", "two"])
def test_a_rank_that_is_told_too_little_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
):
    """The variable is named."""
    tell(monkeypatch, world_size=2)
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=rf"LOCAL_RANK is set, but {name} is not"):
        world_size()


def test_devices_must_fit_the_launch(monkeypatch: pytest.MonkeyPatch):
    """Who starts two processes and asks for three devices is told both numbers."""
    tell(monkeypatch, world_size=2)
    with pytest.raises(UsageError, match="--devices 3 does not fit the 2 processes"):
        start(3)


def test_one_device_needs_no_processes(monkeypatch: pytest.MonkeyPatch):
    """The command goes on where it is, also as a rank that something else has started."""
    monkeypatch.setattr(launch, "run_ranks", lambda *_: pytest.fail("started ranks"))
    launch.split_up(None)
    launch.split_up(1)
    tell(monkeypatch, world_size=2)
    launch.split_up(2)


def test_several_devices_repeat_the_command(monkeypatch: pytest.MonkeyPatch):
    """The process becomes its ranks' watcher and ends as they do."""
    asked = []
    monkeypatch.setattr(launch, "run_ranks", lambda *what: asked.append(what) or 7)
    monkeypatch.setattr(sys, "argv", ["residua", "train", "NET", "--devices", "3"])
    with pytest.raises(SystemExit) as caught:
        launch.split_up(3)
    assert 7 == caught.value.code
    ((command, count),) = asked
    assert 3 == count
    assert ["-m", "residua", "train", "NET", "--devices", "3"] == command[-6:]


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A starter of ranks that run some lines of Python, and are soon given up."""
    monkeypatch.setattr(launch, "GRACE_S", 0.5)

    def run(code: str, num_ranks: int = 2) -> int:
        opening = "import os, signal, sys, time\nrank = int(os.environ['RANK'])\n"
        started_s = time.monotonic()
        status = run_ranks([sys.executable, "-c", opening + code], num_ranks)
        assert time.monotonic() - started_s < 15
        return status

    return run


def test_ranks_know_who_they_are(ranks: Callable[..., int], tmp_path: Path):
    """Each has its number, the number of all, and one place to meet."""
    code = """
names = ("LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
open(f"{PLACE}/{rank}", "w").write(" ".join(os.environ[name] for name in names))
"""
    assert 0 == ranks(code.replace("{PLACE}", str(tmp_path)), 3)
    told = [(tmp_path / str(rank)).read_text().split() for rank in range(3)]
    assert [[str(rank), "3", "3", "127.0.0.1"] for rank in range(3)] == [t[:4] for t in told]
    assert 1 == len({t[4] for t in told})


def test_only_rank_0_is_heard(ranks: Callable[..., int], capfd: pytest.CaptureFixture[str]):
    """What the others print is dropped as long as all is well."""
    assert 0 == ranks("print('out', rank, flush=True)\nsys.stderr.write(f'error {rank}\\n')")
    assert ("out 0\n", "error 0\n") == tuple(capfd.readouterr())


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("raise ValueError('no more ink')", "ended with status 1"),
        ("sys.stderr.write('residua: no more ink\\n'); sys.exit(1)", "ended with status 1"),
    ],
    ids=["killed", "exception", "error"],
)
@pytest.mark.parametrize("culprit", [0, 1])
def test_a_rank_that_dies_ends_all(
    ranks: Callable[..., int], capfd: pytest.CaptureFixture[str], culprit: int, deed: str, reason
):
    """Its rank and reason are told, and the sleeping ones are not waited for."""
    assert 1 == ranks(f"if rank == {culprit}: {deed}\ntime.sleep(60)", 3)
    told = capfd.readouterr().err
    assert told.endswith(f"residua: rank {culprit} {reason}, and the run with it\n")
    assert ("ink" in deed) == ("no more ink" in told)


def test_those_left_alone_are_not_blamed(
    ranks: Callable[..., int], capfd: pytest.CaptureFixture[str]
):
    """A rank that ended because it lost the others is not the one that failed."""
    code = f"if rank != 1: sys.exit({LOST})\ntime.sleep(0.3)\nsys.exit('a leak')"
    assert 1 == ranks(code)
    told = capfd.readouterr().err
    assert "a leak\nresidua: rank 1 ended with status 1" in told
    assert "rank 0" not in told


def test_when_all_are_left_alone_nobody_is_blamed(
    ranks: Callable[..., int], capfd: pytest.CaptureFixture[str]
):
    """The connection itself broke."""
    assert 1 == ranks(f"sys.exit({LOST})")
    assert "residua: the ranks lost touch with each other\n" == capfd.readouterr().err


def test_what_befalls_all_is_told_once(
    ranks: Callable[..., int], capfd: pytest.CaptureFixture[str]
):
    """Wrong usage is rank 0's to report, with its exit status, whoever is first."""
    code = "time.sleep(0.2 * (rank == 0))\nsys.stderr.write('residua: wrong\\n')\nsys.exit(2)"
    assert 2 == ranks(code)
    assert "residua: wrong\n" == capfd.readouterr().err


STOPPABLE = """
def stop(number, _):
    time.sleep(1.0 * (rank == 0))  # longer than a failed rank's others are given
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, stop)
open(f"{PLACE}/{rank}", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("handled", [True, False])
def test_a_signal_reaches_every_rank(
    ranks: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    number: signal.Signals,
    *,
    handled: bool,
):
    """All stop, as slowly as they need to; the exit status says by which signal."""

    def send() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    code = STOPPABLE.replace("{PLACE}", str(tmp_path))
    if not handled:
        code = code.replace("signal.signal(number, stop)", "signal.signal(number, signal.SIG_DFL)")
    assert 128 + number == ranks(code)
    sender.join()
    assert "" == capfd.readouterr().err


def test_a_rank_that_is_stopped_by_itself_stops_all(ranks: Callable[..., int]):
    """A signal to one rank is shared by all, who then end alike; so does the whole."""
    assert 143 == ranks("sys.exit(143)")
