"""The command's reference: the help of every verb, as Markdown that cog puts into the page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from residua.cli.command import cli

WIDTH = 88


def reference() -> str:
    """A section for each verb, with what `--help` says."""
    return "\n\n".join(
        f"## {path}\n\n```text\n{helped(command, path)}\n```" for path, command in verbs()
    )


def verbs() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that ask for it."""
    yield from _below("residua", cli)


def helped(command: click.Command, path: str) -> str:
    """What ``path --help`` prints."""
    context = click.Context(
        command,
        info_name=path,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in sorted(command.commands):
        yield from _below(f"{path} {name}", command.commands[name])
