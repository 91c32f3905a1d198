"""Figures as tables for people and JSON for programs."""

import pathlib
from collections.abc import Sequence

from rich import box
from rich.table import Table

from experiments.figures.figure import PRESETS, Figure
from experiments.files.strict_json import Record
from experiments.results.records import plain


def as_json(figure: Figure) -> Record:
    """One figure, with the settings of its presets."""
    return {
        "name": figure.name,
        "source": figure.source,
        "shows": figure.shows,
        "minutes": dict(figure.minutes),
        "settings": {preset: plain(figure.settings(preset)) for preset in PRESETS},
    }


def table(figures: Sequence[Figure]) -> Table:
    """What there is: name, source, content and cost."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Figure", "Source", "Shows"):
        shown.add_column(title, overflow="fold")
    shown.add_column("quick, 2 cores", justify="right")
    shown.add_column("paper, GPU", justify="right")
    for figure in figures:
        cost = [_duration(figure.minutes.get(preset)) for preset in PRESETS]
        shown.add_row(figure.name, figure.source, figure.shows, *cost)
    return shown


def _duration(minutes: float | None) -> str:
    if minutes is None:
        return "not measured"
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def made(contents: Sequence[Record], out: pathlib.Path) -> Table:
    """What was made, and where it is."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Figure", "Cells", "Computed in", "Picture"):
        left = title in ("Figure", "Picture")
        shown.add_column(title, justify="left" if left else "right", overflow="fold")
    for content in contents:
        cells = len(content["manifest"]["cells"])
        picture = str(out / f"{content['figure']}.png")
        shown.add_row(content["figure"], str(cells), _duration(content["seconds"] / 60), picture)
    return shown
