"""Operations: both do the same work, and the package's table is the record's."""

import json

import pytest
import torch

from benchmarks import operations
from benchmarks.page import RESULTS
from residua import kernels
from residua.nets import ops

RECORD = RESULTS / "operations.json"


@pytest.fixture
def result(times):
    """A record in which only bf16 gains, over two kinds of maps of which one loses."""
    rows = [
        {
            "dtype": dtype,
            "channels": channels,
            "side": 8,
            "added": added,
            "capability": "AVX512",
            "times": {"fused": times(fused), "plain": times(plain)},
        }
        for dtype, channels, added, fused, plain in (
            ("fp32", 16, None, 0.002, 0.001),
            ("bf16", 16, None, 0.002, 0.001),
            ("bf16", 17, 16, 0.001, 0.004),
        )
    ]
    return {"rows": rows}


def test_only_what_gains_is_chosen(result):
    """All maps of a type together decide."""
    assert {("AVX512", torch.bfloat16)} == operations.faster({"rows": result["rows"]})


def test_table_of_given_times(result):
    """Milliseconds, and how many times as fast."""
    (sheet,) = operations.sheets(result)
    assert ["bf16", "17 × 8 × 8", "16 channels", "4.00", "1.00", "4.00"] == list(sheet.lines())[3]


def test_both_contenders_are_what_they_are_called(monkeypatch):
    """The plain one never asks for a kernel; the fused one always may."""
    asked: list[bool] = []
    original = ops.norm_add_relu
    monkeypatch.setattr(
        ops,
        "norm_add_relu",
        lambda x, norm, **kw: (asked.append(kernels.plain_only()), original(x, norm, **kw))[1],
    )
    monkeypatch.setattr(operations, "BATCH_SIZE", 2)
    for name in (operations.FUSED, operations.PLAIN):
        operations.work(name, torch.float32, channels=16, side=4, added=16)()
    assert [False, True] == asked


@pytest.mark.skipif(not RECORD.exists(), reason="no record is committed yet")
def test_package_uses_what_the_record_found():
    """``ops.MEASURED`` is what the committed record says."""
    assert operations.faster(json.loads(RECORD.read_text())) == ops.MEASURED
