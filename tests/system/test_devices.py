"""Several processes train as one does, also when one of them dies or others go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from residua.cli.command import cli
from residua.errors import RunError, Stopped
from residua.runs.records import RunDirectory
from residua.training import loop
from residua.training.launch import run_ranks

REPO = Path(__file__).parents[2]
TRAIN = (
    *("train", "cifar/resnet-8", "--data", "synthetic", "--recipe", "han2017", "--epochs", "4"),
    *("--set", "recipe.batch_size=32", "--set", "data.train_limit=96", "--json"),
    # At a larger rate float32's rounding grows within these 12 steps to more than we look for.
    *("--set", "recipe.optim.lr=0.001", "--resume"),
)
STEPS = 12
LOSSES = ("train_loss", "val_loss")

# The command, but in the fifth step one rank does something.
MISCHIEF = """
import os, signal, sys
from residua.cli import main
from residua.training import loop

step = loop.train_step

def train_step(state, lr):
    if state.step == 4 and state.runtime.ranks.rank == {rank}:
        {deed}
    step(state, lr)

loop.train_step = train_step
main()
"""
TERMINATE = "os.kill(os.getpid(), signal.SIGTERM)"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    """Two processes on two busy cores have no use for more."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def train(out: Path) -> None:
    """Train on one device, in this process."""
    cli.main([*TRAIN, "--out", str(out)], standalone_mode=False)


def start_two(out: Path) -> subprocess.CompletedProcess[str]:
    """Train on two devices, as people do."""
    command = [sys.executable, "-m", "residua", *TRAIN, "--devices", "2", "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def run_two(out: Path, *, rank: int, deed: str) -> int:
    """Train on two devices, one of which does something; return the exit status."""
    code = MISCHIEF.format(rank=rank, deed=deed)
    return run_ranks([sys.executable, "-c", code, *TRAIN, "--out", str(out)], 2)


def losses(out: Path) -> list[float]:
    """Return the losses of each epoch, in training and validation."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)[name] for line in lines for name in LOSSES]


def record(out: Path) -> dict:
    """Return the record of a finished run."""
    return json.loads((out / "record.json").read_bytes())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on one device, from beginning to end."""
    out = tmp_path_factory.mktemp("alone") / "run"
    train(out)
    return out


def compare(*cases: str, devices: int = 2) -> str:
    """Print the losses of some cases on one device and several; return what was printed."""
    script = str(REPO / "scripts" / "compare_devices.py")
    compared = subprocess.run(
        [sys.executable, script, *cases, f"--devices={devices}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (0, "") == (compared.returncode, compared.stderr), compared.stdout
    return compared.stdout


def test_two_processes_equal_one():
    """Over 20 steps at the papers' learning rates every loss agrees to one in a million."""
    nets = ("cifar/resnet-8", "cifar/preresnet-8", "cifar/sd-resnet-8")
    table = compare(*(f"{net},recipe.batch_size=16" for net in nets))
    rows = [line.split() for line in table.splitlines() if line.split()[0].isdigit()]
    assert list(range(1, 21)) * 3 == [int(row[0]) for row in rows]
    for _, one, two, difference in rows:
        assert float(one) == pytest.approx(float(two), rel=1e-6)
        assert float(difference) <= 1e-6
    assert float(rows[19][1]) < float(rows[0][1]) - 0.1


@pytest.mark.slow
def test_four_processes_equal_one_whatever_the_recipe():
    """Groups on a rank, over a rank and over several; dropout, mixtures, averages, Muon."""
    compare(
        "cifar/resnet-8,recipe.bn_group=4",
        "cifar/resnet-8,recipe.bn_group=8",
        "cifar/resnet-8,recipe.bn_group=16",
        "cifar/wrn-10-1-dropout",
        "cifar/densenet-7-4,recipe.augment.cutmix=1.0",
        "cifar/pyramidnet-8-a6,recipe.augment.mixup=0.5,recipe.augment.cutout=8",
        "cifar/sd-resnet-8,recipe.ema=0.9,recipe.label_smoothing=0.1",
        'cifar/resnet-8,recipe.optim={"kind": "muon"}',
        devices=4,
    )


def test_a_run_goes_on_with_fewer_devices(
    alone: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """A signal to one rank stops both after the same step, saved; one device ends the run."""
    out = tmp_path / "run"
    assert 143 == run_two(out, rank=1, deed=TERMINATE)
    told = capfd.readouterr().err
    assert 1 == told.count("residua: stopped at step 5 of 12: --resume goes on from there\n")
    assert 3 == losses(alone).index(losses(alone)[-1]) // 2 == len(losses(out)) + 1

    train(out)

    assert "going on from step 5" in capfd.readouterr().err
    assert losses(alone) == pytest.approx(losses(out), rel=1e-6)
    assert record(alone)["test_error"] == record(out)["test_error"]


def test_a_run_goes_on_with_more_devices(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two take over from one; only one of them prints and writes, and the record names both."""
    out = tmp_path / "run"
    step = loop.train_step

    def train_step(state: loop.Fit, lr: float) -> None:
        if state.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        step(state, lr)

    monkeypatch.setattr(loop, "train_step", train_step)
    with pytest.raises(Stopped, match="step 5 of 12"):
        train(out)

    done = start_two(out)

    assert 0 == done.returncode, done.stderr
    assert losses(alone) == pytest.approx(losses(out), rel=1e-6)
    assert record(out) == json.loads(done.stdout)
    assert (2, 32) == (record(out)["devices"], record(out)["bn_group"])
    assert (1, 32) == (record(alone)["devices"], record(alone)["bn_group"])
    assert record(out)["device"].startswith("2 × ")
    said = done.stderr.splitlines()
    assert "going on from step 5" == said[1]
    assert ["2/4", "3/4", "4/4"] == [line.split()[1] for line in said[2:]]
    assert {path.name for path in alone.iterdir()} == {path.name for path in out.iterdir()}


@pytest.mark.slow
def test_the_wrong_group_is_told_once(tmp_path: Path):
    """Every rank finds out, one says so."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "residua", *TRAIN, "--devices", "2", "--out", str(out)]
    refused = subprocess.run(
        [*command, "--set", "recipe.bn_group=12"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (2, "") == (refused.returncode, refused.stdout)
    (said,) = refused.stderr.splitlines()
    assert said.startswith("residua: recipe.bn_group 12 cannot be had with a batch of 32 on 2 dev")
    assert not out.exists()


DEEDS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "was killed by SIGKILL",
    "raise ValueError('no more ink')": "ended with status 1",
}


@pytest.mark.fault("killed or failing rank of several")
@pytest.mark.parametrize(
    ("rank", "deed"),
    [
        (1, "os.kill(os.getpid(), signal.SIGKILL)"),
        pytest.param(0, "os.kill(os.getpid(), signal.SIGKILL)", marks=pytest.mark.slow),
        pytest.param(0, "raise ValueError('no more ink')", marks=pytest.mark.slow),
        pytest.param(1, "raise ValueError('no more ink')", marks=pytest.mark.slow),
    ],
)
def test_a_rank_that_dies_ends_the_job(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], record_property, rank: int, deed: str
):
    """In the middle of training, within seconds, with its number and the reason."""
    out, diary = tmp_path / "run", tmp_path / "diary"
    note = f"open({str(diary)!r}, 'w').close(); "
    assert 1 == run_two(out, rank=rank, deed=note + deed)
    assert time.time() - diary.stat().st_mtime < 10
    told = capfd.readouterr().err
    record_property("message", told.splitlines()[-1])
    assert f"residua: rank {rank} {DEEDS[deed]}, and the run with it" == told.splitlines()[-1]
    assert ("ink" in deed) == ("ValueError: no more ink" in told)
    assert 2 == len(losses(out))
    assert not (out / "record.json").exists()


@pytest.mark.slow
def test_torchrun_starts_ranks_too(alone: Path, tmp_path: Path):
    """Started by torchrun, the same run is the same."""
    torchrun = shutil.which("torchrun", path=Path(sys.executable).parent)
    assert torchrun is not None
    out = tmp_path / "run"
    command = [torchrun, "--nproc-per-node", "2", "-m", "residua", *TRAIN, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert 0 == done.returncode, done.stderr
    assert losses(alone) == pytest.approx(losses(out), rel=1e-6)
    assert record(out) == json.loads(done.stdout)


@pytest.mark.slow
def test_ranks_do_not_outlive_their_starter(tmp_path: Path):
    """Whoever kills the command with SIGKILL can take up the run at once."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "residua", *TRAIN, "--devices", "2", "--out", str(out)]
    starter = subprocess.Popen(
        [*command, "--set", "recipe.budget.length=1000"], stderr=subprocess.DEVNULL
    )
    while starter.poll() is None and not (out / "checkpoint.pt").exists():
        time.sleep(0.05)
    starter.kill()
    assert -signal.SIGKILL == starter.wait()
    end_s = time.monotonic() + 10
    while True:
        try:
            with RunDirectory(out).locked():
                return
        except RunError:
            assert time.monotonic() < end_s
            time.sleep(0.1)
