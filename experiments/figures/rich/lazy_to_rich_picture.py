"""The picture of lazy-to-rich."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.rich.lazy_to_rich import Settings


def draw(settings: Settings, table: Table) -> Figure:
    """Scale, path and number of neurons."""
    figure, grid = style.axes(1, 3, height=2.6)
    for ax, of, name in zip(grid[0], ("scale", "path", "width"), ("α", "α", "N"), strict=True):
        _panel(ax, table[table.panel == of])
        ax.set(xscale="log", yscale="log", xlabel=name)
        ax.legend(fontsize=6.5)
        ax.yaxis.set_minor_formatter(NullFormatter())
    grid[0, 0].set(title="distance from linearization", xlabel="scale α")
    grid[0, 1].set(title="norm / least norm", xlabel="initial weights α", yscale="linear")
    grid[0, 2].set(title="sup |R_N − R_∞|", xlabel="neurons N")
    numbers = sorted(table[table.panel == "width"]["x"].unique())
    grid[0, 2].set_xticks(numbers, [f"{number:g}" for number in numbers])
    grid[0, 2].xaxis.set_minor_locator(NullLocator())
    style.letters(grid)
    return figure


def _panel(ax: Axes, rows: Table) -> None:
    curves = rows.groupby(["d", "curve"], sort=False)
    for look, ((d, name), own) in zip(style.SERIES, curves, strict=False):
        measured = own[own["mean"].notna()]
        law = own if own.panel.iloc[0] == "scale" else own[own["mean"].isna()]
        if len(law):
            style.curve(ax, law["x"], law["predicted"], series=look)
        style.points(
            ax, measured["x"], measured["mean"], measured["standard_error"], series=look,
            label=f"d = {d}, {name}" if d else name,
        )  # fmt: skip
        if d and name == rows.curve.iloc[0]:
            x = measured["x"].to_numpy(float)
            through = float(measured["mean"].iloc[-1]) * np.sqrt(x[-1] / x)
            ax.plot(x, through, color=style.GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)


def slope(rows: Table) -> float:
    """Exponent of the last half of the measured points, of two at least."""
    own = rows[rows["mean"].notna()]
    own = own.iloc[min(len(own) // 2, len(own) - 2) :]
    return float(
        np.polyfit(np.log(own["x"].astype(float)), np.log(own["mean"].astype(float)), 1)[0]
    )


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    scale, width = table[table.panel == "scale"], table[table.panel == "width"]
    worst = float((scale["mean"] / scale["predicted"]).max())
    alphas = [f"{slope(own):.2f}" for _, own in scale.groupby("curve", sort=False)]
    powers = [f"{slope(own):.2f}" for _, own in width.groupby(["d", "curve"], sort=False)]
    return (
        "Out of the lazy regime. (a) tanh networks of scale α after time t: root mean square "
        "of f − f̄, f̄ the linearized network; lines: the bound 0.77·t²/α. (b) Interpolations "
        "that diagonal networks find from weights α, in the ℓ₂ and ℓ₁ norm over the least "
        "ones; lines: minimizers of the hypentropy potential. (c) Largest distance of the risk "
        "of N neurons from its mean field; grey: N^(−1/2) through the last point. (a) 8 unit "
        f"points in 8 dimensions, 32 neurons, {settings.networks} draws; the largest share of "
        f"the bound is {worst:.1e}, and exponents of the larger half of scales are "
        f"{', '.join(alphas)}, claimed at most −1. (b) 4 unit points in 12 dimensions, "
        f"{settings.problems} draws, {settings.steps:,} steps of descent; lines are means over "
        f"the same draws, nothing is fitted. (c) {settings.flows} draws, T = 2; exponents of "
        f"the larger half are {', '.join(powers)}, claimed at most −0.5. Bars: two standard "
        "errors."
    )
