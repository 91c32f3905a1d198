"""The picture of lazy-cosine: cosines above, accuracies below, over d and T_f for each law."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.lazy.cosine import AXES, Settings
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

SHOWN = {
    "cosine": (style.SERIES[0], "cosine"),
    "standard": (style.SERIES[5], "standard: f"),
    "perturbation": (style.SERIES[1], "perturbation: g"),
    "agreement": (style.SERIES[2], "agreement of f and g"),
}


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Two rows of panels."""
    laws = set(table["law"])
    columns = [(law, axis) for law in LAWS for axis in AXES if law in laws]
    figure, grid = style.axes(2, len(columns), height=1.9, sharey="row", sharex="col")
    for column, (law, axis) in enumerate(columns):
        here: Table = table[(table["law"] == law) & (table["axis"] == axis)]
        here = here.sort_values("value")
        for quantity, (series, _) in SHOWN.items():
            rows = here[here["quantity"] == quantity]
            ax = grid[0 if quantity == "cosine" else 1, column]
            style.curve(ax, rows["value"], rows["predicted"], series=series)
            if quantity == "cosine":
                low, high = (rows["predicted"] + sign * rows["tolerance"] for sign in (-1, 1))
                style.band(ax, rows["value"], low, high.clip(upper=1), series=series)
            style.points(
                ax, rows["value"], rows["mean"], rows["standard_error"], series=series,
                held=rows["held"],
            )  # fmt: skip
        ticks(grid[1, column], sorted(here["value"].unique()))
        grid[1, column].axhline(0.5, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)))
        grid[1, column].set_xlabel(LABELS[axis])
        grid[0, column].set_title(NAMES[law])
    grid[0, 0].set_ylabel("mean |cos|" if settings.cosine == "absolute" else "mean cosine")
    grid[1, 0].set_ylabel("share of points")
    legend(figure, SHOWN.values(), columns=4)
    style.letters(grid)
    return figure


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is predicted and measured."""
    absolute = settings.cosine == "absolute"
    kind, law = "cosine", ""
    if absolute:
        kind = (
            "absolute value of the cosine, as published, whose floor where nothing is learned is "
            "√(2/(πd)),"
        )
        law = (
            "the mean E|cos| of the folded normal law about c with the spread over "
            "initializations (limits.absolute_cosine_law), where c is "
        )
    cosines: Table = table[table["quantity"] == "cosine"]
    shares: Table = table[table["quantity"] != "cosine"]
    # Single draws have no error to be within.
    cosines = cosines.drop_duplicates(["law", "mean", "predicted"]).query("draws > 1")
    beyond = cosines["difference"].abs() - cosines["tolerance"] > 2 * cosines["difference_error"]
    held = cosines["held"]
    return (
        f"Above: {kind} between the perturbation of x_k, which is along ∇f(x_k; T_f), and its "
        "training-sample sum q_k = (1/n) Σ_j y_jΦ(x_j, x_k)x_j, mean over the training points. "
        f"Line: {law}the law c = T‖q‖/√(T²‖q‖² + (1 + γ²)/2) of lazy.perturbation; band: the law's "
        "own tolerance to leading order (finite d, finite m, gradient of the limit; "
        "limits.cosine_law_tolerance), around a law that is exact as m, d → ∞ only. "
        f"{int((~beyond[held]).sum())} of {int(held.sum())} filled cosines are within the band and "
        f"2 standard errors, {int((~beyond[~held]).sum())} of {int((~held).sum())} hollow ones. "
        "Below: share of points that f classifies correctly (standard), that g, trained on "
        "the perturbations alone with random labels, does (perturbation), and on which f and g "
        "agree, with the same of networks of infinite width on the same data as lines. "
        f"{compared(shares)} {data_words(settings, table['law'])} "
        f"Around d = {settings.d}, n = {settings.n} (Gaussian: d = {settings.gaussian_d}, "
        f"n = {settings.gaussian_n}), m = {settings.m}, γ = {settings.slope:g}, "
        f"ε = {settings.epsilon:g}√d, {settings.steps} steps of momentum {settings.momentum:g}, "
        f"identity loss. {rates_words(settings, table['optimism'])} On the axis T_f the rate of f "
        "is what makes its training time T_f. Markers: "
        f"{draws_words(settings, table['law'])}. Filled where "
        "the bound of lazy.activation-stability on the share of neurons that change their "
        f"activation, averaged over points and draws, is at most {LAZY:g}, for f, and where g is "
        "concerned for both; hollow elsewhere."
    )
