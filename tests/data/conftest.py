"""Small archives to read, and the official CIFAR-10 where it lies."""

from pathlib import Path

import pytest

from residua.data import sets


@pytest.fixture(scope="session")
def cifar10(cifar10_dir: Path) -> sets.DataSet:
    """The official CIFAR-10, read once."""
    return sets.load("cifar10", cifar10_dir)
