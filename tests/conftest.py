"""What every test may rely on: one thread a worker, no deadlines, real CIFAR-10 where it lies."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

REPO = Path(__file__).parents[1]

TORCHVISION_OPS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores. Set before torch is imported; commands that tests start inherit it.
    os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine is no failure of the code under test.
settings.register_profile("residua", deadline=None)
settings.load_profile("residua")


@pytest.fixture(scope="session")
def cifar10_dir() -> Path:
    """The folder that holds the official ``cifar-10-batches-py``."""
    candidates = [REPO.parent / "shared" / "data" / "cifar10"]
    if "RESIDUA_DATA" in os.environ:
        candidates.insert(0, Path(os.environ["RESIDUA_DATA"]))
    for candidate in candidates:
        if (candidate / "cifar-10-batches-py" / "test_batch").is_file():
            return candidate
    pytest.skip(f"no cifar-10-batches-py in {' or '.join(map(str, candidates))}; set RESIDUA_DATA")


@pytest.fixture(scope="session")
def torchvision_schemas():
    """Define what importing torchvision asks for where its own compiled part does not load.

    torchvision from the package index is compiled for one build of torch; beside another (a
    CPU-only one, say) its operators are missing and the import fails on the first that it extends.
    No net needs any.
    """
    import torch

    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    for compiled in Path(found.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(compiled)
        except OSError:
            library = torch.library.Library("torchvision", "DEF")
            for name, schema in TORCHVISION_OPS.items():
                library.define(name + schema)
            return library  # the definitions live as long as this object
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none."""
    gpu_items = [item for item in items if "gpu" in item.keywords]
    if not gpu_items:
        return
    import torch

    if not torch.cuda.is_available():
        for item in gpu_items:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
