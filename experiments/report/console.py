"""Where results are printed: tables on a console, or JSON."""

import json
from typing import Any

from rich.console import Console

from experiments.machine import streams


def console(**options: Any) -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    probe = Console(**options)
    return probe if probe.is_terminal else Console(width=150, highlight=False, **options)


def print_json(content: Any) -> None:
    """Prints JSON, in ASCII where stdout knows no more."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    print(text if streams.knows(text) else json.dumps(content, indent=2))
