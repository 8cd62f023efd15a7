"""Faults of runs, as the command tells them; what was whole before stays whole."""

import ctypes
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from residua.runs.records import RunDirectory
from residua.training import loop

Residua = Callable[..., Any]
Files = Callable[[Path], dict[str, bytes]]
fault = pytest.mark.fault

BEGUN = {"run.json", "env.json", ".lock"}
DIVERGING = ("--set", "recipe.schedule.at=[1]", "--set", "recipe.schedule.factor=1e30")
# The command under a limit of memory above what it has come to need so far.
SHORT_OF_MEMORY = """
import re, resource, sys
from residua.cli import main
import residua.training.train
size = re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())
limit = int(size[1]) * 1024 + 100 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
main()
"""


@pytest.fixture
def interrupted(train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run that was stopped in its second epoch."""
    step = loop.train_step

    def stop(state: loop.Fit, lr: float) -> None:
        if state.step == 3:
            raise KeyboardInterrupt
        step(state, lr)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_step", stop)
        assert 130 == train("--epochs", "2", "--out", tmp_path / "run").status
    return tmp_path / "run"


@fault("disk full")
def test_a_full_disk_keeps_the_last_checkpoint(
    train: Residua,
    refused: Callable[..., None],
    interrupted: Path,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
):
    """The file and the system's reason are told; the run then goes on from what was whole."""
    before, open_ = files(interrupted), Path.open

    def onto_a_full_disk(self: Path, *how: Any, **more: Any) -> object:
        return open_(Path("/dev/full") if "checkpoint" in self.name else self, *how, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", onto_a_full_disk)
        outcome = train("--epochs", "2", "--out", interrupted, "--resume")

    refused(outcome, f"{interrupted}/checkpoint.pt", "No space left on device", "--resume")
    after = files(interrupted)
    assert before == after | {"metrics.jsonl": before["metrics.jsonl"]}
    assert 0 == train("--epochs", "2", "--out", interrupted, "--resume").status


@fault("disk full: a tmpfs of 256 kB")
@pytest.mark.slow
def test_a_full_tmpfs_keeps_what_was_there(tmp_path: Path, record_property):
    """On a disk that really is too small nothing half-written is left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=256k none {disk}"
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, mount], check=False).returncode:
        pytest.skip("this system lets nobody mount a tmpfs of his own")
    train = f"{sys.executable} -m residua train cifar/resnet-8 --data synthetic --epochs 1"
    script = f"{mount} && {train} --out {disk}/run; echo $?; ls -A {disk}/run"
    ran = subprocess.run([*unshare, script], capture_output=True, text=True, check=False)
    message = ran.stderr[ran.stderr.rfind("residua: ") :]
    record_property("message", message)
    assert message.startswith(f"residua: {disk}/run/checkpoint.pt.new: No space left on device\n")
    assert ["1", *sorted(BEGUN | {"metrics.jsonl"})] == ran.stdout.split()


@fault("limit on the size of files")
def test_a_limit_of_file_size_is_told(
    train: Residua, refused: Callable[..., None], tmp_path: Path, files: Files
):
    """A quota, as a scheduler sets it: the file and the system's reason are told."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        outcome = train("--out", tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    refused(outcome, f"{tmp_path}/run/checkpoint.pt", "File too large")
    assert BEGUN | {"metrics.jsonl"} == files(tmp_path / "run").keys()


@pytest.fixture
def without_privileges() -> Iterator[None]:
    """Root, too, may not write where he has no permission, until the test ends."""
    if os.geteuid():
        yield
        return
    libc, header = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0)
    held = (ctypes.c_uint32 * 6)()
    libc.capget(header, held)
    dropped = (ctypes.c_uint32 * 6)(*held)
    dropped[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of the effective ones
    assert 0 == libc.capset(header, dropped)
    yield
    libc.capset(header, held)


@fault("read-only directory")
@pytest.mark.usefixtures("without_privileges")
def test_a_new_run_in_a_read_only_directory_is_refused(
    train: Residua, refused: Callable[..., None], tmp_path: Path
):
    """Before a step is trained, with the place and what to do."""
    tmp_path.chmod(0o500)
    outcome = train("--out", tmp_path / "run")
    tmp_path.chmod(0o700)
    refused(outcome, f"cannot write to {tmp_path}/run: Permission denied", "another --out")
    assert [] == list(tmp_path.iterdir())


@fault("read-only directory of a run")
@pytest.mark.usefixtures("without_privileges")
def test_an_old_run_in_a_read_only_directory_is_refused(
    train: Residua, refused: Callable[..., None], interrupted: Path, files: Files
):
    """Nothing of it is touched."""
    (interrupted / ".lock").unlink()
    before = files(interrupted)
    interrupted.chmod(0o500)
    outcome = train("--epochs", "2", "--out", interrupted, "--resume")
    interrupted.chmod(0o700)
    refused(outcome, f"cannot write to {interrupted}: Permission denied", "another --out")
    assert before == files(interrupted)


@fault("non-finite loss")
def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(
    train: Residua, refused: Callable[..., None], tmp_path: Path, files: Files
):
    """Step and learning rate are told; the epoch before is there, its weights finite."""
    outcome = train(*DIVERGING, "--epochs", "2", "--out", tmp_path)
    refused(outcome, "step 3 with learning rate 1e+29", "--set recipe.optim.lr")
    assert BEGUN | {"metrics.jsonl", "checkpoint.pt"} == files(tmp_path).keys()
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert 2 == kept["step"]
    assert all(tensor.isfinite().all() for tensor in kept["net"].values())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …\n"),
            marks=fault("out of memory: GPU"),
        ),
        pytest.param(
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 2000000000 bytes. Error code 12"
            ),
            marks=fault("out of memory: CPU"),
        ),
        pytest.param(MemoryError(), marks=fault("out of memory: Python")),
    ],
    ids=["GPU", "CPU", "Python"],
)
def test_too_little_memory_is_told(
    train: Residua,
    refused: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
):
    """The message says what to lower."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "train_step", fail)
    outcome = train("--out", tmp_path / "run")
    refused(outcome, "out of memory", "lower recipe.batch_size")
    assert "enforce" not in outcome.err


@fault("out of memory: a limit of 100 MB")
@pytest.mark.slow
def test_a_real_lack_of_memory_is_told(tmp_path: Path, record_property, files: Files):
    """As torch tells it today."""
    how = ("--data", "synthetic", "--epochs", "1", "--set", "recipe.batch_size=512")
    command = [sys.executable, "-c", SHORT_OF_MEMORY, "train", "cifar/resnet-8", *how]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*command, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    message = ran.stderr[ran.stderr.rfind("residua: ") :]
    record_property("message", message)
    assert 1 == ran.returncode
    assert re.fullmatch(r"residua: out of memory \(.*\)\nlower recipe\.batch_size .*\n", message)
    assert BEGUN == files(tmp_path).keys()


@fault("clock going backwards")
def test_a_clock_that_goes_backwards_is_not_looked_at(
    train: Residua, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property
):
    """Times are still positive, for they come of a clock that cannot be set."""
    seconds = itertools.count(2_000_000_000, -3_600)
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    monkeypatch.setattr(time, "time_ns", lambda: next(seconds) * 10**9)
    outcome = train("--out", tmp_path, "--json")
    record_property("message", "")
    assert 0 == outcome.status, outcome.err
    record = json.loads(outcome.out)
    assert 0 < record["train_seconds"] < 60
    assert 0 < record["images_per_second"]


@fault("two processes on one run")
def test_a_second_process_is_refused(
    train: Residua, refused: Callable[..., None], interrupted: Path, files: Files
):
    """It is told who is there, and leaves all as it is."""
    with RunDirectory(interrupted).locked():
        before = files(interrupted)
        outcome = train("--epochs", "2", "--out", interrupted, "--resume")
        assert before == files(interrupted)
    refused(
        outcome, f"{interrupted} is in use by process {os.getpid()} on ", "choose another --out"
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"net": "cifar/resnet-14"}, marks=fault("checkpoint of another net")),
        pytest.param({"recipe": "he2015"}, marks=fault("checkpoint of another recipe")),
    ],
    ids=["net", "recipe"],
)
def test_a_checkpoint_of_another_run_is_refused(
    train: Residua,
    refused: Callable[..., None],
    interrupted: Path,
    tmp_path: Path,
    other: dict[str, str],
):
    """A file that was put there is not gone on from."""
    net = other.get("net", "cifar/resnet-8")
    recipe = ("--recipe", other["recipe"]) if "recipe" in other else ()
    assert 0 == train(*recipe, "--out", tmp_path / "other", net=net).status
    shutil.copy(tmp_path / "other" / "checkpoint.pt", interrupted)
    outcome = train("--epochs", "2", "--out", interrupted, "--resume")
    refused(outcome, "checkpoint.pt belongs to another run", "new --out")
    assert not (interrupted / "record.json").exists()


@fault("checkpoint whose tensors are another net's")
def test_a_checkpoint_of_other_tensors_is_refused(
    train: Residua, refused: Callable[..., None], interrupted: Path
):
    """Also where it says that it is this run's."""
    state = torch.load(interrupted / "checkpoint.pt", weights_only=True)
    state["net"]["stem.conv1.weight"] = torch.zeros(7, 3, 3, 3)
    torch.save(state, interrupted / "checkpoint.pt")
    outcome = train("--epochs", "2", "--out", interrupted, "--resume")
    refused(outcome, "checkpoint.pt does not fit this run", "size mismatch", "new --out")


class Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask for the directory."""
        return os.mkdir, (str(self.target),)


@fault("hostile pickle in a checkpoint")
def test_a_hostile_checkpoint_is_not_executed(
    train: Residua,
    refused: Callable[..., None],
    interrupted: Path,
    tmp_path: Path,
    record_property,
):
    """It is passed over like any damaged one; here there is none before it."""
    file = interrupted / "checkpoint.pt"
    torch.save({"key": Hostile(tmp_path / "made")}, file)
    outcome = train("--epochs", "2", "--out", interrupted, "--resume")
    refused(outcome, "no checkpoint", "is whole", "new --out")
    assert f"{file} is damaged (it holds posix.mkdir, and making that could run" in outcome.err
    record_property("message", outcome.err.partition("\n")[2])
    assert not (tmp_path / "made").exists()
    torch.load(file, weights_only=False)  # what it would have done
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=fault(f"truncated {name}")) for name in ("run.json", "record.json")],
)
def test_a_truncated_file_of_a_run_is_named(
    train: Residua,
    refused: Callable[..., None],
    finished: Path,
    tmp_path: Path,
    name: str,
):
    """A run whose own files are damaged is neither shown nor gone on with."""
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / name).write_bytes((out / name).read_bytes()[:-20])
    outcome = train("--out", out)
    refused(outcome, f"{out / name} is damaged", "new --out")


@fault("unknown recipe key")
def test_an_unknown_key_is_refused(train: Residua, refused: Callable[..., None], tmp_path: Path):
    """With the nearest that there are."""
    outcome = train("--set", "recipe.optim.learning_rate=1", "--out", tmp_path / "run")
    refused(outcome, "'recipe.optim.learning_rate'", "nearest: ", status=2)
    assert not (tmp_path / "run").exists()


@fault("unknown recipe key in run.json")
def test_an_unknown_key_of_a_file_is_refused(
    train: Residua, refused: Callable[..., None], interrupted: Path
):
    """A file of another version of ours is not half understood."""
    file = interrupted / "run.json"
    content = json.loads(file.read_bytes())
    content["recipe"]["optim"]["amsgrad"] = True
    file.write_text(json.dumps(content))
    outcome = train("--epochs", "2", "--out", interrupted, "--resume")
    refused(outcome, f"{file} is damaged", "amsgrad")


def test_curves_that_a_killed_process_did_not_come_to_are_drawn(
    train: Residua, finished: Path, tmp_path: Path, files: Files
):
    """A run whose record is there is finished but for them."""
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "curves.png").unlink()
    assert 0 == train("--out", out).status
    assert files(finished).keys() == files(out).keys()
