"""The picture of `lazy-activation`."""

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from experiments.figures import style
from experiments.figures.frames import chosen
from experiments.figures.lazy.activation import NEAR, Settings


def draw(settings: Settings, table: pd.DataFrame) -> matplotlib.figure.Figure:
    """Left: against the width. Right: all of them over the bound, against r."""
    figure, ((left, right),) = style.axes(1, 2, height=2.9)
    law, trained = chosen(table, part="law"), chosen(table, part="trained")
    slopes = settings.slopes
    _against_width(left, chosen(law, slope=slopes[0]), chosen(trained, slope=slopes[0]))
    left.set_title(f"γ = {slopes[0]:g}")
    for slope, series in zip(slopes, style.SERIES, strict=False):
        of_law, of_trained = (chosen(rows, slope=slope) for rows in (law, trained))
        _against_bound(right, of_law, of_trained, series, f"γ = {slope:g}")
    style.reference(right, 0.5, "one sense of two")
    right.set(xscale="log", ylim=(0, 0.56), xlabel="r = Tκ/(σ√m), mean over z")
    right.set_ylabel("changed fraction / bound (2/π) arctan r")
    right.set_title("every T and m")
    right.legend(loc="center left", bbox_to_anchor=(0, 0.6))
    style.letters(np.array([left, right]))
    return figure


def _against_width(ax: Axes, law: pd.DataFrame, trained: pd.DataFrame) -> None:
    for time, series in zip(np.unique(trained["T"]), style.SERIES, strict=False):
        here = chosen(trained, T=time)
        m = np.geomspace(here["m"].min() / 1.3, 1.3 * here["m"].max(), 100)
        curves = {
            name: np.exp(np.interp(np.log(time / m**0.5), np.log(law["tau"]), np.log(law[name])))
            for name in ("lower", "upper", "predicted", "arctan")
        }
        style.band(ax, m, curves["lower"], curves["upper"], series=series)
        style.curve(ax, m, curves["predicted"], series=series)
        ax.plot(m, curves["arctan"], color=series.colour, linestyle=series.line, linewidth=0.6)
        style.points(
            ax, here["m"], here["mean"], here["standard_error"], series=series,
            held=here["held"], label=f"T = {time:g}",
        )  # fmt: skip
    measured = trained["mean"]
    ax.set(xscale="log", yscale="log", xlabel="width m", ylabel="changed fraction of activations")
    ax.set_ylim(0.4 * float(np.min(measured[measured > 0])), 1.5)
    handles, labels = ax.get_legend_handles_labels()
    for name, width in (("bound (2/π) arctan r", 0.6), ("law", 1.2)):
        handles.append(Line2D([], [], color=style.GREY, linewidth=width))
        labels.append(name)
    ax.legend(handles, labels, loc="lower left")


def _against_bound(
    ax: Axes, law: pd.DataFrame, trained: pd.DataFrame, series: style.Series, label: str
) -> None:
    style.curve(ax, law["ratio"], law["predicted"] / law["arctan"], series=series)
    style.points(
        ax, trained["ratio"], trained["mean"] / trained["arctan"],
        trained["standard_error"] / trained["arctan"], series=series, held=trained["held"],
        label=label,
    )  # fmt: skip


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is predicted and measured, and on how much."""
    draws = chosen(table, part="trained")["draws"].astype(int)
    return (
        "How many activations training changes. Measured (markers): fraction of neurons i with "
        "sgn h_i(z; T) ≠ sgn h_i(z; 0), averaged over "
        f"{settings.queries} query points of the law of the data ({settings.data}, n = "
        f"{settings.n}, d = {settings.d}, one draw), after {settings.steps} gradient steps with "
        f"momentum {settings.momentum:g} under the identity loss; {draws.min()} to "
        f"{draws.max()} independent networks a point, about {settings.neurons} neurons or one "
        "network. Bars are two standard errors over neurons, which are independent. Predicted "
        "(thick lines): the law of neurons that keep the velocity of the start, without any "
        "training. Thin lines: the bound (2/π) arctan r, r = Tκ/(σ√m), the probability that a "
        "neuron is near enough to 0; the law is below half of it for small r, as only one sense of "
        "a_i moves a neuron towards 0, and below that where training points pull in opposite "
        "senses. Bands: rigorous limits of the expected fraction, up to Monte Carlo errors. Filled "
        "markers: these limits are within "
        f"{100 * NEAR:.0f} % of the law; hollow: they are not, and the law is an extrapolation. T "
        "and m enter only as T/√m, so that all times and widths share one curve (right)."
    )
