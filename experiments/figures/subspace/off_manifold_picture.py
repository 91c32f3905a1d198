"""The picture of `subspace-off-manifold`."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.subspace.off_manifold import LEVEL, Settings


def draw(settings: Settings, table: Table) -> Figure:
    """Laws, what they are off by, and sizes of steps."""
    figure, grid = style.axes(1, 3, height=2.9)
    laws = table[table.of == "law"]
    for look, ((m, steps), rows) in zip(
        style.SERIES, laws.groupby(["m", "steps"], sort=False), strict=False
    ):
        label = f"m = {m}, {steps} steps"
        _law(grid[0, 0], rows, look)
        grid[0, 1].plot(
            rows["predicted"], rows["mean"] - rows["predicted"], color=look.colour,
            marker=look.marker, markersize=2.6, linewidth=0.7, label=label,
        )  # fmt: skip
    room = float(laws.room.iloc[0])
    grid[0, 0].set(xlabel="d‖Π⊥∇f‖²/‖D a‖²", ylabel="share of networks up to it")
    grid[0, 1].axhspan(-room, room, color=style.POSITIVE, linewidth=0, zorder=0)
    grid[0, 1].axhline(0, color=style.GREY, linewidth=1)
    grid[0, 1].set(
        xlabel="share by the law", ylabel="measured − law",
        ylim=(-2.1 * room, 2.1 * room),
    )  # fmt: skip
    _sizes(grid[0, 2], table[table.of == "steps"])
    style.letters(grid)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _law(ax: Axes, rows: Table, look: style.Series) -> None:
    style.curve(ax, rows["quantile"], rows["predicted"], series=style.Series(style.GREY, "", "-"))
    style.points(ax, rows["quantile"], rows["mean"], series=look)


def _sizes(ax: Axes, rows: Table) -> None:
    for number, (name, label) in enumerate(
        (("first", "first order"), ("actual", "where the sign turns"))
    ):
        own, look = rows[rows.series == name], style.SERIES[number]
        places = own["d"].to_numpy(float) * (1 + 0.06 * (2 * number - 1))
        style.points(
            ax, places, own["mean"], series=look, bars=(own["low"], own["high"]), label=label,
            held=own["turned"] >= 0.9,
        )  # fmt: skip
    own = rows[rows.series == "first"]
    ax.plot(own["d"], own["predicted"], color=style.GREY, label="by the law")
    ax.set(xscale="log", yscale="log", xlabel="dimension d", ylabel="size of the step / ‖x‖")
    places = own["d"].to_numpy(int)[::2]
    ax.set_xticks(places, [str(p) for p in places])
    ax.xaxis.set_minor_locator(NullLocator())


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    laws, steps = table[table.of == "law"], table[table.of == "steps"]
    off = np.abs(laws["mean"] - laws["predicted"]).to_numpy(float)
    number = laws.groupby(["m", "steps"]).ngroups
    worst = (laws["mean"] - laws["predicted"]).abs().groupby([laws.m, laws.steps]).max()
    inside = int((worst <= laws.room.iloc[0]).sum())
    return (
        f"Networks trained on n = {settings.n} points of a subspace of dimension "
        f"ℓ = {settings.inside} (random labels, logistic loss, both layers), seen at another of "
        f"its points. (a) Line: the χ² law of d − ℓ = {settings.d - settings.inside} degrees; "
        f"markers: {int(laws.draws.max()):,} networks of each width and time. (b) The difference; "
        f"band: what draws of the law exceed with probability {LEVEL:.1%} at most (DKW). (c) Size "
        "of a step along Π⊥∇f that flips the sign. "
        f"All parameters of the law are known: nothing is fitted. The farthest of {number} laws is "
        f"{off.max():.3f} off, the band is {float(laws.room.iloc[0]):.3f}; within it are {inside} "
        f"of {number}. (c): median over {int(steps.draws.max())} networks of width {settings.m}, "
        f"bars from 10 % to 90 %, relative to ‖x‖ ≈ √d; first order, |f|/‖Π⊥∇f‖; the first sign "
        "change along that line, evaluated at 600 sizes up to 30 times it; line: the median of "
        "|f|√d/(‖D a‖√(d − ℓ)), which training alone knows. Filled where the sign turns in 90 % "
        f"of the networks. φ is the leaky ReLU of slope {settings.slope:g}; rates are "
        f"{2 * settings.time:g}/(K(m + d)), K = {settings.steps}."
    )
