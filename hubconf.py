"""The door for torch.hub: an entry for each net of the papers, and ``create`` for any other.

``torch.hub.load(repository, "cifar_resnet_20", num_classes=7)``; ``torch.hub.list(repository)``
has the names.  This package itself need not be installed, only its ``dependencies``.
"""

from __future__ import annotations

import pathlib
import sys
import typing

dependencies = ["torch", "jaxtyping"]

_SOURCE = str(pathlib.Path(__file__).parent / "src")
sys.path.insert(0, _SOURCE)
try:
    from residua.arch.names import NAMES as _NAMES
    from residua.arch.names import identifier as _identifier
    from residua.nets.build import Net as _Net
    from residua.nets.build import create
finally:
    sys.path.remove(_SOURCE)


def _entry(name: str) -> typing.Callable[..., _Net]:
    def entry(*, num_classes: int | None = None, in_channels: int = 3) -> _Net:
        return create(name, num_classes=num_classes, in_channels=in_channels)

    entry.__name__ = entry.__qualname__ = _identifier(name)
    entry.__doc__ = f"The net {name} with fresh weights; arguments are those of ``create``."
    return entry


for _name in _NAMES:
    globals()[_identifier(_name)] = _entry(_name)
