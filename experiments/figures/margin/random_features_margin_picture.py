"""The picture of random-features-margin."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.margin.random_features_margin import Settings

REACHED, PRINTED, SHARP = style.SERIES[:3]


def draw(settings: Settings, table: Table) -> Figure:
    """One panel for each number of features."""
    figure, grid = style.axes(1, len(settings.widths), height=2.5, sharey=True)
    for ax, m in zip(grid[0], settings.widths, strict=True):
        _panel(ax, table[table.m == m])
        ax.set(xscale="log", xlabel="steps t", title=f"m = {m}")
    grid[0, 0].set(ylabel="margin", ylim=(0, 1.15 * float(table["high"].max())))
    style.letters(grid)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _panel(ax: Axes, rows: Table) -> None:
    t = rows["steps"].to_numpy(float)
    ax.plot(t, rows["high"], color=style.GREY, linewidth=1, label="largest margin γ₂")
    style.curve(ax, t, rows["printed"], series=PRINTED, label="bound, printed")
    style.curve(ax, t, rows["sharp"], series=SHARP, label="bound, sharp")
    style.points(
        ax, t, rows["mean"], rows["standard_error"], series=REACHED, label="reached",
        held=rows["printed"] > 0,
    )  # fmt: skip


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    wide = float((table["high"] / table["low"] - 1).max())
    last = table[table["steps"] == max(settings.times)]
    shares = ", ".join(f"{share:.3f}" for share in np.asarray(last["mean"] / last["high"], float))
    return (
        f"Ascent on the readout of m random ReLU features of {settings.n} points: the largest "
        "normalized margin up to step t, mean over draws (markers, bars two standard errors). "
        "Lines: what Proposition 7 of Chizat and Bach 2020 guarantees, as printed and with the "
        "sharper constant (ours), and the largest margin γ₂ (grey). Filled where the printed "
        "bound is positive: elsewhere it says nothing. γ₂ lies between certified bounds, of "
        f"which means differ by {wide:.1e} of themselves at most, less than the line is thick. "
        f"{int(table['draws'].min())} or more of {settings.draws} draws in every panel are "
        f"separable and counted; in {int(table['below'].sum())} of them the margin is below the "
        f"printed bound. At the last step {shares} of γ₂ are reached."
    )
