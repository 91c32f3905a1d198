"""The table of `list`."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

GAP = 5  # columns between and around two


def list_table(entries: Sequence[dict[str, Any]], width: int) -> RenderableType:
    """The table of `list`, a line for each statement: with what it says, its kind, or neither.

    Args:
      entries: those of the JSON of `list`.
      width: columns that there are; what has no room beside the identifiers is left out.
    """

    def needed(name: str) -> int:
        return max((cell_len(entry[name]) for entry in entries), default=0)

    second = next((s for s in ("title", "kind") if needed("id") + needed(s) + GAP <= width), None)
    if second is None:
        return Text("\n".join(entry["id"] for entry in entries))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Statement", no_wrap=True)
    table.add_column("Says" if second == "title" else "Kind", no_wrap=True)
    for entry in entries:
        table.add_row(Text(entry["id"], style="bold"), entry[second])
    return table
