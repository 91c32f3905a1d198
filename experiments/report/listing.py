"""The table of `list`."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


def list_table(entries: Sequence[dict[str, Any]]) -> Table:
    """The table of `list`, from the entries of its JSON."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Statement", no_wrap=True)
    table.add_column("Kind", no_wrap=True)
    table.add_column("Says")
    table.add_column("Source")
    for entry in entries:
        table.add_row(
            Text(entry["id"], style="bold"), entry["kind"], entry["title"], entry["source"]
        )
    return table
