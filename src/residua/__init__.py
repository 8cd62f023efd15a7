"""Residual networks from ResNet to PyramidNet: the papers' nets, trained fast, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from residua.arch.names import names, spec
from residua.errors import RunError, UsageError

if TYPE_CHECKING:
    from residua.nets.build import create
    from residua.prediction import predict
    from residua.weights import load

__version__ = "0.1.0"
__all__ = ["RunError", "UsageError", "__version__", "create", "load", "names", "predict", "spec"]


def __getattr__(name: str) -> object:
    """Import what needs torch on first use, so that ``import residua`` stays instant."""
    if name == "create":
        from residua.nets.build import create  # noqa: PLC0415 - imports torch

        return create
    if name == "load":
        from residua.weights import load  # noqa: PLC0415 - imports torch

        return load
    if name == "predict":
        from residua.prediction import predict  # noqa: PLC0415 - imports torch

        return predict
    raise AttributeError(f"module 'residua' has no attribute {name!r}")
