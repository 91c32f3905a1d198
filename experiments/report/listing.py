"""The table of `list`."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 4  # columns between and around two


def list_table(entries: Sequence[dict[str, Any]], width: int) -> Table:
    """The table of `list`, a line for each statement: what it says, or where that has no room its
    kind.

    Args:
      entries: those of the JSON of `list`.
      width: columns that there are.
    """
    ids, titles = ([entry[name] for entry in entries] for name in ("id", "title"))
    needed = max(map(cell_len, ids)) + max(map(cell_len, titles)) + GAP
    second = "title" if needed <= width else "kind"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Statement", no_wrap=True)
    table.add_column("Says" if second == "title" else "Kind", no_wrap=True)
    for entry in entries:
        table.add_row(Text(entry["id"], style="bold"), entry[second])
    return table
