"""Rooflines: counts against long-hand ones, and shares of given rates."""

import pytest

from benchmarks.roofline import Work, forward, training_step
from residua.arch import names

# cifar/resnet-8, option A: what convolutions and classifier take in and give out for an image.
INPUTS = 3 * 1024 + 16 * 1024 * 2 + 16 * 1024 + 32 * 256 + 32 * 256 + 64 * 64 + 64
OUTPUTS = 16 * 1024 + 16 * 1024 * 2 + 32 * 256 * 2 + 64 * 64 * 2 + 10
MACS = (
    9 * 3 * 16 * 1024
    + 2 * 9 * 16 * 16 * 1024
    + 9 * (16 * 32 + 32 * 32) * 256
    + 9 * (32 * 64 + 64 * 64) * 64
    + 640
)
PARAMS = 75_290


def test_work_of_a_training_step():
    """Twice the forward's work behind it, activations in bf16, the update in fp32."""
    found = training_step(names.spec("cifar/resnet-8"), images=10)
    assert 6 * MACS * 10 == found.flops
    assert 2 * (3 * INPUTS + 2 * OUTPUTS) * 10 + 20 * PARAMS == found.bytes


def test_work_of_a_forward_pass():
    """Every value in and out once, and the weights."""
    found = forward(names.spec("cifar/resnet-8"), images=10, value_bytes=4)
    assert 2 * MACS * 10 == found.flops
    assert 4 * ((INPUTS + OUTPUTS) * 10 + PARAMS) == found.bytes


@pytest.mark.parametrize(
    ("work", "precision", "expected"),
    [
        (Work(flops=40e9, bytes=0.5e9), "bf16", 0.1),
        (Work(flops=40e9, bytes=0.5e9), "fp32", 0.4),
        (Work(flops=40e9, bytes=2e9), "bf16", 0.2),
    ],
)
def test_least_time_is_the_longer_of_computing_and_moving(facts, work, precision, expected):
    """Computing goes at the better of both rates of that precision."""
    assert pytest.approx(expected) == work.least_s(facts["rates"], precision)


def test_share_of_the_rate(facts):
    """40 GFLOP in 0.4 s are 100 GFLOP/s: a quarter of the rate in bf16, all of that in fp32."""
    work = Work(flops=40e9, bytes=2e9)
    shares = [work.share_pct(0.4, facts["rates"], precision) for precision in ("bf16", "fp32")]
    assert pytest.approx([25.0, 100.0]) == shares
