"""The picture of a sweep: shares and rates along one parameter, a phase map over two."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from experiments.figures import style
from experiments.figures.frames import chosen
from experiments.plots import slices, ticks
from experiments.plots.slices import ALL, CONCLUSION, FAILURES, Axis, Slice
from experiments.plots.words import folded, short
from experiments.report.words import MEANINGS, number_text
from experiments.settings.text import written
from theory._wording import counted

MOST_TICKS, MOST_CLAIMS, MOST_SERIES = 8, 6, 10
LETTERED = 24  # cells along an axis up to which a letter has room
STATES = {  # verdict or status → colour, letter
    "consistent": (style.SKY, "c"),
    "refuted": (style.VERMILLION, "r"),
    "vacuous": ("#E4E4E4", "v"),
    "inconclusive": (style.YELLOW, "i"),
    "failed": ("#8C8C8C", "×"),
    "": ("#FFFFFF", "·"),
}
SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", style.SKY, style.BLUE, "#00253A"])
APART = LinearSegmentedColormap.from_list("apart", [style.BLUE, "#FFFFFF", style.VERMILLION])


def draw(piece: Slice, table: pd.DataFrame) -> Figure:
    """The picture of a slice with one axis or two."""
    figure = _lines(piece, table) if len(piece.axes) == 1 else _maps(piece, table)
    figure.suptitle(folded(piece.title, 100, 2), fontsize=8.5)
    return figure


# --- along one parameter --------------------------------------------------------------------------


def _lines(piece: Slice, table: pd.DataFrame) -> Figure:
    (axis,) = piece.axes
    names = _names(table)
    shares = [n for n in names if n in (ALL, CONCLUSION) or _is_share(table, n)]
    if shares[1:2] == [ALL]:
        shares.remove(ALL)  # of one hypothesis
    # What is claimed of several quantities has a panel for each, those of one unit none knows.
    claims = [n for n in names if n not in shares and n != FAILURES][:MOST_CLAIMS]
    panels = ([("shares", shares)] if shares else []) + (
        [(FAILURES, [FAILURES])] if FAILURES in names else []
    )
    panels += [(name, [name]) for name in claims]
    columns = min(2, max(1, len(panels)))
    rows = -(-max(1, len(panels)) // columns)
    figure, grid = style.axes(rows, columns, height=2.6)
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (what, series) in zip(grid.flat, panels, strict=False):
        looks = itertools.cycle(style.SERIES)
        for number, (name, look) in enumerate(zip(series[:MOST_SERIES], looks, strict=False)):
            aside = 0.012 * (number - (len(series[:MOST_SERIES]) - 1) / 2)
            _along(ax, axis, chosen(table, series=name), look, aside=aside, label=short(name, 30))
        _along_axis(ax, axis, table)
        if what == "shares":
            ax.set(ylim=(-0.03, 1.03), ylabel="share of draws that hold")
            ax.legend(loc="best", fontsize=6)
        else:
            ax.set_ylabel("share of draws that count" if what == FAILURES else "measured")
            ax.set_title(folded(what, 46, 2))
    if not panels:
        ax = grid[0, 0]
        ax.set_visible(True)
        ax.text(0.5, 0.5, "no finished cell has anything to show", ha="center", va="center",
                transform=ax.transAxes)  # fmt: skip
        ax.set(xticks=[], yticks=[])
    figure.legend(handles=_key(table), loc="outside lower center", ncols=5, fontsize=6.5)
    return figure


def _names(table: pd.DataFrame) -> list[str]:
    """Names of the series, without the hypotheses together where there is one at most."""
    names = [str(name) for name in dict.fromkeys(table["series"].dropna()) if name]
    if ALL in names and names.index(ALL) == 0:
        names.remove(ALL)  # without hypotheses all of them hold
    return names


def _is_share(table: pd.DataFrame, name: str) -> bool:
    """Whether a series is the share of draws in which a condition holds: nothing is claimed."""
    return name != FAILURES and bool(chosen(table, series=name)["claimed"].isna().all())


def _places(axis: Axis, values: Sequence[object]) -> np.ndarray:
    """Where the values stand: numbers at themselves, words one after another."""
    if axis.numeric:
        return np.array(values, float)
    return np.array([axis.values.index(value) for value in values], float)


def _wide(axis: Axis) -> bool:
    """Whether the values have room on a logarithmic scale only."""
    if not axis.numeric:
        return False
    values = np.array(axis.values, float)
    return bool(values.min() > 0 and values.max() >= 10 * values.min())


def _along(
    ax: Axes, axis: Axis, rows: pd.DataFrame, look: style.Series, *, aside: float, label: str
) -> None:
    """One series: markers with limits, hollow unless consistent, and a line where it is claimed."""
    x = _places(axis, list(rows[axis.name]))
    order = np.argsort(x)
    rows, x = rows.iloc[order], x[order]
    claimed = rows["claimed"].to_numpy(float)
    tolerance = np.nan_to_num(rows["tolerance"].to_numpy(float))
    if np.isfinite(claimed).any():
        ax.plot(x, claimed, color=style.BLACK, linestyle=(0, (5, 2)), linewidth=1.0, zorder=2)
        if (tolerance > 0).any():
            ax.fill_between(
                x, claimed - tolerance, claimed + tolerance, color=style.POSITIVE, linewidth=0
            )
    every = _places(axis, list(axis.values))
    if _wide(axis):
        moved = x * (every.max() / every.min()) ** aside
    else:
        moved = x + aside * (np.ptp(every) or 1)
    if axis.numeric:  # a line, with gaps where cells are missing
        value = dict(zip(x, rows["value"].to_numpy(float), strict=True))
        along = np.sort(every)
        ax.plot(
            along, [value.get(place, np.nan) for place in along], color=look.colour,
            linewidth=0.5, alpha=0.5,
        )  # fmt: skip
    style.points(
        ax, moved, rows["value"], series=look, label=label,
        held=(rows["verdict"] == "consistent").to_numpy(bool), bars=(rows["low"], rows["high"]),
    )  # fmt: skip


def _along_axis(ax: Axes, axis: Axis, table: pd.DataFrame) -> None:
    """Ticks at the values, and a mark at cells that failed or are not finished."""
    if _wide(axis):
        ax.set_xscale("log")
    places = _places(axis, list(axis.values))
    step = -(-len(places) // MOST_TICKS)
    order = np.argsort(places)[::step]
    ax.set_xticks(places[order], [_tick(axis.values[i]) for i in order])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(folded(axis.label, 48, 2))
    lost = table[table["status"] == "failed"]
    for value in dict.fromkeys(lost[axis.name]):
        (x,) = _places(axis, [value])
        ax.axvline(x, color=style.GREY, linewidth=0.6, linestyle=(0, (1, 2)), zorder=0)
        ax.annotate("failed", (x, 1), xycoords=("data", "axes fraction"), rotation=90, va="top",
                    ha="right", fontsize=6, color=style.GREY)  # fmt: skip


def _tick(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return short(written(value), 14)
    return f"{value}" if isinstance(value, int) and abs(value) < 1e6 else number_text(float(value))


def _key(table: pd.DataFrame) -> list:
    keys = style.key_of_markers(predicted=False, hollow=False)
    keys[0].set_label("consistent")
    (hollow,) = style.key_of_markers(predicted=False)[1:]
    hollow.set_label("any other verdict")
    keys.append(hollow)
    if bool(table["claimed"].notna().any()):
        line = style.Line2D([], [], color=style.BLACK, linestyle=(0, (5, 2)))
        line.set_label("allowed or claimed")
        keys.append(line)
    return keys


# --- over two -------------------------------------------------------------------------------------


def _maps(piece: Slice, table: pd.DataFrame) -> Figure:
    names = _names(table)
    shown = [n for n in (ALL, CONCLUSION, FAILURES) if n in names]
    hypotheses = [n for n in names if n not in shown and _is_share(table, n)]
    claims = [n for n in names if n not in (*shown, *hypotheses)]
    if not shown:
        shown = hypotheses[:1]
    shown += claims[: 3 - min(2, len(shown))]
    columns = min(2, 1 + len(shown))
    rows = -(-(1 + len(shown)) // columns)
    tall = 2.5 if len(piece.axes[0].values) <= 12 else 3.0
    figure, grid = style.axes(rows, columns, height=tall)
    for ax in grid.flat[1 + len(shown) :]:
        ax.set_visible(False)
    for ax in grid.flat[: 1 + len(shown)]:
        _map_axes(ax, piece.axes)
    _states(grid.flat[0], piece, table)
    for ax, name in zip(grid.flat[1:], shown, strict=False):
        _values(figure, ax, piece, chosen(table, series=name), name)
    present = [s for s in STATES if s in _grid_of_states(piece, table)]
    words = {"": "not finished"}
    handles = [
        Patch(facecolor=STATES[s][0], edgecolor=style.GREY, linewidth=0.4,
              label=f"{STATES[s][1]}: {words.get(s, s)}")
        for s in present
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=6.5)
    return figure


def _at(piece: Slice, row: Mapping[Any, Any]) -> tuple[int, int]:
    first, second = piece.axes
    return first.values.index(row[first.name]), second.values.index(row[second.name])


def _grid_of_states(piece: Slice, table: pd.DataFrame) -> np.ndarray:
    states = np.full([len(axis.values) for axis in piece.axes], "", object)
    for row in table.to_dict(orient="records"):
        states[_at(piece, row)] = row["verdict"] or row["status"]
    return states


def _states(ax: Axes, piece: Slice, table: pd.DataFrame) -> None:
    states = _grid_of_states(piece, table)
    kinds = list(STATES)
    numbers = np.vectorize(kinds.index, otypes=[float])(states)
    colours = ListedColormap([STATES[kind][0] for kind in kinds])
    ax.imshow(numbers, cmap=colours, vmin=-0.5, vmax=len(kinds) - 0.5, aspect="auto",
              origin="lower")  # fmt: skip
    if max(states.shape) <= LETTERED:
        for (row, column), state in np.ndenumerate(states):
            ax.text(column, row, STATES[state][1], ha="center", va="center", fontsize=6.5)
    ax.set_title("verdict")


def _values(figure: Figure, ax: Axes, piece: Slice, rows: pd.DataFrame, name: str) -> None:
    """A map of shares, of the failure rate, or of how far an estimate is from what is claimed."""
    values = np.full([len(axis.values) for axis in piece.axes], np.nan)
    claim = bool(rows["claimed"].notna().any()) and name != FAILURES
    for row in rows.to_dict(orient="records"):
        values[_at(piece, row)] = row["value"] - (row["claimed"] if claim else 0)
    known = values[np.isfinite(values)]
    if claim:
        tolerance = rows["tolerance"].to_numpy(float)
        size = float(np.nanmax([*abs(known), *tolerance], initial=0.0)) or 1.0
        limits, colours = (-size, size), APART
        title = f"{name}: measured − claimed"
    else:
        limits, colours = (0.0, 1.0), SHARES
        title = name if name == FAILURES else f"share of draws: {name}"
    ax.set_facecolor("#F2F2F2")
    image = ax.imshow(
        np.ma.masked_invalid(values), cmap=colours, vmin=limits[0], vmax=limits[1],
        aspect="auto", origin="lower",
    )  # fmt: skip
    bar = figure.colorbar(image, ax=ax, pad=0.02)
    ticks.linear(bar.ax.yaxis)
    ax.set_title(folded(title, 44, 2))


def _map_axes(ax: Axes, axes: tuple[Axis, ...]) -> None:
    """The second axis across, the first upwards, a place for each value."""
    first, second = axes
    for axis, set_ticks, set_label in (
        (second, ax.set_xticks, ax.set_xlabel),
        (first, ax.set_yticks, ax.set_ylabel),
    ):
        step = -(-len(axis.values) // MOST_TICKS)
        places = list(range(len(axis.values)))[::step]
        set_ticks(places, [_tick(axis.values[i]) for i in places])
        set_label(folded(axis.label, 36, 2))
    ax.grid(visible=False)


# --- words ----------------------------------------------------------------------------------------


def caption(piece: Slice, table: pd.DataFrame) -> str:
    """What the picture shows, in at most 80 words, and what else there is to know below it."""
    manifest = piece.store.manifest
    names = ", ".join(axis.name for axis in piece.axes)
    per_cell = 1 - manifest["level"] / sum(1 for _ in piece.store.cells())
    if len(piece.axes) == 1:
        what = (
            "Markers: shares of draws, failure rates or estimates with their limits, filled where "
            "the cell's verdict is consistent; dashed: what is allowed or claimed."
        )
    else:
        what = (
            "A square for each cell: its verdict, and beside it shares of draws, the failure rate, "
            "or how far an estimate is from its claim."
        )
    each = table.drop_duplicates([axis.name for axis in piece.axes])
    counts = (each["verdict"].where(each["verdict"] != "", each["status"])).value_counts()
    found = [f"{counts[s]} {s or 'not finished'}" for s in STATES if s in counts]
    lost = [
        f"{row['error']}" for row in each.to_dict(orient="records") if row["status"] == "failed"
    ]
    details = [
        f"Cells: {', '.join(found)}.",
        *(f"{word.capitalize()}: {says}." for word, says in MEANINGS.items() if word in counts),
        f"Limits at {100 * per_cell:.4g} % in each cell, exact (Clopper–Pearson) for shares and "
        f"rates. Cells share their random numbers. {slices.settings(manifest)}",
        f"The first cell that failed: {lost[0]}" if lost else "",
    ]
    head = f"{piece.title} over {names}, {counted(manifest['draws'], 'draw')} in each cell. {what}"
    return f"{head}\n\n## Details\n\n" + "\n\n".join(line for line in details if line)
