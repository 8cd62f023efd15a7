"""Runs spread over the machines of a Ray cluster.  The only importer of ray, which is optional.

A run lives in the store, not in the process that trains it: when a machine is lost, Ray gives its
runs to another, where they go on from their checkpoints.  So the store lies on a disk that all
machines share.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock, Timeout

from residua.data import sets
from residua.errors import RunError, Stopped, UsageError
from residua.runs.config import Run, run_from_json, to_json
from residua.studies import commands
from residua.studies.runner import GO_ON, Engine, Say, apart, came_to
from residua.training.signals import StopRequests

ANSWER_S = 5.0  # for an address to accept a connection
SAVE_S = 30.0  # for runs that are asked to stop
RELEASE_S = 60.0  # for a lost machine's processes to let go of a run
RETRIES = 5  # machines that may be lost under one run
POLL_S = 0.2


def connected(address: str | None, *, devices: int = 1) -> Engine:
    """The engine of a cluster, each of whose runs takes so many devices of one machine.

    Args:
        address: The cluster's, such as ``10.0.0.1:6379``; None starts one on this machine alone.
        devices: GPUs, where the cluster has any, or cores.

    Raises:
        UsageError: Ray is not installed.
        RunError: Nothing answers at the address, or no machine there has so many devices.
    """
    ray = _ray()
    _check_address(address)
    # Its own reports go nowhere: what matters is told by the engine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # noqa: BLE001 - it fails in many ways, none of them documented
            first = " ".join(str(error).split())[:120]
            raise RunError(f"no Ray cluster at {address or 'this machine'}: {first}") from None
    return _Cluster(ray=ray, devices=devices, kind=_kind(ray, devices))


def _ray() -> ModuleType:
    try:
        import ray  # noqa: PLC0415 - an optional package
        import ray.util.scheduling_strategies  # noqa: PLC0415 - likewise
    except ImportError:
        raise UsageError("--engine ray needs a package: pip install 'residua[cluster]'") from None
    return ray


def _check_address(address: str | None) -> None:
    """Knock first: Ray itself waits for minutes."""
    if address is None or address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and host and port.isdecimal()):
        raise UsageError(f"--address is HOST:PORT, such as 10.0.0.1:6379, not {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise RunError(
            f"no Ray cluster answers at {address} ({error}): start one there with "
            f"`ray start --head`, or leave --address out"
        ) from None


def _kind(ray: ModuleType, devices: int) -> str:
    """What a run takes, GPU or CPU; some machine must have enough of it."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    kind = "GPU" if any("GPU" in node for node in nodes) else "CPU"
    most = max((int(node.get(kind, 0)) for node in nodes), default=0)
    if most < devices:
        raise RunError(
            f"no machine of the cluster has {devices} of {kind}, the largest has {most}: lower "
            f"--devices"
        )
    return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """An engine: see :class:`residua.studies.runner.Engine`."""

    ray: ModuleType
    devices: int
    kind: str

    def __call__(
        self, runs: Sequence[Run], *, store: Path, data_dir: Path | None, say: Say
    ) -> dict[str, str]:
        """Train them all, as many at a time as there is room for."""
        store = store.resolve()
        directory = (data_dir or sets.default_directory()).resolve()
        self._check_machines(runs, store, directory)
        needs = {"num_cpus": 0 if self.kind == "GPU" else self.devices}
        if self.kind == "GPU":
            needs["num_gpus"] = self.devices
        task = self.ray.remote(max_retries=RETRIES, **needs)(train_one)
        waiting = {
            task.remote(to_json(run), str(store), str(directory), self.devices): run for run in runs
        }
        failed: dict[str, str] = {}
        with self._stoppable(waiting) as stop:
            while waiting:
                done, _ = self.ray.wait(list(waiting), timeout=POLL_S)
                for reference in done:
                    run = waiting.pop(reference)
                    if why := self._outcome(reference, run):
                        failed[run.key] = why
                    said = why or came_to(run, store)
                    say(f"[{len(runs) - len(waiting)}/{len(runs)}] {said}")
                if stop.signal is not None:
                    raise Stopped(f"stopped; {GO_ON}", signal=stop.signal)
        return failed

    @contextlib.contextmanager
    def _stoppable(self, waiting: dict[Any, Run]) -> Iterator[StopRequests]:
        """Ask what is still running to stop and save, should anything go wrong here."""
        with StopRequests() as stop:
            try:
                yield stop
            except BaseException:
                for reference in waiting:
                    self.ray.cancel(reference)
                self.ray.wait(list(waiting), num_returns=len(waiting), timeout=SAVE_S)
                raise

    def _outcome(self, reference: Any, run: Run) -> str | None:  # noqa: ANN401 - Ray's own
        """Why a run failed, or None."""
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return f"{run.net}, seed {run.seed}: {_last_line(error)}"

    def _check_machines(self, runs: Sequence[Run], store: Path, data_dir: Path) -> None:
        """Every machine must see the store and have the data: better said now than by each run."""
        store.mkdir(parents=True, exist_ok=True)
        probe = store / f".probe-{uuid.uuid4().hex}"
        probe.touch()
        names = sorted({(run.data.name, run.data.image_size) for run in runs})
        schedule = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        try:
            asked = [
                self.ray.remote(
                    num_cpus=0, scheduling_strategy=schedule(node["NodeID"], soft=False)
                )(complaint).remote(str(probe), str(data_dir), names)
                for node in self.ray.nodes()
                if node["Alive"]
            ]
            complaints = [found for found in self.ray.get(asked) if found]
        except self.ray.exceptions.RayError as error:
            raise RunError(f"a machine of the cluster was lost: {_last_line(error)}") from None
        finally:
            probe.unlink()
        if complaints:
            raise RunError(complaints[0])


def _last_line(error: Exception) -> str:
    """Of what may be a remote traceback, what it comes to."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]


def complaint(probe: str, data_dir: str, names: Sequence[tuple[str, int]]) -> str | None:
    """What this machine lacks for some runs, in a line; None if nothing."""
    here = f"machine {socket.gethostname()}"
    if not Path(probe).exists():
        return (
            f"{here} does not see {Path(probe).parent}: --store must lie on a disk that all share"
        )
    for name, image_size in names:
        try:
            sets.load(name, Path(data_dir), image_size=image_size)
        except (RunError, UsageError) as error:
            return f"{here} cannot train: {' '.join(str(error).split())}"
    return None


def train_one(run_json: dict[str, Any], store: str, data_dir: str, devices: int) -> str | None:
    """Train a run on this machine, from where it is; return why that failed, or None."""
    run = run_from_json(run_json)
    _wait_for_release(Path(store, run.slug))
    if devices > 1:
        return _by_command(run, Path(store), Path(data_dir), devices)
    return apart(run, Path(store), Path(data_dir))


def _wait_for_release(directory: Path) -> None:
    """A lost machine's process may hold the run for a moment longer than Ray knows of it."""
    if not directory.exists():
        return
    with contextlib.suppress(Timeout), FileLock(directory / ".lock", timeout=RELEASE_S):
        return


def _by_command(run: Run, store: Path, data_dir: Path, devices: int) -> str | None:
    """The same on several devices, whose processes repeat a command."""
    out = store / run.slug
    command = [sys.executable, "-P", "-m", *commands.words(run)]
    command += ["--data-dir", str(data_dir), "--out", str(out), "--devices", str(devices)]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--resume", "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"{run.net}, seed {run.seed}: {last}"
