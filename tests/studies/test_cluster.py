"""Runs on a Ray cluster: what is refused at once, and two machines of which one is lost."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from residua.errors import RunError, Stopped, UsageError
from residua.runs.config import Run
from residua.studies import budgets, cluster, runner
from residua.studies.evidence import Evidence
from residua.studies.experiments import Analysis
from residua.studies.reproduce import budget, experiment, reproduction
from residua.training import recipes

fault = pytest.mark.fault
SMALL = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


def runs_of(num_seeds: int, *, epochs: float) -> list[Run]:
    """Runs of a small net on synthetic images."""
    smoke = budgets.get("smoke")
    made = [smoke.run("cifar/resnet-8", seed) for seed in range(num_seeds)]
    return [replace(run, recipe=recipes.rescaled(run.recipe, epochs)) for run in made]


@fault("cluster that does not answer")
def test_an_address_where_nothing_answers_is_told_at_once(record_property: Any):
    """Ray itself would try for minutes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began_s = time.monotonic()
    with pytest.raises(RunError, match="no Ray cluster answers at 127") as told:
        cluster._check_address(f"127.0.0.1:{port}")
    assert time.monotonic() - began_s < 2 * cluster.ANSWER_S
    record_property("message", str(told.value).replace(f"{port}", "PORT"))


@pytest.mark.parametrize("address", ["here", "10.0.0.1", "10.0.0.1:", "host:6379x"])
def test_what_is_no_address_is_refused(address: str):
    """A port belongs to it."""
    with pytest.raises(UsageError, match="--address is HOST:PORT"):
        cluster._check_address(address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    """Ray is optional."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"residua\[cluster\]"):
        cluster.connected(None)


@fault("machine of a cluster without the data set")
def test_a_machine_without_the_data_says_so(tmp_path: Path, record_property: Any):
    """One line that names machine and data set."""
    probe = tmp_path / "probe"
    probe.touch()
    told = cluster.complaint(str(probe), str(tmp_path / "empty"), [("cifar10", 32)])
    assert told is not None
    assert 1 == len(told.splitlines())
    assert f"machine {socket.gethostname()} cannot train: " in told
    assert "residua data get cifar10" in told
    record_property("message", told.replace(socket.gethostname(), "HOST"))


def test_a_machine_that_does_not_see_the_store_says_so(tmp_path: Path):
    """Runs that others cannot find would be lost with it."""
    told = cluster.complaint(str(tmp_path / "elsewhere" / "probe"), "", [])
    assert told is not None
    assert f"does not see {tmp_path / 'elsewhere'}" in told


def test_a_machine_with_all_has_no_complaint(tmp_path: Path):
    """The synthetic images need no file."""
    assert cluster.complaint(str(tmp_path), str(tmp_path), [("synthetic", 32)]) is None


@pytest.mark.slow
def test_a_run_on_several_devices_is_a_command(tmp_path: Path):
    """Its ranks share one run directory; a failure comes back as a line."""
    run = runs_of(1, epochs=1)[0]
    assert cluster.train_one(json.loads(json.dumps(_plain(run))), f"{tmp_path}", "", 2) is None
    record = json.loads((tmp_path / run.slug / "record.json").read_text())
    assert (run.key, 2) == (record["key"], record["devices"])
    broken = replace(run, data=replace(run.data, train_limit=10**6))
    told = cluster.train_one(_plain(broken), f"{tmp_path}", "", 2)
    assert told is not None
    assert "data.train_limit" in told


def _plain(run: Run) -> dict[str, Any]:
    from residua.runs.config import to_json

    return to_json(run)


@pytest.fixture
def two_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A Ray cluster of two nodes with a core each, and the second of them."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Only now: it reads them as it is imported.
    ray = pytest.importorskip("ray", reason="pip install 'residua[cluster]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
    try:
        yield made, made.add_node(**SMALL)
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_lost_machine_loses_no_run(
    two_machines: tuple[Any, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Finished runs stay as they are, begun ones go on elsewhere, and the findings are the same."""
    made, doomed = two_machines
    store, alone = tmp_path / "shared", tmp_path / "alone"
    runs = runs_of(4, epochs=10)
    before: dict[str, list[dict[str, Any]]] = {}

    def lose() -> None:
        """Lose the second machine once both are at work."""
        while len(list(store.glob("*/metrics.jsonl"))) < 2:
            time.sleep(0.05)
        made.remove_node(doomed, allow_graceful=False)
        before.update({f.parent.name: _epochs(f) for f in store.glob("*/metrics.jsonl")})

    thread = threading.Thread(target=lose)
    thread.start()
    engine = cluster.connected(made.address)
    failed = runner.complete(runs, store=store, data_dir=None, engine=engine, say=print)
    thread.join()

    assert {} == failed
    assert 2 <= len(before)
    for slug, epochs in before.items():  # a run that began anew would have taken other times
        assert epochs == _epochs(store / slug / "metrics.jsonl")[: len(epochs)]
    assert any(len(epochs) < 10 for epochs in before.values()), "nothing was under way"
    runner.complete(runs, store=alone, data_dir=None, engine=runner.side_by_side(1), say=print)
    assert _analysis(alone, runs) == _analysis(store, runs)
    with capsys.disabled():
        sys.stdout.write(f"{len(runs)} runs on 2 nodes, 1 of them killed: reports equal\n")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_signal_stops_the_runs_with_all_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is under way ends after its step; the run can be gone on with."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray = pytest.importorskip("ray", reason="pip install 'residua[cluster]'")
    (run,) = runs_of(1, epochs=500)
    at = tmp_path / run.slug

    def stop() -> None:
        while not (at / "metrics.jsonl").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    try:
        engine = cluster.connected(None)
        with pytest.raises(Stopped, match="the same command goes on"):
            runner.complete([run], store=tmp_path, data_dir=None, engine=engine, say=print)
    finally:
        ray.shutdown()
    saved = torch.load(at / "checkpoint.pt", weights_only=True)
    assert 0 < saved["step"] < 500 * 2
    assert saved["epochs"] == _epochs(at / "metrics.jsonl")
    assert not (at / ".holder").exists()


def _epochs(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _analysis(store: Path, runs: list[Run]) -> Analysis:
    """What a report of these runs says: claims, tables, deviations."""
    of = reproduction("he2015/table6/resnet-20/cifar10", epochs=10, data="synthetic", settings=())
    evidence = Evidence(budget=budget(of), runs={"resnet-20": tuple(runs)}, store=store)
    found = experiment(of).analyse(evidence)
    assert 4 == found.claims[0].ours["resnet-20"].n
    return found
