"""Steps on a device: a row measured on a CPU, and the table of given times."""

import json

import pytest
import torch
from torch import nn

from benchmarks import contenders, gpu_steps, timing
from benchmarks.contenders import Pair
from benchmarks.machine import CPU
from benchmarks.timing import Budget
from residua.training.runtime import Runtime

ONCE = Budget(seconds=0, at_least=1, warm_up=0)
TINY = Pair(title="tiny", ours="cifar/resnet-8", theirs="nowhere.tiny")


@pytest.mark.parametrize(
    ("installed", "expected"), [(None, ["ours"]), (object(), ["peer tuned", "ours"])]
)
def test_row_of_a_tiny_net(monkeypatch, installed, expected):
    """The peer takes part where it is installed; all of it fits JSON."""
    monkeypatch.setitem(gpu_steps.PAIRS, "tiny", TINY)
    monkeypatch.setattr(gpu_steps.importlib.util, "find_spec", lambda _: installed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    monkeypatch.setattr(contenders, "peer", lambda _: net)
    row = gpu_steps.row("tiny", CPU, ONCE, batch_size=8)
    assert row == json.loads(json.dumps(row))
    assert expected == list(row["times"])
    assert min(times["min_s"] for times in row["times"].values()) > 0


def test_rates_of_given_times(steps_result):
    """The roofline is 0.2 s for 128 images, of which ours reaches half."""
    (sheet,) = gpu_steps.sheets(steps_result)
    assert (("ResNet-20", "320", "320", "1", "640", "50 %"),) == sheet.rows
    del steps_result["rows"][0]["times"]["peer tuned"]
    (sheet,) = gpu_steps.sheets(steps_result)
    assert (("ResNet-20", "–", "320", "–", "640", "50 %"),) == sheet.rows


def test_a_step_is_the_mean_of_some_in_a_row(monkeypatch):
    """A clock that advances a second a step tells a second, however many are done."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def step() -> None:
        now[0] += 1

    assert 1.0 == gpu_steps._each(step, CPU.device)()
    assert gpu_steps.STEPS == now[0]


@pytest.mark.gpu
def test_ours_on_a_gpu(monkeypatch):
    """The step's net and images lie there, and its events tell a time."""
    monkeypatch.setitem(gpu_steps.PAIRS, "tiny", TINY)
    monkeypatch.setattr(gpu_steps.importlib.util, "find_spec", lambda _: None)
    runtime = Runtime(device=torch.device("cuda"))
    row = gpu_steps.row("tiny", runtime, ONCE, batch_size=8)
    assert 0 < row["times"]["ours"]["median_s"] < 60
