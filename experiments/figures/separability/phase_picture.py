"""The picture of separability-phase."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.style import SERIES, Series

BOUND = Series(style.VERMILLION, "o", (0, (4, 2)))
LIMIT = Series(style.GREY, "o", (0, (2, 2)))
AXES = {"m": "width $m$", "d": "dimension $d$", "n": "noises $n$"}
FEW = 4  # sizes of the curves against n


def draw(settings: Any, table: Table) -> Figure:
    """Two maps and curves of the share of draws separated; below, −log P along the lines."""
    figure, grid = style.axes(2, 3, height=2.5, width=7.4)
    separated = table[table.part == "separated"]
    guarantee = table[table.part == "guarantee"]
    n, m = separated.n.max(), separated.m.max()
    shown = _map(grid[0, 0], separated[separated.n == n], guarantee[guarantee.n == n], "m")
    grid[0, 0].set_title(f"$n = {n:g}$ noises")
    _map(grid[0, 1], separated[separated.m == m], guarantee[guarantee.m == m], "n")
    grid[0, 1].set_title(f"width $m = {m:g}$")
    bar = figure.colorbar(shown, ax=grid[0, :2].tolist(), fraction=0.04, pad=0.02)
    bar.set_label("draws with all noises separated", fontsize=7)
    _against_n(grid[0, 2], separated)
    _growth(grid[1, 0], table, ["dimension"], f"dimension $d$, at $m = {settings.wide}$")
    _growth(grid[1, 1], table, ["width"], f"width $m$, at $d = {settings.long}$")
    _growth(grid[1, 2], table, _rays(table), r"width $m$, at $d = \kappa m$")
    style.letters(grid)
    return figure


def _map(ax: Axes, rows: Table, guarantee: Table, across: str) -> Any:
    """Share of draws separated over the dimension and m or n; the theorem's bound as a line."""
    values = rows.pivot(index=across, columns="d", values="mean")
    u, v = (np.log2(np.asarray(axis, float)) for axis in (values.columns, values.index))
    shown = ax.pcolormesh(
        u, v, values.to_numpy(), cmap="cividis", vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    held = rows.held.astype(bool)
    for chosen, face in ((held, "white"), (~held, "none")):
        ax.plot(
            np.log2(rows.d[chosen]), np.log2(rows[across][chosen]), linestyle="none", marker="o",
            markersize=2.2, color="white", markerfacecolor=face, markeredgewidth=0.6,
        )  # fmt: skip
    limits = ax.get_xlim(), ax.get_ylim()
    guarantee = guarantee.drop_duplicates().sort_values(across)
    style.curve(
        ax, np.log2(guarantee.d), np.log2(guarantee[across]), series=BOUND, label="$1-nP=1/2$"
    )
    ax.set(xlim=limits[0], ylim=limits[1], xlabel=AXES["d"], ylabel=AXES[across])
    _powers(ax.xaxis, values.columns)
    _powers(ax.yaxis, values.index)
    ax.grid(visible=False)
    place = "lower right" if across == "m" else "upper left"
    legend = ax.legend(loc=place, frameon=True, framealpha=0.9, handlelength=1.6)
    legend.get_frame().set_linewidth(0)
    return shown


def _powers(axis: Any, values: Any) -> None:
    """Ticks of an axis of base-2 logarithms, labelled by the values themselves."""
    values = np.asarray(values, float)
    values = values[:: max(1, len(values) // 6)]
    axis.set_ticks(np.log2(values), [f"{value:g}" for value in values])
    axis.set_minor_locator(NullLocator())


def _against_n(ax: Axes, separated: Table) -> None:
    """Share separated against n, for networks as wide as the dimension."""
    square = separated[(separated.m == separated.d) & (separated.m > separated.m.min())]
    for series, (size, rows) in zip(SERIES, list(square.groupby("m"))[:FEW], strict=False):
        style.curve(ax, rows.n, rows.predicted, series=series)
        ax.plot(rows.n, rows.bound, color=series.colour, linewidth=0.7, linestyle=":", zorder=1)
        style.points(
            ax, rows.n, rows["mean"], series=series, held=rows.held.astype(bool),
            label=f"{size:g}", bars=(rows.low, rows.high),
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(sorted(square.n.unique())[::2]))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set(xlabel=AXES["n"], ylabel="draws with all separated", ylim=(-0.03, 1.03))
    ax.legend(title="$m = d$", loc="lower left", title_fontsize=7, handletextpad=0.2)


def _shown(lines: list[str]) -> list[str]:
    """Three of many lines, which is what an axis takes."""
    return lines[:: max(1, len(lines) // 3)][:3]


def _rays(table: Table) -> list[str]:
    return [name for name in table.line.dropna().unique() if name.startswith("ray")]


def _growth(ax: Axes, table: Table, lines: list[str], label: str) -> None:
    """−log P(S ≤ 0) along lines, with the exact law, its asymptotic slope and the fitted one."""
    said = []
    for series, line in zip(SERIES, _shown(lines), strict=False):
        rows = table[table.line == line]
        measured, law = rows[rows.part == "failure"], rows[rows.part == "law"]
        fit = rows[rows.part == "fit"].iloc[0]
        seen = measured[measured["mean"] > 0]
        high = np.where(seen.low > 0, seen.low, seen["mean"] / 10)
        style.curve(ax, law.scale, -np.log(law.predicted), series=series)
        style.points(
            ax, seen.scale, -np.log(seen["mean"]), series=series,
            bars=(-np.log(seen.high), -np.log(high)),
        )  # fmt: skip
        last = law.iloc[-1]
        start = -np.log(last.predicted) - fit.asymptotic * (last.scale - law.scale)
        ax.plot(law.scale, start, color=LIMIT.colour, linestyle=LIMIT.line, linewidth=0.8, zorder=1)
        half = (fit.high - fit.low) / 2
        name = f"$\\kappa = {line.split()[1]}$: " if line.startswith("ray") else ""
        said.append((series, f"{name}{fit['mean']:.3f} ± {half:.3f}", fit))
    ax.set(xlabel=label, ylabel=r"$-\log\,P(S\leq0)$")
    for row, (series, text, fit) in enumerate(said):
        single = f"fitted {text}\nlaw {fit.predicted:.3f}, limit {fit.asymptotic:.3f}"
        several = f"{text} ({fit.predicted:.3f}; {fit.asymptotic:.3f})"
        ax.annotate(
            single if len(said) == 1 else several,
            (0.99, 0.03 + 0.085 * (len(said) - 1 - row)),
            xycoords="axes fraction", ha="right", va="bottom", fontsize=6,
            color=style.BLACK if len(said) == 1 else series.colour,
        )  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_ylim(low - (0.36 if len(said) > 1 else 0.1) * (high - low), high)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= high])


def caption(settings: Any, table: Table) -> str:
    """What the picture shows, and how far the measurements are from the law."""
    separated = table[table.part == "separated"]
    exact = pd.concat([separated[separated.n == 1], table[table.part == "failure"]])
    outside = int((exact.z.abs() > 2).sum())
    below = int((separated[separated.n > 1].z < -2).sum())
    rays = _rays(table)
    some = f" (f) shows {len(_shown(rays))} of the {len(rays)} rays." if len(rays) > 3 else ""
    return (
        "Thm 3.1 of Zhang et al. 2023: v = −Wᵀa separates the one-step noises of n points of norm "
        "√d, uniform on the sphere, where S_k = aᵀWWᵀD_k a > 0 for all of them. "
        "(a, b) Measured: share of "
        f"{settings.draws:,} random ReLU networks a cell that separate all n. Line: where the "
        "theorem with exact constants, 1 − nP with P = P(S ≤ 0), promises ½. Filled dots: it "
        "promises something (nP < 1); hollow: nothing. (c) The same against n for m = d. Lines: "
        "(1 − P)^n, a lower bound for independent points, exact at n = 1; dotted: 1 − nP; filled "
        f"where nP < 1. (d–f) One noise a network, {settings.rate_draws:,} networks a point: "
        "−log of the frequency of S ≤ 0. Lines: the exact law; dashed grey: its asymptotic "
        "slope through the last point, ½ log 2 per dimension for m ≫ d, log 2 per neuron for "
        "d ≫ m, J(κ) per neuron on rays d = κm. Numbers: rate fitted to the counts by binomial "
        "likelihood, with its interval (in brackets in (f): the same fit to the exact law, the "
        f"asymptotic rate).{some} "
        "Bars: exact Clopper–Pearson intervals at 95.45 %, the level of two standard errors. "
        f"Of {len(exact)} frequencies with an exact prediction {outside} differ from it by more "
        f"than two standard errors ({0.0455 * len(exact):.1f} expected); {below} of "
        f"{int((separated.n > 1).sum())} lie so far below the bound."
    )
