"""The picture of lazy-width: agreement above, margins below, one column for each case."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.lazy.width import CASES, EPSILON, SHARE, STEPS, D, Settings
from experiments.figures.lazy.words import compared

TITLES = {
    "leaky": f"γ = {CASES['leaky']['slope']:g}, separated Gaussian",
    "relu": "ReLU, separated Gaussian",
    "published": "ReLU, shifted Gaussian",
}
AGREEMENT, CERTIFIED, MARGIN_F, MARGIN_G = (style.SERIES[k] for k in (2, 3, 0, 1))


def draw(settings: Settings, table: pd.DataFrame) -> Figure:
    """Two rows of panels."""
    cases = [case for case in CASES if case in set(table["case"])]
    figure, grid = style.axes(2, len(cases), height=2.0, sharex=True, sharey="row")
    for column, case in enumerate(cases):
        rows: Table = table[table["case"] == case]
        rows = rows.sort_values("m")
        above, below = grid[:, column]
        style.curve(above, rows["m"], rows["predicted"], series=AGREEMENT)
        claimed = rows[rows["share"] > settings.delta]
        style.curve(above, claimed["m"], claimed["certified"], series=CERTIFIED)
        style.points(
            above, rows["m"], rows["mean"], rows["standard_error"], series=AGREEMENT,
            held=rows["held"],
        )  # fmt: skip
        above.set_ylim(0, 1.05)
        above.axhline(0.5, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
        above.set_title(TITLES[case])
        for series, which in ((MARGIN_F, "f"), (MARGIN_G, "g")):
            low, middle, high = (rows[f"margin_{which}_{percent}"] for percent in (5, 50, 95))
            style.curve(below, rows["m"], middle, series=series)
            style.band(below, rows["m"], low, high, series=series)
        below.axhline(1.0, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
        below.set_xscale("log")
        below.set_yscale("log")
        below.set_xlabel("width m")
    grid[0, 0].set_ylabel("share of test points")
    grid[1, 0].set_ylabel("margin T|k|/B; hypothesis: > 1")
    entries = [
        (CERTIFIED, "certified: at least"),
        (MARGIN_F, "margin of f"),
        (MARGIN_G, "margin of g"),
    ]
    handles = [
        Line2D([], [], color=series.colour, linestyle=series.line, label=name)
        for series, name in entries
    ]
    handles.append(
        Line2D([], [], color=AGREEMENT.colour, linestyle=AGREEMENT.line, label="infinite width")
    )
    marker: dict[str, Any] = {
        "linestyle": "none",
        "marker": AGREEMENT.marker,
        "color": AGREEMENT.colour,
    }
    handles.append(Line2D([], [], **marker, label="measured"))
    handles.append(
        Line2D([], [], **marker, markerfacecolor="white", label="measured, hypotheses not met")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    style.letters(grid)
    return figure


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is predicted and measured."""
    claims: Table = table[table["certified"] > 0]
    kept = claims["mean"] + 2 * claims["standard_error"] >= claims["certified"]
    cases = "; ".join(
        f"{TITLES[case]}: n = {values['n']}, d = {D}, T_f = {values['T_f']:g}, "
        f"T_g = {values['T_g']:g}, ε = {EPSILON:g}, x = y·{values['separation']:g}e₁ + N(0, I), "
        f"{STEPS} steps"
        for case, values in CASES.items()
        if case != "published"
    )
    return (
        "f is trained on n points, g on f's perturbations alone with random labels, both of width "
        "m, identity loss. Above: share of test points at which they agree. Markers: measured, "
        f"means over {settings.draws} draws of data, test points ({settings.queries}) and "
        "networks, bars ±2 standard errors; the draws of data are the same at all widths of a "
        "panel. Green line: the same of pairs of infinite width on the same data, which knows no "
        f"m. {compared(table)} "
        "Purple line: what lazy.prediction-matching certifies, the share of test points at which "
        "all its explicit hypotheses hold (T|k(z)| > B(z) for f and for g, sgn k_f = sgn k_g) "
        f"minus δ = {settings.delta:g}, where that is positive: the mean agreement is at least "
        f"this, as it is at {int(kept.sum())} of {len(claims)} points. Filled where the "
        f"hypotheses hold at {SHARE:.0%} of the test points or more, hollow elsewhere. Below: the "
        "margins T|k(z)|/B(z) over test points and draws, median (line) and 5 % to 95 % (band); "
        "the hypothesis is that they exceed 1. They are computed from the training sets, g's from "
        "the perturbations of the trained f, not from outputs. "
        f"{cases}; the experiment of the paper ({TITLES['published']}): n = {settings.n}, "
        f"d = {settings.d}, "
        f"ε = {settings.epsilon:g}√d, {settings.steps} steps of momentum {settings.momentum:g} at "
        f"rate {settings.rate:g}. Hollow markers on the line are the conclusion outrunning the "
        "theorem."
    )
