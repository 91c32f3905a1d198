"""The picture of ntk-rates."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.style import SERIES

TITLES = {
    "spread": r"$\|\Theta_m-\Theta\|_F^2\,/\,\|\Theta\|_F^2$",
    "kernel": r"$\|\Theta_m-\Theta\|\,/\,\|\Theta\|$",
    "dynamics": r"$\sup\,|f_m-f_\infty|$",
    "linearization": r"$\sup\,|f_m-f_{\mathrm{lin}}|$",
    "movement": r"$\|\Delta\theta\|\,/\,\|\theta(0)\|$",
    "mean": r"mean of $y\,(f_\infty-f_m)$",
}
SHORT = {
    "spread": "kernel, squared", "kernel": "kernel", "dynamics": "training",
    "linearization": "linearization", "movement": "movement", "mean": "mean", "smooth": "mean",
}  # fmt: skip


def draw(settings: Any, table: Table) -> Figure:
    """Six quantities against the width in log-log, and beside them the fitted exponents."""
    figure, grid = style.axes(2, 4, height=2.5, width=9.0, width_ratios=[1, 1, 1, 1.25])
    panels = [ax for row in grid for ax in row[:3]]
    for ax, (quantity, title) in zip(panels, TITLES.items(), strict=True):
        chosen = [quantity, "smooth"] if quantity == "mean" else [quantity]
        _against_width(ax, table[table.quantity.isin(chosen)])
        ax.set_title(title)
    for ax in grid[1, :3]:
        ax.set_xlabel("width $m$")
    place = grid[0, 3].get_gridspec()[:, 3]
    for ax in grid[:, 3]:
        ax.remove()
    exponents = figure.add_subplot(place)
    _exponents(exponents, table[table.exponent.notna()])
    style.letters(np.array([*panels, exponents]))
    return figure


def _curves(table: Table) -> list[tuple[str, Table]]:
    """The networks of a panel in the table's order."""
    return [(name, table[table.curve == name]) for name in table.curve.unique()]


def _against_width(ax: Axes, table: Table) -> None:
    """Means over draws, with the law as a line or else the claimed power in grey."""
    points = table[table.m.notna()]
    curves = [c for c in _curves(points) if not c[0].endswith("max")]
    for series, (name, rows) in zip(SERIES, curves, strict=False):
        if rows.predicted.notna().all():
            style.curve(ax, rows.m, rows.predicted, series=series)
        else:
            ax.plot(
                rows.m, rows.reference, color=style.GREY, linewidth=0.8, linestyle=(0, (2, 2)),
                zorder=1,
            )  # fmt: skip
        style.points(
            ax, rows.m, rows["mean"], rows.standard_error, series=series,
            label=_name(name), held=rows.held.astype(bool),
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    widths = sorted(points.m.unique())
    ax.set_xticks(widths[:: max(1, len(widths) // 4)])
    exponent = max(widths) > 9999  # what has no room in full
    ax.xaxis.set_major_formatter(
        lambda value, _: f"$2^{{{np.log2(value):.0f}}}$" if exponent else f"{value:g}"
    )
    ax.yaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    ax.set_ylim(low / (high / low) ** (0.11 * len(curves)), high)
    ax.legend(loc="lower left", fontsize=6, handletextpad=0.1, borderaxespad=0.1)


def _name(curve: str) -> str:
    return (
        curve.removesuffix(", operator")
        .replace("frozen readout", "frozen")
        .replace("all trained", "all")
        .replace(" loss", "")
        .replace("hidden layer", "hidden")
        .replace("frozen, ReLU, squared, hidden", "frozen, hidden")
        .replace("all, γ = 0.5, logistic, ", "all, ")
    )


def _exponents(ax: Axes, fits: Table) -> None:
    """Fitted exponents with their intervals, beside what is claimed."""
    fits = fits[~fits.curve.str.endswith("max")]  # the same rates as those of the norms
    looks = dict(zip(SHORT, SERIES * 2, strict=False))
    labels = []
    for place, row in enumerate(fits.itertuples()):
        y = len(fits) - place
        series = looks[row.quantity]
        ax.plot([row.claimed] * 2, [y - 0.42, y + 0.42], color=style.BLACK, linewidth=1.4, zorder=2)
        if row.side == "at most":
            ax.annotate(
                "", (row.claimed - 0.09, y), (row.claimed, y),
                arrowprops={"arrowstyle": "->", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
        ax.errorbar(
            row.exponent, y, xerr=[[row.exponent - row.low], [row.high - row.exponent]],
            fmt=series.marker, color=series.colour, capsize=1.5, elinewidth=0.9, zorder=3,
            markersize=3.5, markerfacecolor=series.colour if row.held else "white",
        )  # fmt: skip
        labels.append(f"{SHORT[row.quantity]} ({_name(row.curve)})")
    ax.set_yticks(range(len(fits), 0, -1), labels, fontsize=6)
    ax.yaxis.tick_right()
    ax.set_ylim(0.3, len(fits) + 0.7)
    ax.set(xlabel="exponent of $m$", title="fitted, and claimed")
    ax.spines["right"].set_visible(True)
    ax.spines["left"].set_visible(False)
    key = [Line2D([], [], color=style.BLACK, linewidth=1.4, label="claimed")]
    ax.legend(handles=key, loc="upper center", bbox_to_anchor=(0.45, 0.8), fontsize=6.5)


def caption(settings: Any, table: Table) -> str:
    """What the picture shows, how far points are from laws, and exponents from claims."""
    fits, points = table[table.exponent.notna()], table[table.m.notna()]
    fits = fits[~fits.curve.str.endswith("max")]
    laws = points[points.predicted.notna()]
    outside = int((laws.z.abs() > 2).sum())
    return (
        "Two-layer networks of finite width against their infinite-width limit, points "
        f"{settings.data}. Measured: means over {settings.draws:,} draws of points and networks "
        f"(mean correction: {settings.mean_draws:,}), bars two standard errors; widths share "
        "their points, and in (f) their neurons. (a) Coloured lines: E‖Θ_m − Θ‖_F² = C/m, exact "
        "at every width. (b) Operator norm. (c) Largest distance over steps and test points of "
        "training from the limiting dynamics with the same initial outputs, (d) from the "
        "network linearized in its initial weights. (e) Relative movement of the weights. "
        "(f) What the mean over networks lacks under the identity loss: coloured lines C/√m "
        "with kinks and C/m without (erf), C computed from the points; no law is known for "
        "all weights trained. Grey dashed lines have the claimed exponent and the height of the "
        "points: −½ for all but the squared norm and erf, −1; linearization at most −½, drawn "
        "through the smallest width (fluctuations alone give −¾). (g) Exponents fitted to the "
        "means, with bootstrap intervals at 95.45 %; filled where the interval meets the claim "
        "within 0.05, which finite widths may bend the line by (squared norm: no allowance). The "
        "statements have no hypotheses: all points in (a–f) are filled. "
        f"Of {len(laws)} points with a law {outside} miss it by more than two standard errors "
        f"({0.0455 * len(laws):.1f} expected, but in (f) widths miss it together); "
        f"{int(fits.held.sum())} of {len(fits)} exponents agree with their claim."
    )
