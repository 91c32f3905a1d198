"""Where results are printed: tables on a console, or JSON."""

import json
import os
from typing import Any

from rich.console import Console, RenderableType

from experiments.machine import streams
from experiments.report.rows import unbroken


def console(**options: Any) -> Console:
    """Standard output; wide enough for tables where it is no terminal, unless COLUMNS is set."""
    probe = Console(**options)
    if probe.is_terminal:
        return probe
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and 0 < len(columns) < 6 and int(columns) else 150
    return Console(width=width, highlight=False, **options)


def tell(what: RenderableType, place: Console | None = None) -> None:
    """Prints on standard output, or elsewhere, with no word broken: see `rows`."""
    (place or console()).print(unbroken(what), crop=False)


def print_json(content: Any) -> None:
    """Prints JSON, in ASCII where stdout knows no more."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    print(text if streams.knows(text) else json.dumps(content, indent=2))
