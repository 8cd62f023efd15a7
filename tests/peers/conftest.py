"""Peers: counts equal nets."""

import pytest

EQUAL = "equal in function"


@pytest.fixture(scope="session", autouse=True)
def schemas(torchvision_schemas):
    """Every peer may import torchvision."""
    return torchvision_schemas


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
