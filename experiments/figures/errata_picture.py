"""The picture of errata."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.style import SERIES, Series
from theory._wording import counted
from theory.perturbations import initialization
from theory.statements.separability.loss_level import LevelSetting

CORRECTED, PRINTED, BOUND = (
    Series(style.BLUE, "o", "-"),
    Series(style.VERMILLION, "o", (0, (5, 2))),
    Series(style.BLUE, "o", (0, (1, 1.2))),
)
LEVEL = LevelSetting().loss_level
MEASURED = Series(style.BLACK, "o", "-")
NAMES = {
    "variance": "eq. 9", "norm": "before (19)", "27": "eq. 27", "29": "eq. 29", "20": "eq. 20",
    "movement": "Lemma 3.5",
}  # fmt: skip


def draw(settings: Any, table: Table) -> Figure:
    """A panel for each erratum, and all measurements between corrected and printed value."""
    figure, grid = style.axes(2, 4, height=2.4, width=9.0)
    of = {name: table[table.erratum == name] for name in NAMES}
    _variance(grid[0, 0], of["variance"])
    _norm(grid[0, 1], of["norm"])
    _movement(grid[0, 2], of["movement"])
    _tail(grid[1, 0], of["27"], r"$P(\|W^\top Da\|^2\leq\frac{1}{2}\|Da\|^2)$", "27")
    _tail(grid[1, 1], of["29"], r"$P(\|W^\top Da\|^2\leq\frac{1}{16})$", "29")
    _sparse(grid[1, 2], of["20"])
    place = grid[0, 3].get_gridspec()[:, 3]
    for ax in grid[:, 3]:
        ax.remove()
    between = figure.add_subplot(place)
    _between(between, of)
    panels = [*grid[0, :3], *grid[1, :3], between]
    style.letters(np.array(panels))
    handles = [
        Line2D([], [], color=PRINTED.colour, linestyle=PRINTED.line, label="as printed"),
        Line2D([], [], color=CORRECTED.colour, label="corrected"),
        Line2D([], [], color=BOUND.colour, linestyle=BOUND.line, label="corrected bound"),
        Line2D([], [], color=MEASURED.colour, marker="o", linestyle="none", label="measured"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _measured(ax: Axes, x: Any, rows: Table, factor: Any = 1.0) -> None:
    low = np.asarray(rows.low * factor)
    bars = (low, np.asarray(rows.high * factor))
    held = rows.held.astype(bool)
    style.points(ax, x, rows["mean"] * factor, series=MEASURED, held=held, bars=bars)


def _variance(ax: Axes, rows: Table) -> None:
    m, d = int(rows.m.iloc[0]), np.arange(rows.d.min(), rows.d.max() + 1)
    exact = [k * initialization.alignment_variance(m, int(k)) for k in d]
    printed = [k * initialization.alignment_variance_as_printed(m, int(k)) for k in d]
    style.curve(ax, d, exact, series=CORRECTED)
    style.curve(ax, d, printed, series=PRINTED)
    _measured(ax, rows.d, rows, rows.d)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set(xlabel="dimension $d$", ylabel=r"$d\cdot\mathrm{Var}\,S$", title="eq. 9: variance")


def _norm(ax: Axes, rows: Table) -> None:
    ends = [rows.m.min(), rows.m.max()]
    style.curve(ax, ends, [0.5, 0.5], series=CORRECTED)
    style.curve(ax, ends, [0.25, 0.25], series=PRINTED)
    _measured(ax, rows.m, rows)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set(xlabel="width $m$", ylabel=r"$\mathbb{E}\|D_xa\|^2$", ylim=(0.2, 0.56))
    ax.set_title("before (19): readout norm")


def _movement(ax: Axes, rows: Table) -> None:
    style.curve(ax, rows.n, rows.predicted, series=CORRECTED)
    style.curve(ax, rows.n, rows.printed, series=PRINTED)
    _measured(ax, rows.n, rows)
    ax.set(xlabel="points $n$", ylabel=r"$m\,\mathbb{E}\|a_*-a\|^2$", ylim=(0, None))
    ax.set_title("Lemma 3.5: readout moves")


def _tail(ax: Axes, rows: Table, label: str, name: str) -> None:
    style.curve(ax, rows.d, rows.predicted, series=CORRECTED)
    style.curve(ax, rows.d, rows.bound, series=BOUND)
    style.curve(ax, rows.d, rows.printed, series=PRINTED)
    seen = rows[rows["mean"] > 0]
    _measured(ax, seen.d, seen)
    ax.set_yscale("log")
    ax.set(xlabel="dimension $d$", ylabel=label, ylim=(rows.printed.min() / 10, 3))
    ax.set_title(f"eq. {name}: tail at $m = {rows.m.iloc[0]}$")


def _sparse(ax: Axes, rows: Table) -> None:
    style.curve(ax, rows.m, rows.predicted, series=CORRECTED)
    style.curve(ax, rows.m, rows.printed, series=PRINTED)
    _measured(ax, rows.m, rows)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="width $m$", ylabel=r"$\mathbb{E}\,\sup_u|a^\top WW^\top u|^2$")
    ax.set_title(f"eq. 20: sparse $u$, $d = {rows.d.iloc[0]}$")


def _between(ax: Axes, of: dict[str, Table]) -> None:
    """(measured − corrected)/(printed − corrected): 0 as corrected, 1 as printed.

    Of tails and suprema, which span orders of magnitude, in logarithms.
    """
    ax.axvline(0, color=CORRECTED.colour, linewidth=1.2, zorder=1)
    ax.axvline(1, color=PRINTED.colour, linewidth=1.2, linestyle=PRINTED.line, zorder=1)
    ends_of_axis = [-0.6, 1.2]
    for number, ((name, rows), series) in enumerate(zip(of.items(), SERIES, strict=True)):
        scale = np.log if name in ("27", "29", "20") else np.asarray
        rows = rows[rows["mean"] > 0]
        low = np.where(rows.low > 0, rows.low, rows["mean"])
        corrected, printed = scale(rows.predicted), scale(rows.printed)

        def place(values: Any, c: Any = corrected, p: Any = printed, f: Any = scale) -> Any:
            return (np.asarray(f(values)) - c) / (p - c)

        mean = np.asarray(place(rows["mean"]))
        ends = np.sort([place(low), place(rows.high)], axis=0)
        y = -number + np.linspace(0.3, -0.3, len(rows))
        if len(mean):
            ends_of_axis = [min(ends_of_axis[0], mean.min()), max(ends_of_axis[1], mean.max())]
        lengths = np.clip([mean - ends[0], ends[1] - mean], 0, None)
        ax.errorbar(
            mean, y, xerr=lengths, fmt="none", ecolor=series.colour, elinewidth=0.8, capsize=1.2,
            zorder=3,
        )  # fmt: skip
        held = rows.held.to_numpy(bool)
        for chosen, face in ((held, series.colour), (~held, "white")):
            ax.plot(
                mean[chosen], y[chosen], linestyle="none", marker=series.marker, markersize=3.2,
                color=series.colour, markerfacecolor=face, markeredgewidth=0.8, zorder=4,
            )  # fmt: skip
    ax.set_yticks(range(0, -len(of), -1), [NAMES[name] for name in of])
    ax.set(xlim=(ends_of_axis[0] - 0.05, ends_of_axis[1] + 0.05), ylim=(0.6 - len(of), 0.6))
    ax.set_xticks([0, 1], ["corrected", "printed"])
    ax.set_title("all of them")
    ax.grid(visible=False, axis="y")


def caption(settings: Any, table: Table) -> str:
    """What the picture shows, how far the corrected forms are off, and what was left out."""
    exact = table[table.held.astype(bool)]
    never = int((table["mean"] == 0).sum())
    unseen = (
        f" Events that no network showed, at {counted(never, 'point')}, have no place in "
        "logarithms and are not drawn."
        if never
        else ""
    )
    outside = int((exact.z.abs() > 2).sum())
    wrong = table[table.erratum.isin(["27", "29"])]
    violated = int((wrong.low > wrong.printed).sum())
    return (
        "Formulas as printed in Zhang et al. 2023 (see docs/errata.md) against their corrected "
        "forms. Bars: two standard errors, for frequencies exact Clopper–Pearson intervals at "
        "95.45 %. (a) Var S of S = aᵀWWᵀD_x a times d, (b) the norm of the active readout, each "
        f"over {settings.draws:,} random networks a point. (c) Squared movement of the readout of "
        f"{settings.trained_draws:,} networks of width {settings.trained_width:,} trained on n "
        f"orthogonal points in d = {settings.points} dimensions until the logistic loss is at "
        f"most ϵ = {LEVEL:g}; line: the same in the kernel limit, from the same outputs at "
        "initialization. (d, e) Tails of the proof of Lemma 6.1: solid the "
        "exact law, dotted the corrected bound, dashed the printed bound, which frequencies of "
        f"{settings.draws:,} networks exceed significantly at {violated} of {len(wrong)} points. "
        "(f) Squared supremum of |aᵀWWᵀu| over ‖u‖ = 1 with at most m/ln²m entries, over "
        f"{settings.sparse_draws:,} networks a point; printed: at most 2². (g) The measurements "
        f"on a scale from the corrected to the printed form ((d–f) in logarithms).{unseen} Filled: "
        "the corrected form is exact, or (c) its hypothesis m > 4nd and the loss hold; hollow: "
        "they do not. Of "
        f"{len(exact)} filled points "
        f"{outside} are more than two standard errors from the corrected form "
        f"({0.0455 * len(exact):.1f} expected). The exponent in Theorem 3.6 has no panel, and "
        "notes in docs/errata.md that are no misprints are not drawn."
    )
