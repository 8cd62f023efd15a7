"""Inference: the tables of given times, and a small net against pytorchcv's with its tensors."""

import json

import pytest

from benchmarks import inference
from benchmarks.inference import BF16, FP32, SHIPPED, TRACE
from benchmarks.report import Options
from benchmarks.timing import Budget

ONCE = Options(short=True, budget=Budget(seconds=0, at_least=1, warm_up=0))


@pytest.fixture
def result(facts, times):
    """Ours twice and three times as fast as the peer as shipped."""
    seconds = {SHIPPED: 6.0, TRACE: 4.0, FP32: 3.0, BF16: 2.0}
    row = {
        "net": "ResNet-110",
        "images": 1_200,
        "times": {name: times(value) for name, value in seconds.items()},
        "difference": {FP32: 2e-5, BF16: 0.03},
        "flops": 150e9,
        "bytes": {FP32: 20e9, BF16: 1e9},
    }
    return {"machine": facts, "rows": [row]}


def test_rates_of_given_times(result):
    """Twice reaches 1.7; three times does not reach 3.5."""
    rates, _ = inference.sheets(result)
    _, row = rates.lines()
    shown = ["ResNet-110", "200", "300", "400", "600", "2 (≥ 1.7)", "3 (≥ 3.5)", "NO"]
    assert shown == row


def test_differences_and_shares_of_given_times(result):
    """In fp32 half of 100 GFLOP/s, and two of three seconds for the bytes; in bf16 of 400."""
    _, differences = inference.sheets(result)
    _, row = differences.lines()
    shown = ["ResNet-110", "2e-05 (≤ 0.0001)", "0.03", "50 %", "67 %", "19 %", "19 %", "yes"]
    assert shown == row


def test_a_wrong_output_misses_an_aim(result):
    """However fast it came."""
    result["rows"][0]["difference"][FP32] = 2e-4
    _, differences = inference.sheets(result)
    assert not differences.reached


@pytest.mark.peers
def test_row_of_a_small_net():
    """All four contenders, with outputs that are the peer's in fp32 and nearly so in bf16."""
    pytest.importorskip("pytorchcv", reason="pytorchcv is not installed (group peers)")
    row = inference.row("ResNet-20", ONCE, length=8)
    assert row == json.loads(json.dumps(row))
    assert [SHIPPED, TRACE, FP32, BF16] == list(row["times"])
    assert row["difference"][FP32] < 1e-4 < row["difference"][BF16] < 1
