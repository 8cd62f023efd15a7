"""Reports and estimates as lines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.reports.page import Page
from residua.reports.reporting import Report
from residua.tables.reports import print_estimate, print_report

PLAN: dict[str, Any] = {
    "where": "he2015 Table 6",
    "net": "cifar/resnet-110",
    "dataset": "cifar10",
    "printed": "6.43 (mean 6.61 ± 0.16)",
    "trained_there": "64k iterations of batch 128",
    "differences": ["recipe.precision is bf16, not fp32"],
    "images_per_run": 8_192_000,
    "epochs": 163.84,
    "device": "a CPU",
    "images_per_second": 1234.5,
    "measured": "the mean of 2 records",
    "seconds_per_run": 7_200.0,
    "seconds": 200_000.0,
    "images": 16_384_000,
    "runs": [
        {"seed": 0, "key": "0123456789ab", "done": True, "command": "residua train a"},
        {"seed": 1, "key": "ba9876543210", "done": False, "command": "residua train b"},
    ],
}


def test_an_estimate_says_what_each_run_takes(printed: Callable[..., list[str]]):
    """The row as printed, what differs, images, speed, time, and a line for each run."""
    text = "\n".join(printed(print_estimate, PLAN))
    for phrase in (
        *(
            "he2015 Table 6: cifar/resnet-110 on cifar10",
            "6.43 (mean 6.61 ± 0.16) %",
            "8,192,000 images",
        ),
        *("163.8 epochs", "1,234 images/s", "the mean of 2 records", "about 2.0 hours"),
        *("about 2.3 days, 16,384,000 images", "recipe.precision is bf16, not fp32"),
    ):
        assert phrase in text
    first, second = text.splitlines()[-2:]
    assert "finished" in first
    assert "to train" in second


def test_a_report_says_its_lead_and_place(printed: Callable[..., list[str]]):
    """Names in brackets are no markup."""
    page = Page(
        title="t", lead="Error [of 3]", tiles=(("test error [top-1]", "8.75 %"),), sections=()
    )
    lines = printed(print_report, Report(page=page, findings={}, html=Path("out/report.html")))
    assert "Error [of 3]" == lines[0]
    assert "test error [top-1] 8.75 %" == " ".join(lines[1].split())
    assert "out/report.html" in lines[2]
    assert "out/report.md" in lines[3]
