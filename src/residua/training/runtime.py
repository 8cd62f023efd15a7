"""Where a run is computed.  Nothing here may move its results; everything is recorded."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import torch

from residua.errors import UsageError
from residua.training import launch
from residua.training.ranks import ALONE, Ranks, end_with_parent
from residua.training.recipes import Recipe

# For a rank that hangs; one that ends is noticed at once. Rank 0 may decode images meanwhile.
TIMEOUT = timedelta(minutes=30)
# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def _default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A device, those at work beside it, and how often to save.

    Attributes:
        device: Where the net and the data lie.
        ranks: The processes that share the work, one for each device.
        checkpoint_s: Seconds between checkpoints within an epoch; each epoch ends with one.
    """

    device: torch.device = field(default_factory=_default_device)
    ranks: Ranks = ALONE
    checkpoint_s: float = 300

    def precision(self, recipe: Recipe) -> torch.autocast:
        """The context of a forward pass: bf16 where the recipe says so, weights in fp32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bf16")

    @property
    def name(self) -> str:
        """The device or devices, for people."""
        times = f"{self.ranks.count} × " if self.ranks.count > 1 else ""
        if self.device.type == "cuda":
            return f"{times}{torch.cuda.get_device_name(self.device)}"
        return f"{times}{_processor()}, threads: {torch.get_num_threads()}"


def keep_memory() -> None:
    """Let the C library keep for this process what is freed; a step needs what the last one freed.

    Left to itself glibc hands large blocks back to the system and has them anew, page by page and
    zeroed: up to a third of a DenseNet's step. Other C libraries stay as they are.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def start(devices: int | None = None) -> Runtime:
    """The runtime of this process: alone, or as one of the ranks that were started together.

    Raises:
        UsageError: There are not as many ranks as ``devices``, or not as many devices as ranks.
    """
    count = launch.world_size()
    if devices not in {None, count}:
        raise UsageError(f"--devices {devices} does not fit the {count} processes of this launch")
    if count == 1:
        return Runtime()
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    kind = _default_device().type
    if kind == "cuda" and here > torch.cuda.device_count():
        raise UsageError(
            f"{here} devices were asked for and this machine has {torch.cuda.device_count()}: "
            f"lower --devices"
        )
    end_with_parent()
    return _join(kind, here=here, count=count)


def _join(kind: str, *, here: int, count: int) -> Runtime:
    """Meet the other ranks, ``here`` of which are on this machine."""
    # An import of seconds, so only for those who have several devices.
    from lightning_fabric import Fabric  # noqa: PLC0415
    from lightning_fabric.plugins.environments.torchelastic import (  # noqa: PLC0415
        TorchElasticEnvironment,
    )
    from lightning_fabric.strategies.ddp import DDPStrategy  # noqa: PLC0415

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator=kind,
        devices=here,
        num_nodes=count // here,
        strategy=DDPStrategy(cluster_environment=TorchElasticEnvironment(), timeout=TIMEOUT),
    )
    fabric.launch()
    # Left to itself at exit, a process group may take the process down with it.
    atexit.register(torch.distributed.destroy_process_group)
    ranks = Ranks(rank=fabric.global_rank, count=fabric.world_size, device=fabric.device)
    return Runtime(device=fabric.device, ranks=ranks)


def versions() -> dict[str, str]:
    """What the results may depend on."""
    packages = {name: version(name) for name in ("residua", "torch", "numpy")}
    return {"python": platform.python_version(), **packages}


def environment(runtime: Runtime) -> dict[str, object]:
    """Versions, device, system and, in a checkout, the commit; with several devices, how many."""
    several: dict[str, object] = {}
    if runtime.ranks.count > 1:
        several = {"devices": runtime.ranks.count, "backend": torch.distributed.get_backend()}
    return {
        "versions": versions(),
        "device": runtime.name,
        **several,
        "system": f"{platform.system()} {platform.machine()}",
        "commit": _commit(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The checkout's commit, with ``+changes`` where files differ from it; None outside of one."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*"],  # noqa: S607 - whichever git the user has
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        tracked = subprocess.run(  # noqa: S603 - our own file's name
            ["git", "ls-files", "--error-unmatch", __file__],  # noqa: S607 - as above; our own file's name
            cwd=here,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    # An installed copy may lie inside somebody else's repository.
    return described.stdout.strip() if tracked.returncode == 0 else None
