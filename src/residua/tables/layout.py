"""What several tables share."""

from __future__ import annotations

from rich.table import Table


def pairs() -> Table:
    """A table of names and values, without headings."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table
