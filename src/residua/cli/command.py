"""The command itself: its verbs, and how it ends.  Each verb imports what it alone needs."""

from __future__ import annotations

import errno
import sys

import click

from residua import __version__
from residua.cli import (
    data,
    demo,
    export,
    interop,
    nets,
    prediction,
    recipes,
    report,
    reproduce,
    study,
    training,
)
from residua.errors import RunError, Stopped, UsageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# How a group called without a verb ends; click of before 8.2 has none.
HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="residua")
def cli() -> None:
    """Residual networks from ResNet to PyramidNet, on CIFAR."""


for verb in (
    *(nets.list_, nets.show, recipes.recipes),
    *(training.train, training.evaluate, prediction.predict),
    *(interop.import_, export.export, data.data, demo.demo),
    *(study.study, report.report, reproduce.reproduce),
):
    cli.add_command(verb)


def main() -> None:
    """Run the command; end with 0 done, 1 the run failed, 2 wrong usage, 128 + n by a signal."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        _refuse(error)
    except UsageError as error:
        _fail(str(error), status=2)
    except RunError as error:
        _fail(str(error), status=1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        how = _if_training("; a run goes on with --resume")
        what_to_do = f"\nmake room there{how}" if error.errno in FULL else ""
        _fail(f"{place}{error.strerror or error}{what_to_do}", status=1)
    except Stopped as stop:
        _fail(str(stop), status=128 + stop.signal)
    except (KeyboardInterrupt, click.Abort):
        how = _if_training("; --resume goes on from the last checkpoint")
        _fail(f"stopped{how}", status=130)
    except (MemoryError, RuntimeError) as error:
        from residua.training.checkpoint import memory_was_short

        if not memory_was_short(error):
            raise
        reason = str(error).partition("\n")[0].rpartition("CPUAllocator: ")[2][:200]
        how = _if_training("lower recipe.batch_size (--set recipe.batch_size=32), or ")
        _fail(
            f"out of memory ({reason or type(error).__name__})\n{how}take a smaller net", status=1
        )


def _refuse(error: click.ClickException) -> None:
    if isinstance(error, HELP):
        error.show()
        sys.exit(error.exit_code)
    message = " ".join(error.format_message().split())  # choices stand on lines of their own
    _fail(f"{message}\n`residua --help` shows the verbs", status=error.exit_code)


def _if_training(advice: str) -> str:
    """What only ``train`` has the options for."""
    return advice if sys.argv[1:2] == ["train"] else ""


def _fail(message: str, *, status: int) -> None:
    click.echo(f"residua: {message}", err=True)
    sys.exit(status)
