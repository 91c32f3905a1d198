"""The picture of `depth`."""

from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.figures import style
from experiments.figures.deep.depth import LAWS, PAIRS, Settings, ratio
from experiments.figures.figure import Table
from theory.infinite_width.deep import fourth_moment_excess, ntk_second_moment_on_ray

LEVELS = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
TITLES = {"q": "mean square $q_L$", "theta": r"kernel $\Theta(x,x)$"}


def draw(settings: Settings, table: Table) -> Figure:
    """Variances against depth over width, and the kernel of two points against depth."""
    figure, grid = style.axes(1, 3, height=2.6)
    for ax, name in zip(grid[0], LAWS, strict=False):
        _variance(ax, settings, name, table[table.of == name])
    _limit(grid[0, 2], table[table.of == "limit"])
    style.letters(grid)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(LAWS) + 3
    )
    return figure


def on_ray(name: str, ratios: np.ndarray, slope: float) -> np.ndarray:
    """The variance in the limit of large depth and width at fixed L/n."""
    if name == "q":
        return np.expm1(fourth_moment_excess(slope) * ratios)
    return np.array([ntk_second_moment_on_ray(float(ratio), slope) - 1 for ratio in ratios])


def _variance(ax: Axes, settings: Settings, name: str, rows: Table) -> None:
    """Lines through the exact variances of every width; grey: where both grow."""
    for look, (n, own) in zip(style.SERIES, rows.groupby("n"), strict=False):
        places = own["depth"] / own["n"]
        style.curve(ax, places, own["predicted"], series=look)
        style.points(
            ax, places, own["mean"], series=look, bars=(own["low"], own["high"]),
            held=own["held"].astype(bool), label=f"n = {n}",
        )  # fmt: skip
    ends = rows["depth"] / rows["n"]
    along = np.geomspace(ends.min(), ends.max(), 60)
    ax.plot(
        along, on_ray(name, along, settings.slope), color=style.GREY, linewidth=0.8,
        linestyle=(0, (2, 2)), zorder=1, label="n → ∞ at this L/n",
    )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="depth / width", title=TITLES[name])
    ratios = [Fraction(s, 16) for s in settings.sixteenths]
    ax.set_xticks([float(r) for r in ratios], [str(r) for r in ratios])
    low, high = ax.get_ylim()
    places = [t for t in LEVELS if low <= t <= high]
    ax.set_yticks(places, [f"{t:g}" for t in places])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("variance / mean²")


def _limit(ax: Axes, rows: Table) -> None:
    depths = np.geomspace(rows["depth"].min(), rows["depth"].max(), 100)
    look = style.SERIES[2]
    style.curve(ax, depths, ratio(depths), series=look)
    style.points(ax, rows["depth"], rows["mean"], series=look, bars=(rows["low"], rows["high"]))
    ax.axhline(0.25, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
    ax.set(xscale="log", xlabel="depth L", title=r"$\Theta(x,x')\,/\,\Theta(x,x)$")


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    shapes, limit = table[table.of != "limit"], table[table.of == "limit"]
    believed = shapes[shapes.held.astype(bool)]
    outside = int(
        ((believed.predicted < believed.low) | (believed.predicted > believed.high)).sum()
    )
    return (
        f"Leaky ReLU networks (γ = {settings.slope:g}) at initialization. Lines, exact: (a) "
        "relative variance of the mean square of the last activations, deep.moments, (b) of the "
        "tangent kernel at a point, deep.ntk-fluctuation; dashes: depth and width to infinity at "
        f"their ratio. Markers: {int(shapes.draws.max()):,} networks of each shape, bars: "
        "intervals of 95 %. (c) Kernel of two points at infinite width against ¼ + ⅜(log L)/L, "
        f"{PAIRS} pairs. "
        "Hollow: draws too few for their skewness, as of laws that are nearly log-normal; nothing "
        f"is claimed there. Of {len(believed)} filled points of (a) and (b) {outside} have the "
        f"exact value outside their interval ({0.0455 * len(believed):.1f} expected). (c): bars of "
        "two standard errors over pairs; the line leaves out terms of the order 1/L, and is off by "
        f"{float((limit['mean'] - limit.predicted).abs().iloc[-1]):.2g} at the largest depth."
    )
