"""Peers: makes torchvision importable beside any build of torch, and counts equal nets."""

import importlib.util
from pathlib import Path

import pytest
import torch

OPS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
EQUAL = "equal in function"


@pytest.fixture(scope="session", autouse=True)
def torchvision_schemas():
    """Define what importing torchvision asks for where its own compiled part does not load.

    torchvision from the package index is compiled for one build of torch; beside another (a
    CPU-only one, say) its operators are missing and the import fails on the first that it extends.
    No net needs any.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    for compiled in Path(found.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(compiled)
        except OSError:
            library = torch.library.Library("torchvision", "DEF")
            for name, schema in OPS.items():
                library.define(name + schema)
            return library  # the definitions live as long as this object
    return None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many nets were found equal to other people's."""
    properties = [
        name
        for report in terminalreporter.stats.get("passed", [])
        for name, _ in getattr(report, "user_properties", [])
    ]
    if EQUAL in properties:
        terminalreporter.write_line(f"peers: {properties.count(EQUAL)} nets {EQUAL}")
