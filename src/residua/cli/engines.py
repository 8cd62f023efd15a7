"""Where several runs are trained: one after another, side by side, or on a cluster."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from residua.errors import Stopped, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from residua.studies.runner import Engine

OPTIONS = (
    click.option(
        "--store",
        type=click.Path(path_type=Path),
        default=Path("runs/store"),
        show_default=True,
        help="Where runs lie; studies share them.",
    ),
    click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time, a thread for each."),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Here, or on all machines of a Ray cluster that share --store.",
    ),
    click.option(
        "--address", help="The cluster's, such as 10.0.0.1:6379.  [default: this machine]"
    ),
    click.option(
        "--devices",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="How many a run takes; with ray alone.",
    ),
)


def options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--store`` and the options that :func:`chosen` takes."""
    for option in reversed(OPTIONS):
        verb = option(verb)
    return verb


def chosen(*, jobs: int | None, engine: str, address: str | None, devices: int) -> Engine:
    """The engine that was asked for.

    Raises:
        UsageError: Options that do not go together, or Ray is not installed.
        RunError: The cluster does not answer.
    """
    if engine == "ray":
        if jobs is not None:
            raise UsageError(
                "--jobs is for --engine local: a cluster runs as many as it has room for"
            )
        from residua.studies import cluster

        return cluster.connected(address, devices=devices)
    if address is not None or devices > 1:
        raise UsageError("--address and --devices are for --engine ray")
    from residua.studies import runner

    return runner.side_by_side(jobs) if jobs else runner.in_turn


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Within it, Ctrl-C ends with the word that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        from residua.studies.runner import GO_ON

        raise Stopped(f"stopped; {GO_ON}", signal=signal.SIGINT) from None
