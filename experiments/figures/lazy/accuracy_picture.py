"""The picture of lazy-accuracy: an axis in each row, a law and a loss in each column."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.lazy.accuracy import AXES, Settings
from experiments.figures.lazy.axes import LOSSES
from experiments.figures.lazy.learning import LAZY
from experiments.figures.lazy.networks import LAWS
from experiments.figures.lazy.words import (
    LABELS,
    NAMES,
    compared,
    data_words,
    draws_words,
    legend,
    rates_words,
    ticks,
)

SHOWN = {  # (quantity, scenario) → its looks and name
    ("standard", ""): (style.SERIES[5], "standard: f"),
    ("perturbation", "a"): (style.SERIES[0], "perturbation: g, (a)"),
    ("perturbation", "b"): (style.SERIES[1], "perturbation: g, (b)"),
    ("agreement", "a"): (style.SERIES[2], "agreement, (a)"),
    ("agreement", "b"): (style.SERIES[3], "agreement, (b)"),
}


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Seven rows of panels."""
    columns = [
        (law, loss)
        for law in LAWS
        for loss in LOSSES
        if len(table[(table["law"] == law) & (table["loss"] == loss)])
    ]
    figure, grid = style.axes(len(AXES), len(columns), height=1.25, sharey=True)
    for row, axis in enumerate(AXES):
        for column, (law, loss) in enumerate(columns):
            ax = grid[row, column]
            here: Table = table[
                (table["law"] == law) & (table["loss"] == loss) & (table["axis"] == axis)
            ]
            here = here.sort_values("value")
            _panel(ax, here)
            if axis != "slope":
                ticks(ax, sorted(here["value"].unique()))
            ax.set_xlabel(LABELS[axis])
            if row == 0:
                ax.set_title(f"{NAMES[law]},\n{loss} loss")
            if column == 0:
                ax.set_ylabel("share of points")
    legend(figure, SHOWN.values(), columns=4)
    return figure


def _panel(ax: Axes, here: pd.DataFrame) -> None:
    for (quantity, scenario), (series, _) in SHOWN.items():
        rows = here[(here["quantity"] == quantity) & (here["scenario"] == scenario)]
        style.curve(ax, rows["value"], rows["predicted"], series=series)
        style.points(
            ax, rows["value"], rows["mean"], rows["standard_error"], series=series,
            held=rows["held"],
        )  # fmt: skip
    ax.axhline(0.5, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is predicted and measured."""
    return (
        "Learning from perturbations. A network f is trained on n labelled points, each point is "
        "perturbed by ε along ±∇f towards a label drawn at random, and a network g of its own "
        "initialization is trained on (a) the perturbations alone or (b) the perturbed points, "
        "with the random labels. Measured: the share of points that f and g classify correctly, "
        "and on which they agree. "
        f"{data_words(settings, table['law'])} "
        f"Each parameter is varied around d = {settings.d}, n = {settings.n} (unshifted Gaussian: "
        f"d = {settings.gaussian_d}, n = {settings.gaussian_n}), m = {settings.m}, "
        f"γ = {settings.slope:g}, ε = {settings.epsilon:g}√d, {settings.steps} steps of momentum "
        f"{settings.momentum:g}. Lines: the same of networks of infinite width on the same data, "
        "trained in function space with initial outputs and gradients of their own; nothing is "
        "fitted. Markers: "
        f"{draws_words(settings, table['law'])}, draws "
        "independent from point to point; dashed grey: chance. Filled where the bound of "
        "lazy.activation-stability on the share of neurons that change their activation, averaged "
        f"over points and over draws, is at most {LAZY:g}: for both networks, for f alone where "
        "only f is concerned. Hollow: the networks have left the regime in which the limit is "
        f"claimed. {compared(table)} "
        f"{rates_words(settings, table['optimism'])} On the axes T_f and T_g that network has one "
        "rate, which makes its training time what the axis says."
    )
