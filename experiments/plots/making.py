"""The files of a plot: NAME.png, .svg, .pdf, the data behind it, and its caption."""

import pathlib
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from experiments.figures import saving
from experiments.files import writing
from experiments.files.strict_json import Record
from experiments.plots import slices, statements, swept
from experiments.plots.slices import Slice
from experiments.plots.subjects import Drawn

LONGEST = 120  # characters of a file's name, without its ending


class Plot(NamedTuple):
    """A plot before it is a file.

    title: what it is of.  name: of its files.  verdicts: that it shows.  caption: in words.
    tables: ending of a file's name → data.  draw: makes the picture.
    """

    title: str
    name: str
    verdicts: tuple[str, ...]
    caption: str
    tables: dict[str, pd.DataFrame]
    draw: Callable[[], Figure]


def of_draws(drawn: Drawn) -> Plot:
    """The plot of one statement, or of one cell."""
    return Plot(
        drawn.title,
        file_name(drawn.title),
        (drawn.verdict.verdict,),
        statements.caption(drawn),
        {".csv": statements.table(drawn), "-draws.csv": drawn.table()},
        lambda: statements.draw(drawn),
    )


def of_slice(piece: Slice) -> Plot:
    """The plot of a sweep: of its one cell where all parameters are fixed."""
    if not piece.axes:
        (cell,) = piece.cells()
        return of_draws(slices.drawn(piece, cell))
    table = slices.table(piece)
    over = "-".join(axis.name for axis in piece.axes)
    verdicts = tuple(word for word in dict.fromkeys(table["verdict"]) if word)
    return Plot(
        piece.title,
        file_name(f"{piece.title} over {over}"),
        verdicts,
        swept.caption(piece, table),
        {".csv": table},
        lambda: swept.draw(piece, table),
    )


def file_name(title: str) -> str:
    """A name that files have everywhere: letters, digits, dots, dashes and underscores."""
    name = re.sub(r"[^\w.=-]+", "-", title.replace(" = ", "=")).strip("-.")
    return (name or "plot").encode()[:LONGEST].decode(errors="ignore")


def files(plot: Plot) -> list[str]:
    """Names of its files."""
    return [f"{plot.name}{end}" for end in (*plot.tables, ".md", *_pictures())]


def _pictures() -> Collection[str]:
    return [f".{kind}" for kind in saving.PICTURES]


def make(plot: Plot, out: pathlib.Path) -> Record:
    """Writes all its files; what they are, as plain JSON. OSError if one cannot be written."""
    for end, table in plot.tables.items():
        text = table.to_csv(index=False, lineterminator="\n")
        writing.replace(
            out / f"{plot.name}{end}", lambda file, text=text: file.write(text.encode())
        )
    page = f"# {' '.join(plot.title.split())}\n\n{plot.caption}\n"
    writing.replace(out / f"{plot.name}.md", lambda file: file.write(page.encode()))
    saving.save(plot.draw, out, plot.name)
    return {
        "title": plot.title,
        "verdicts": list(plot.verdicts),
        "files": [str(out / name) for name in files(plot)],
        "caption": plot.caption,
    }
