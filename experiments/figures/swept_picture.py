"""The picture of any statement over one swept parameter."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.figures import style
from experiments.figures.frames import chosen
from experiments.figures.frequencies import CONFIDENCE
from experiments.figures.swept import series
from experiments.settings.text import written
from theory.verification.kinds import ByOutcome, Law, Scaled

COLUMNS, MOST_TICKS = 3, 10  # of panels in a row, and of a panel


def draw(settings: Any, table: pd.DataFrame) -> Figure:
    """Shares of draws in one panel, or a panel for each claim about a quantity."""
    if isinstance(settings.statement.claim, ByOutcome):
        return _draw_shares(settings, table)
    names = list(dict.fromkeys(table["series"]))
    columns = min(COLUMNS, len(names))
    figure, grid = style.axes(-(-len(names) // columns), columns, height=2.4, sharex=True)
    for ax, name in zip(grid.flat, names, strict=False):
        _series(ax, settings, chosen(table, series=name), style.SERIES[0])
        ax.set_title(name, wrap=True)
        ax.set_xlabel(_label(settings))
    for ax in grid.flat[len(names) :]:
        ax.set_visible(False)
    for ax in grid[:, 0]:
        ax.set_ylabel("exponent" if _scaled(settings) else "measured")
    keys = style.key_of_markers(hollow=False)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


def _draw_shares(settings: Any, table: pd.DataFrame) -> Figure:
    figure, ((ax,),) = style.axes(1, 1, height=3.2)
    names = series(settings)
    middle = (len(names) - 1) / 2
    looks = itertools.cycle(style.SERIES)
    for number, (name, look) in enumerate(zip(names, looks, strict=False)):
        rows = chosen(table, series=name)
        if len(rows):
            _series(ax, settings, rows, look, label=name, aside=0.008 * (number - middle))
    ax.set(ylim=(-0.03, 1.03), ylabel="share of draws", xlabel=_label(settings))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _scaled(settings: Any) -> bool:
    return isinstance(settings.statement.claim, Scaled)


def _label(settings: Any) -> str:
    rule = type(settings).__dataclass_fields__[settings.axis].metadata
    unit = "" if rule["unit"] == "1" else f" ({rule['unit']})"
    return f"{settings.axis}: {rule['doc']}{unit}"


def _are_numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _places(settings: Any, rows: pd.DataFrame) -> np.ndarray:
    """Where the values stand: numbers at themselves, words one after another."""
    values = getattr(settings, settings.axis)
    if _are_numbers(values):
        return rows["value"].to_numpy(float)
    return np.array([values.index(value) for value in rows["value"]], float)


def _series(
    ax: Axes,
    settings: Any,
    rows: pd.DataFrame,
    look: style.Series,
    *,
    label: str | None = None,
    aside: float = 0.0,
) -> None:
    """One condition or claim: a line where something is predicted, and markers with limits.

    Markers stand aside by a share of the width, so that those of several series can be seen.
    """
    x = _places(settings, rows)
    order = np.argsort(x)
    rows, x = rows.iloc[order], x[order]
    values = getattr(settings, settings.axis)
    wide = _are_numbers(values) and min(values) > 0 and max(values) >= 10 * min(values)
    predicted = rows["predicted"].to_numpy(float)
    if np.isfinite(predicted).any():
        promised = None if label is None else f"1 − δ, promised: {label}"
        style.curve(ax, x, predicted, series=look, label=promised)
    tolerance = rows["tolerance"].to_numpy(float) if "tolerance" in rows else np.zeros(len(x))
    if (tolerance > 0).any():
        style.band(ax, x, predicted - tolerance, predicted + tolerance, series=look)
    if wide:
        ax.set_xscale("log")
        moved = x * (max(values) / min(values)) ** aside
    else:
        places = range(len(values)) if not _are_numbers(values) else values
        moved = x + aside * (max(places) - min(places) or 1)
    style.points(
        ax, moved, rows["mean"], series=look, held=rows["held"], label=label,
        bars=(rows["low"], rows["high"]),
    )  # fmt: skip
    _ticks(ax, values)


def _ticks(ax: Axes, values: tuple[Any, ...]) -> None:
    """At the values themselves, some of them where they are many."""
    places = values if _are_numbers(values) else tuple(range(len(values)))
    step = -(-len(values) // MOST_TICKS)
    words = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    ax.set_xticks(places[::step], words[::step])
    ax.xaxis.set_minor_locator(NullLocator())


def caption(settings: Any, table: pd.DataFrame) -> str:
    """The statement, what is measured and with which limits."""
    statement = settings.statement
    limits = f"Bars: limits at {100 * CONFIDENCE:.2f} %"
    if isinstance(statement.claim, ByOutcome):
        measured = (
            "Markers: share of draws in which a condition certainly holds. "
            "Line: the share that is promised, 1 − δ, by the mean of δ. "
            "Hollow where the hypotheses hold in less than half of the draws."
        )
        limits += ", exact (Clopper–Pearson)"
    else:
        what = (
            "exponent or rate, fitted to the draws at all scales"
            if _scaled(settings)
            else "distance of distribution functions"
            if isinstance(statement.claim, Law)
            else "mean"
        )
        measured = f"Markers: the {what}. Line: what is claimed, the band its tolerance."
    values = written(getattr(settings, settings.axis)).replace(",", ", ")
    return (
        f"{statement.id}: {statement.title or statement.says}. {measured} {limits}; "
        f"{settings.draws} independent draws at each {settings.axis} of {values}."
    )
