"""What `plot` says of the files that it has written."""

from rich.console import Group
from rich.text import Text

from experiments.files.strict_json import Record


def made(plot: Record, caption: str) -> Group:
    """Files of one plot, and the caption without its details."""
    return Group(
        Text(plot["title"], style="bold"),
        *(Text(f"  {file}") for file in plot["files"]),
        Text(caption.partition("\n\n")[0]),
        Text(),
    )
