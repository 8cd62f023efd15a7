"""The kernels of ``kernels.cpp``: compiled for this machine on first use, and called from here."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("kernels.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC")
DTYPES = (torch.float32, torch.bfloat16)
Sign = Literal["none", "input", "output"]  # what tells where a ReLU let values pass
_SIGNS: dict[Sign, int] = {"none": 0, "input": 1, "output": 2}


class UnavailableError(RuntimeError):
    """There are no kernels on this machine; the message says why."""


class _Maps(ctypes.Structure):
    _fields_ = (
        ("first", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("channels", ctypes.c_int64),
    )


class _Norm(ctypes.Structure):
    _fields_ = (
        ("pixels", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("mean", "var", "weight", "bias")),
        ("eps", ctypes.c_double),
    )


_ARGUMENTS = {
    "residua_moments": (
        ctypes.c_bool,
        _Maps,
        ctypes.c_int64,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
    ),
    "residua_forward": (
        ctypes.c_bool,
        _Maps,
        _Norm,
        _Maps,
        ctypes.c_bool,
        _Maps,
        ctypes.c_int,
    ),
    "residua_backward": (
        ctypes.c_bool,
        ctypes.c_int,
        _Maps,
        _Maps,
        _Maps,
        _Norm,
        _Maps,
        ctypes.c_bool,
        _Maps,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
    ),
}


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels; None, after one warning, where they cannot be had."""
    try:
        loaded = ctypes.CDLL(str(_compiled()))
    except (OSError, RuntimeError) as error:  # the latter also of a user without a home
        warnings.warn(f"no fused kernels, slower steps: {error}", stacklevel=2)
        return None
    for name, arguments in _ARGUMENTS.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = arguments, None
    return loaded


@dataclass(frozen=True, slots=True)
class Norm:
    """BN with a batch's statistics: float32 tensors of one value per channel."""

    mean: Tensor
    var: Tensor
    weight: Tensor
    bias: Tensor
    eps: float


def empty(shape: torch.Size, *, like: Tensor) -> Tensor:
    """Maps to write to, of the type of others."""
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )


def per_channel(x: Tensor, *, rows: int, channels: int | None = None) -> Tensor:
    """Numbers to write to, [rows, channels], float32; by default as many as maps have channels."""
    return torch.empty(rows, channels or x.shape[1], dtype=torch.float32, device=x.device)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each channel of maps, float32."""
    mean, var = per_channel(x, rows=2)
    _call("residua_moments", x, _maps(x), _pixels(x), mean.data_ptr(), var.data_ptr())
    return mean, var


def forward(x: Tensor, norm: Norm, *, addend: Tensor | None, relu: bool, y: Tensor) -> None:
    """Write BN of x, plus the addend in its channels, and ReLU of that if asked, to y."""
    _call("residua_forward", x, _maps(x), _norm(x, norm), _maps(addend), relu, _maps(y))


def backward(  # noqa: PLR0913 - what the kernel reads and writes
    grad: Tensor,
    x: Tensor,
    norm: Norm,
    *,
    sign: Sign,
    y: Tensor | None,
    grad_x: Tensor,
    accumulate: bool,
    grad_addend: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Write, or add, the gradient of x to ``grad_x``, and write the addend's.

    Returns:
        The gradients of weight and bias.
    """
    grad_weight, grad_bias = per_channel(x, rows=2)
    _call(
        "residua_backward",
        x,
        _SIGNS[sign],
        _maps(grad),
        _maps(x),
        _maps(y),
        _norm(x, norm),
        _maps(grad_x),
        accumulate,
        _maps(grad_addend),
        grad_weight.data_ptr(),
        grad_bias.data_ptr(),
    )
    return grad_weight, grad_bias


def fits(x: Tensor) -> bool:
    """Whether maps lie in memory as the kernels read them: pixel after pixel, channels together."""
    n, c, h, w = x.shape
    pixel = x.stride(3)
    return (
        x.dtype in DTYPES
        and x.device.type == "cpu"
        and (x.stride(1) == 1 or c == 1)
        and pixel >= c
        and x.stride(2) == w * pixel
        and (x.stride(0) == h * w * pixel or n == 1)
    )


def _call(name: str, x: Tensor, *arguments: object) -> None:
    loaded = library()
    assert loaded is not None
    getattr(loaded, name)(x.dtype == torch.bfloat16, *arguments, torch.get_num_threads())


def _pixels(x: Tensor) -> int:
    return x.shape[0] * x.shape[2] * x.shape[3]


def _maps(x: Tensor | None) -> _Maps:
    if x is None:
        return _Maps(None, 0, 0)
    assert x.stride(3) >= x.shape[1], "pixels overlap"
    return _Maps(x.data_ptr(), x.stride(3), x.shape[1])


def _norm(x: Tensor, norm: Norm) -> _Norm:
    values = (norm.mean, norm.var, norm.weight, norm.bias)
    assert all(v.dtype == torch.float32 and v.is_contiguous() for v in values)
    return _Norm(_pixels(x), x.shape[1], *(v.data_ptr() for v in values), norm.eps)


def _compiled() -> Path:
    """The library's file, compiled now unless it was before."""
    openmp = _openmp()
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise UnavailableError("no C++ compiler was found (c++ or g++; or set CXX)")
    command = [*compiler.split(), *FLAGS, "-fopenmp"]
    source = SOURCE.read_bytes()
    # What "native" means is the processor's; two machines may share a home directory.
    about = repr((command, openmp, platform.machine(), _processor_flags())).encode()
    name = f"kernels-{hashlib.sha256(about + source).hexdigest()[:16]}.so"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "residua"
    path = cache / name
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            half, whole = Path(scratch) / "kernels.o", Path(scratch) / name
            _run([*command, "-c", str(SOURCE), "-o", str(half)])
            # Against the OpenMP that torch has loaded: a second one would bring threads of its own.
            _run([*compiler.split(), "-shared", str(half), openmp, "-o", str(whole)])
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
