"""Golden: ``pytest tests/golden -m "slow or not slow" --accept-golden`` rewrites what is expected.

Do so only when a change is meant to break the loading of older weight files, or of their results,
and say so in the changelog.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch; it is known where ``tests/golden`` stands on the command line."""
    parser.addoption(
        "--accept-golden", action="store_true", help="take what nets give now as what is expected"
    )


@pytest.fixture(scope="session")
def accept(pytestconfig: pytest.Config) -> bool:
    """Whether this run writes what is expected instead of checking it."""
    return bool(pytestconfig.getoption("--accept-golden", default=False))


@pytest.fixture(scope="session")
def golden(accept: bool) -> Iterator[dict[str, dict[str, Any]]]:  # noqa: FBT001 - a fixture
    """What is expected of each net: number of tensors, digest of keys and shapes, logits."""
    content = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    yield content
    if accept:
        rows = ",\n".join(
            f" {json.dumps(net)}: {json.dumps(content[net])}" for net in sorted(content)
        )
        GOLDEN.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
