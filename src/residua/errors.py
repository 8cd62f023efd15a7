"""The ways in which a request of a user can end early; everything else is a bug of ours."""


class UsageError(ValueError):
    """What was asked for is wrong: an unknown name, an illegal depth, a mistyped path.

    The message is one or two lines: what is wrong, and the rule or the nearest right value.
    The command ends with exit status 2.
    """


class RunError(RuntimeError):
    """What was asked for is right but failed: corrupt data, a diverged loss, a full disk.

    The message is one or two lines: what happened, and what to do.
    The command ends with exit status 1.
    """


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """A run was asked to stop by a signal, and has saved what it needs to go on.

    The command ends with exit status ``128 + signal``.

    Attributes:
        signal: The number of the signal.
    """

    def __init__(self, message: str, *, signal: int) -> None:
        super().__init__(message)
        self.signal = signal
