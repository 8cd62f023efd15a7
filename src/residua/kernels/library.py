"""The library of kernels: compiled from this folder's C++ on first use, and kept."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.cpp")))
HEADERS = tuple(sorted(Path(__file__).parent.glob("*.h")))
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC")


class UnavailableError(RuntimeError):
    """There are no kernels on this machine; the message says why."""


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels; None, after one warning, where they cannot be had."""
    try:
        return ctypes.CDLL(str(_compiled()))
    except (OSError, RuntimeError) as error:  # the latter also of a user without a home
        warnings.warn(f"no fused kernels, slower steps: {error}", stacklevel=2)
        return None


@functools.cache
def kernel(name: str, *arguments: Any) -> Callable[..., None]:  # noqa: ANN401 - types of ctypes, which have no type in common
    """One of the kernels, which takes these arguments and, last, the number of threads."""
    loaded = library()
    assert loaded is not None
    function = getattr(loaded, name)
    function.argtypes, function.restype = (*arguments, ctypes.c_int), None
    return lambda *values: function(*values, torch.get_num_threads())


def _compiled() -> Path:
    """The library's file, compiled now unless it was before."""
    openmp = _openmp()
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise UnavailableError("no C++ compiler was found (c++ or g++; or set CXX)")
    command = [*compiler.split(), *FLAGS, "-fopenmp"]
    code = b"".join(path.read_bytes() for path in SOURCES + HEADERS)
    # What "native" means is the processor's; two machines may share a home directory.
    about = repr((command, openmp, platform.machine(), _processor_flags())).encode()
    name = f"kernels-{hashlib.sha256(about + code).hexdigest()[:16]}.so"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "residua"
    path = cache / name
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            whole = Path(scratch) / name
            halves = {source: f"{scratch}/{source.stem}.o" for source in SOURCES}
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda s: _run([*command, "-c", str(s), "-o", halves[s]]), SOURCES))
            # Against the OpenMP that torch has loaded: a second one would bring threads of its own.
            _run([*compiler.split(), "-shared", *halves.values(), openmp, "-o", str(whole)])
            whole.replace(path)
    return path


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - the user's compiler, our own source
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{command[0]} could not be run: {error}") from None
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise UnavailableError(f"{command[0]} failed with status {done.returncode}: {first[:200]}")


def _openmp() -> str:
    """The file of the OpenMP runtime that torch uses."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        raise UnavailableError(f"they are for Linux, and this is {platform.system()}")
    files = {line.split()[-1] for line in maps.read_text().splitlines() if ".so" in line}
    found = sorted(f for f in files if Path(f).name.startswith(("libgomp", "libiomp5", "libomp")))
    ours = [f for f in found if Path(f).is_relative_to(Path(torch.__file__).parent)]
    if not found:
        raise UnavailableError("torch here uses no OpenMP")
    return (ours or found)[0]


def _processor_flags() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
