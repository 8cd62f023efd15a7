"""The runtime: precision, names and versions, the commit."""

import dataclasses
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import residua
from residua.training import runtime as module
from residua.training.presets import HE2015
from residua.training.runtime import Runtime, environment, versions

CPU = Runtime(device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_the_recipe_sets_the_forward_passs_precision(precision: str, dtype: torch.dtype):
    """Convolutions compute in the recipe's precision; weights and their gradients are fp32."""
    conv = nn.Conv2d(3, 4, 3)
    with CPU.precision(dataclasses.replace(HE2015, precision=precision)):  # type: ignore[arg-type]
        y = conv(torch.randn(2, 3, 8, 8))
    y.float().sum().backward()
    assert dtype == y.dtype
    assert conv.weight.grad is not None
    assert (torch.float32, torch.float32) == (conv.weight.dtype, conv.weight.grad.dtype)
    assert torch.float32 == conv(torch.randn(2, 3, 8, 8)).dtype


def test_versions_are_those_that_run():
    """Python, ours, torch's and numpy's."""
    expected = {
        "python": platform.python_version(),
        "residua": residua.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    assert expected == versions()


def test_the_processors_name_and_threads():
    """On a CPU the number of threads goes with the name: speed depends on it."""
    name, separator, threads = CPU.name.rpartition(", threads: ")
    assert name
    assert separator
    assert str(torch.get_num_threads()) == threads


def test_the_environment_says_where_a_run_was_made():
    """Versions, device, system and the commit, if there is one."""
    found = environment(CPU)
    assert {"versions", "device", "system", "commit"} == found.keys()
    assert (versions(), CPU.name) == (found["versions"], found["device"])
    assert platform.system() in str(found["system"])
    assert found["commit"] is None or re.fullmatch(
        r"[0-9a-f]{12,40}(\+changes)?", str(found["commit"])
    )


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh repository in which our module seems to lie, not yet committed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    file = tmp_path / "module.py"
    file.write_text("first")
    (tmp_path / "other.py").write_text("first")
    monkeypatch.setattr(module, "__file__", str(file))
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(place: Path, *arguments: str) -> str:
    """Run git in a directory as nobody in particular."""
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout


def commit(place: Path, *files: str) -> str:
    """Commit some files and return the commit."""
    git(place, "add", *files)
    git(place, "commit", "--quiet", "--message", "first")
    return git(place, "rev-parse", "--short=12", "HEAD").strip()


def test_a_checkouts_commit_is_recorded(checkout: Path):
    """Twelve digits; with a mark where a file differs from it."""
    expected = commit(checkout, "module.py", "other.py")
    assert expected == environment(CPU)["commit"]

    (checkout / "other.py").write_text("second")
    assert f"{expected}+changes" == environment(CPU)["commit"]


def test_somebody_elses_repository_is_not_ours(checkout: Path):
    """An installed copy that lies untracked in a repository has no commit of its own."""
    commit(checkout, "other.py")
    assert environment(CPU)["commit"] is None


def test_no_commit_without_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Outside of any repository there is none to record."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(module, "__file__", str(tmp_path / "module.py"))
    assert environment(CPU)["commit"] is None


FAULTS = """
import resource, torch
from residua.training.runtime import keep_memory

if {kept}:
    keep_memory()
for turn in range(4):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for megabytes in (64, 48):
        torch.ones(megabytes * 2**18)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept with glibc alone")
def test_memory_that_was_freed_is_kept():
    """Large tensors made again take no page from the system, where they took all of theirs."""
    kept, left = (
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(kept=kept)]))
        for kept in (True, False)
    )
    assert kept < 100
    assert left >= 2 * (64 + 48) // 2  # were pages of two megabytes


@pytest.mark.gpu
def test_a_gpu_is_the_default_where_there_is_one():
    """The device is CUDA's, and goes by the name that its driver gives it."""
    assert "cuda" == Runtime().device.type
    assert torch.cuda.get_device_name() == Runtime().name
