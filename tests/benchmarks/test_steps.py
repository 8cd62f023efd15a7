"""Steps: a row measured on a tiny net, and the tables of given times."""

import json

import pytest
from torch import nn

from benchmarks import contenders, steps
from benchmarks.contenders import Pair
from benchmarks.report import Options
from benchmarks.timing import Budget, timed

ONCE = Options(short=True, budget=Budget(seconds=0, at_least=1, warm_up=0))


class Here:
    """A contender that stays in this process, where its net can be replaced."""

    def __init__(self, prepare, *arguments):
        self.measure = timed(prepare(*arguments))

    def __call__(self):
        """Do it once."""
        return self.measure()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_row_of_a_tiny_net(monkeypatch):
    """Three contenders, each with its times, and the work of a step; all of it fits JSON."""
    tiny = Pair(title="tiny", ours="cifar/resnet-8", theirs="nowhere.tiny")
    monkeypatch.setitem(steps.PAIRS, "tiny", tiny)
    monkeypatch.setattr(
        contenders, "peer", lambda _: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    )
    monkeypatch.setattr(steps, "Apart", Here)
    row = steps.row("tiny", ONCE, batch_size=8)
    assert row == json.loads(json.dumps(row))
    assert ["peer as shipped", "peer tuned", "ours"] == list(row["times"])
    assert [1, 1, 1] == [times["n"] for times in row["times"].values()]
    assert min(times["min_s"] for times in row["times"].values()) > 0
    assert 6 * 8 * 12_239_488 == row["flops"]


def test_rates_and_ratios_of_given_times(steps_result):
    """128 images in 1.6 and 0.4 s; four times as fast reaches 3.5, as fast does not reach 1.4."""
    rates, _ = steps.sheets(steps_result)
    _, row = rates.lines()
    assert ["ResNet-20", "80", "320", "320", "4 (≥ 3.5)", "1 (≥ 1.4)", "NO"] == row
    assert not rates.reached


def test_aims_are_reached_where_ours_is_fast_enough(steps_result, times):
    """Half the time is twice the rate."""
    steps_result["rows"][0]["times"]["ours"] = times(0.2)
    rates, _ = steps.sheets(steps_result)
    assert rates.reached


def test_roofline_of_given_times(steps_result):
    """40 GFLOP take 100 ms and 2 GB take 200; in 400 ms a quarter of 400 GFLOP/s is reached."""
    _, roofline = steps.sheets(steps_result)
    _, row = roofline.lines()
    assert ["ResNet-20", "40", "2.00", "200", "400", "200–800", "25 %"] == row


@pytest.mark.parametrize("net", steps.PAIRS)
def test_every_net_has_aims(net):
    """Over the peer as shipped more is asked than over the tuned one."""
    shipped, tuned = steps.AIMS[net]
    assert shipped > tuned > 1
