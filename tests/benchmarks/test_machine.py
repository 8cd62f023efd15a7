"""The machine: facts as JSON, rates, and the line that says them."""

import json

import pytest

from benchmarks import machine
from benchmarks.timing import Budget


def test_facts_are_measured_and_fit_json(monkeypatch):
    """Rates are above 0, and the description needs nothing else."""
    monkeypatch.setattr(machine, "BUDGET", Budget(seconds=0, at_least=1, warm_up=0))
    facts = machine.facts(side=16, copied_mb=1)
    assert facts == json.loads(json.dumps(facts))
    assert 5 == len(facts["rates"])
    assert all(rate > 0 for rate in facts["rates"].values())
    assert facts["versions"]["torch"] in machine.described(facts)


def test_rates_are_those_of_the_best_round(monkeypatch):
    """2·16³ operations in a millisecond are 8.192 MFLOP/s; a copied MB counts twice."""
    found = {"median_s": 1.0, "min_s": 1e-3, "max_s": 2.0, "n": 2}
    monkeypatch.setattr(machine, "interleaved", lambda works, _: dict.fromkeys(works, found))
    rates = machine.rates(side=16, copied_mb=1)
    assert pytest.approx(0.008192) == rates["matmul_fp32_gflops"] == rates["matmul_bf16_gflops"]
    assert pytest.approx(2 * 9 * 128**2 * 256 / 1e6) == rates["conv_bf16_gflops"]
    assert pytest.approx(2.0) == rates["copy_gb_per_s"]


def test_description_is_complete(facts):
    """Processor, cores, flags, versions, commit and all five rates."""
    expected = (
        "A processor, threads: 2, cores: 2 (avx512_bf16); torch 2.13.0, pytorchcv 0.0.74; "
        "commit 0123456789ab; load before: 0. Rates in fp32 and bf16: matrix product 100 and 300 "
        "GFLOP/s, convolution 90 and 400 GFLOP/s; copy 10.0 GB/s."
    )
    assert expected == machine.described(facts)
