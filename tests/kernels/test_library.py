"""The kernels' library: compiled once, beside torch's own threads; plain operations without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

STEP = """
import hashlib, torch, warnings, residua
from pathlib import Path
from residua.kernels import library
torch.manual_seed(0)
net = residua.create("cifar/resnet-8").to(memory_format=torch.channels_last)
x = torch.randn(4, 3, 16, 16).contiguous(memory_format=torch.channels_last)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        loss = net(x).logsumexp(1).sum()
        loss.backward()
files = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
print(sum("omp" in Path(file).name for file in files))
print(round(float(loss), 3))
print(*(str(w.message) for w in caught), sep="; ")
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernels are for Linux")


def step(**env: str) -> list[str]:
    """Runtimes of OpenMP, loss and warnings of two steps in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", STEP],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return [*done.stdout.rstrip("\n").split("\n"), ""][:3]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first process leaves the library."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def first(cache: Path) -> list[str]:
    """What the first process finds, which compiles."""
    found = step(XDG_CACHE_HOME=str(cache))
    if "no C++ compiler" in found[2] or "AVX-512" in found[2]:
        pytest.skip(found[2])
    return found


@linux
def test_compiled_once_and_with_torchs_threads(cache: Path, first: list[str]):
    """The first process leaves one library behind, the next one uses it; one OpenMP in each."""
    (file,) = (cache / "residua").iterdir()
    assert ["1", ""] == [first[0], first[2]]
    assert re.fullmatch(r"kernels-[0-9a-f]{16}\.so", file.name)
    made = file.stat().st_mtime_ns
    assert first == step(XDG_CACHE_HOME=str(cache))
    assert made == file.stat().st_mtime_ns


@linux
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"CXX": "/nonexistent/c++"}, "/nonexistent/c++ could not be run"),
        ({"CXX": "false"}, "false failed with status 1"),
        ({"XDG_CACHE_HOME": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_plain_and_right_without_a_library(
    broken: dict[str, str], message: str, first: list[str], tmp_path: Path
):
    """Training goes on with torch's operations, to the same loss, after one notice."""
    _, loss, warned = step(**{"XDG_CACHE_HOME": str(tmp_path), **broken})
    assert first[1] == loss
    assert warned.startswith("no fused kernels, slower steps: ")
    assert message in warned
    assert "; " not in warned
    assert not list(tmp_path.glob("residua/*"))


@linux
def test_plain_on_other_processors(first: list[str], tmp_path: Path):
    """A processor without AVX-512 is left to torch, without a compiler ever being asked."""
    _, loss, warned = step(ATEN_CPU_CAPABILITY="avx2", XDG_CACHE_HOME=str(tmp_path))
    assert [first[1], ""] == [loss, warned]
    assert not list(tmp_path.iterdir())
