"""Memory: peaks of known work, and the table of given bytes and times."""

import gc
from mmap import mmap

import pytest
import torch

from benchmarks import memory


def test_peak_is_of_what_lives_at_once():
    """Three tensors of 4 MB, of which at most two live at once, are 8 MB."""

    def work():
        a = torch.zeros(1_000_000)
        b = a + a
        del a
        c = b + b
        assert c.shape == b.shape

    assert pytest.approx(8e6, rel=1e-3) == memory.peak(work)


def test_what_lived_before_does_not_count():
    """Only what the work itself allocates does."""
    a = torch.zeros(1_000_000)
    assert pytest.approx(4e6, rel=1e-3) == memory.peak(lambda: a + a)


def test_resident_memory_grows_with_what_is_written():
    """32 MB of zeros are resident afterwards; the most is never below."""
    gc.collect()  # what other tests have left, or it is freed meanwhile
    before = memory.resident("VmRSS")
    with mmap(-1, 32_000_000) as pages:  # from the system: no other test has left these behind
        pages.write(bytes(len(pages)))
        assert memory.resident("VmRSS") - before > 0.9 * len(pages)
        assert memory.resident("VmHWM") >= memory.resident("VmRSS")


@pytest.fixture
def result(facts, times):
    """Ours with 400 MB in 0.2 s."""
    bytes_of = {"peer as shipped": 2e9, "peer tuned": 1e9, "ours": 0.4e9}
    seconds = {"peer as shipped": 2.0, "peer tuned": 0.8, "ours": 0.2}
    row = {
        "net": "DenseNet-BC-100-12",
        "batch_size": 64,
        "flops": 40e9,
        "bytes": 0.5e9,
        "memory": {
            name: {"peak_bytes": value, "resident_bytes": 2 * value}
            for name, value in bytes_of.items()
        },
        "times": {name: times(value) for name, value in seconds.items()},
    }
    return {"machine": facts, "rows": [row]}


def test_table_of_given_bytes_and_times(result):
    """Ratios to both peers; only ours is judged, and by its memory alone."""
    (sheet,) = memory.sheets(result)
    _, *rows = sheet.lines()
    assert [
        ["peer as shipped", "2,000", "4,000", "32", "1.00", "2.00", ""],
        ["peer tuned", "1,000", "2,000", "80", "0.50", "1.00", ""],
        ["ours", "400", "800", "320", "0.2 (≤ 0.5)", "0.4 (≤ 0.5)", "yes"],
    ] == rows


def test_roofline_is_told(result):
    """40 GFLOP at 400 GFLOP/s take 100 ms; 200 ms are half of that rate."""
    (sheet,) = memory.sheets(result)
    assert "40 GFLOP and at least 0.50 GB a step take 100 ms" in sheet.note
    assert "ours 200 ms: 50 % of the rate" in sheet.note
