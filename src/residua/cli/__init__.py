"""The command: parsing and printing, nothing else."""

from residua.cli.command import main

__all__ = ["main"]
