"""Small archives to read, and the official CIFAR-10 where it lies."""

from pathlib import Path

import pytest

from residua.data import cifar
from residua.data.images import DataSet


@pytest.fixture(scope="session")
def cifar10(cifar10_dir: Path) -> DataSet:
    """The official CIFAR-10, read once, in the order of its files."""
    return cifar.read(cifar.CIFAR10, cifar10_dir)
