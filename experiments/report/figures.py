"""Figures as tables for people and JSON for programs."""

import pathlib
from collections.abc import Sequence

from experiments.figures.figure import PRESETS, Figure
from experiments.files.strict_json import Record
from experiments.report.rows import Rows
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


def table(figures: Sequence[Figure]) -> Rows:
    """What there is: name, source, content and cost."""
    rows = [
        (
            figure.name, figure.source, figure.shows,
            *(_duration(figure.minutes.get(preset)) for preset in PRESETS),
        )
        for figure in figures
    ]  # fmt: skip
    columns = ("Figure", "Source", "Shows", "quick, 2 cores", "paper, GPU")
    return Rows(columns, rows, prose=(1, 2), right=(3, 4))


def _duration(minutes: float | None) -> str:
    if minutes is None:
        return "not measured"
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def made(contents: Sequence[Record], out: pathlib.Path) -> Rows:
    """What was made, and where it is."""
    rows = [
        (
            content["figure"], str(len(content["manifest"]["cells"])),
            _duration(content["seconds"] / 60), str(out / f"{content['figure']}.png"),
        )
        for content in contents
    ]  # fmt: skip
    return Rows(("Figure", "Cells", "Computed in", "Picture"), rows, right=(1, 2))
