"""The GPU suite: in slices, with everything kept, on a CPU in small."""

import json
import math
import subprocess
import sys

import pytest
import torch

from benchmarks import gpu_steps, gpu_suite, machine
from benchmarks.gpu_plan import Job, toy
from benchmarks.gpu_suite import Suite
from benchmarks.machine import CPU
from benchmarks.records import read

from .conftest import REPO


@pytest.fixture
def suite(tmp_path):
    """A toy suite without end, whose one run is called ``run``."""
    return Suite(plan=toy(), out=tmp_path, data_dir=None, runtime=CPU, at_once=2, until_s=math.inf)


def test_a_run_is_done_once_its_record_is_kept(suite, run_directory, monkeypatch):
    """Not before; then its checkpoint is gone and the record tells how many shared the device."""
    monkeypatch.setattr(Job, "name", "run")
    job = Job(net="cifar/resnet-20", recipe="he2015", seed=0)
    assert not suite.done(job)
    place = run_directory()
    assert not suite.done(job)
    suite.keep("run", at_once=2)
    assert suite.done(job)
    assert [2] == [record.at_once for record in read(suite.records)]
    assert not (place / "checkpoint.pt").exists()


def test_command_of_a_run(suite, tmp_path):
    """It goes on where it was, with all settings, and shows nothing but its end."""
    job = Job(net="cifar/wrn-16-4", recipe="fast", seed=2, settings=("a=1", "b=2"))
    words = suite.command(job)
    assert [sys.executable, "-m", "residua", "train", "cifar/wrn-16-4"] == words[:5]
    assert "--data synthetic --recipe fast --seed 2 --set a=1 --set b=2" in " ".join(words)
    assert str(tmp_path / "runs" / "cifar-wrn-16-4--fast--s2") == words[words.index("--out") + 1]
    assert {"--resume", "--quiet", "--json"} < set(words)


def test_speeds_are_measured_once(suite, facts, steps_result, monkeypatch, capsys):
    """Each is written as soon as it is there; one that memory does not hold is named."""
    asked = []

    def row(net, *_, **__):
        asked.append(net)
        if len(asked) == 1:
            raise torch.OutOfMemoryError
        return {**steps_result["rows"][0], "net": net}

    monkeypatch.setattr(machine, "facts", lambda *_, **__: facts)
    monkeypatch.setattr(gpu_steps, "row", row)
    for _ in range(3):
        suite.measure_steps()
    assert ["ResNet-20"] * 2 == asked
    assert "ResNet-20 is left out" in capsys.readouterr().err
    result = json.loads((suite.out / "gpu_steps.json").read_bytes())
    assert [facts, 1] == [result["machine"], len(result["rows"])]


def test_without_a_gpu_the_full_suite_is_refused(monkeypatch, capsys):
    """In a line that names the toy."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert 2 == gpu_suite.main([])
    assert "no CUDA device is here: --toy" in capsys.readouterr().err


@pytest.mark.slow
def test_toy_in_slices(tmp_path):
    """A slice of no time starts nothing; the next does all, and one more finds all done."""

    def sliced(seconds: float) -> str:
        words = ["--toy", "--out", str(tmp_path), "--slice-s", str(seconds)]
        command = [sys.executable, REPO / "benchmarks" / "gpu_suite.py", *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == ran.returncode, ran.stderr
        return ran.stdout

    assert "0 of 3 runs finished; the same command goes on" in sliced(0)
    assert not (tmp_path / "gpu_steps.json").exists()
    shown = sliced(500)
    assert "3 of 3 runs finished\n" in shown
    assert all(net in shown for net in ("ResNet-20", "cifar/resnet-8", "cifar/wrn-10-1"))
    found = read(tmp_path / "records", told=pytest.fail)
    shared = {record.net: record.at_once for record in found}
    assert {"cifar/resnet-8": 1, "cifar/wrn-10-1": 2, "cifar/pyramidnet-8-a12": 2} == shared
    assert {"at_once": 6} == json.loads((tmp_path / "suite.json").read_bytes())
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "records").iterdir()}
    assert "3 of 3 runs finished\n" in sliced(500)
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "records").iterdir()}
