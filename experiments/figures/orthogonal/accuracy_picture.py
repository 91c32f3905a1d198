"""The picture of `orthogonal-accuracy`: a row of panels for each law, a column for each axis."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator
from scipy import stats

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.orthogonal.accuracy import (
    NOISE,
    VARIANTS,
    Settings,
    axes,
    base,
    equal_multipliers,
    load,
    predicted,
)
from theory.perturbations.effects import REACH

LABELS = {
    "n_adv": "perturbed noise samples $n_{adv}$",
    "n": "clean samples $n$",
    "d": "dimension $d$",
    "factor": "factor on all sizes ε",
}
NAMES = {"l2": "ℓ₂", "linf": "ℓ∞", "l0": "ℓ₀", NOISE: "no perturbation"}
LOOKS = dict(zip(("l2", "linf", "l0", NOISE), style.SERIES, strict=False))
EQUAL = {"linestyle": ":", "linewidth": 1.0}
CLOSED = {"linestyle": "none", "marker": "_", "markersize": 9, "markeredgewidth": 1.0, "zorder": 3}


def draw(settings: Settings, table: Table) -> Figure:
    """The picture."""
    rows = settings.laws
    figure, grid = style.axes(len(rows), len(axes(settings)), height=1.85, sharey=True)
    for row, law in zip(grid, rows, strict=True):
        for ax, (axis, values) in zip(row, axes(settings).items(), strict=True):
            part = table[(table.law == law) & (table.axis == axis)]
            _panel(ax, settings, law, axis, values, part)
            if law == rows[-1]:
                ax.set_xlabel(LABELS[axis])
        row[0].set_ylabel(f"accuracy, {law} data")
    style.letters(grid)
    entries = [
        Line2D([], [], color=look.colour, linestyle=look.line, marker=look.marker, label=NAMES[n])
        for n, look in LOOKS.items()
    ]
    entries.append(Line2D([], [], **CLOSED, color=style.GREY, label="closed form"))
    law_of = "limit" if settings.descend == "log loss" else "finite-time law"
    entries.append(Line2D([], [], color=style.GREY, label=f"lines: {law_of}"))
    if table.equal_multipliers.notna().any():
        entries.append(Line2D([], [], **EQUAL, color=style.GREY, label="not claimed"))
    entries += style.key_of_markers()[2:]
    entries[-1].set_label("not certified")
    columns = len(entries) if len(entries) < 8 else (len(entries) + 1) // 2  # of what fits
    figure.legend(handles=entries, loc="outside upper center", ncols=columns)
    return figure


def _panel(ax: Axes, settings: Settings, law: str, axis: str, values: Any, part: Table) -> None:
    kind = type(values[0])
    dense = np.geomspace(values[0], values[-1], 60)
    for norm in VARIANTS:
        look = LOOKS[norm]
        mine = part[part.norm == norm].sort_values("value")
        at = [base(settings) | {axis: kind(round(v)) if kind is int else float(v)} for v in dense]
        curve = np.array([predicted(settings, law, norm, point) for point in at])
        style.curve(ax, dense, curve, series=look)  # NaN, and no line, out of the formula's range
        equal = [equal_multipliers(settings, law, norm, point) for point in at]
        ax.plot(dense, equal, **EQUAL, color=look.colour)
        order = np.array([load(settings, law, norm, point) for point in at]) ** 2 / 10
        low, high = np.clip([curve - order, curve + order], 0, 1)
        style.band(ax, dense, low, high, series=look)
        ax.plot(mine.value, mine.closed_form, **CLOSED, color=look.colour)
        error = mine.standard_error.astype(float)
        style.points(ax, mine.value, mine["mean"], error, series=look, held=mine.held)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(values)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([_tick(v) for v in values])
    ax.set_ylim(0.3, 1.03)


def _tick(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def caption(settings: Settings, table: Table) -> str:
    """What is predicted and measured."""
    held = table[table.norm != NOISE].certified
    at = ", ".join(f"{k} = {v:g}" for k, v in base(settings).items() if k != "factor")
    return (
        "Accuracy on n clean samples with random labels of a network g that was trained only on "
        "n_adv noise samples of the same law with random labels y′, perturbed towards y′ by "
        f"{settings.attack_steps} steps of projected gradient ascent on a network f that was "
        "trained on the clean samples; without perturbations for comparison. "
        f"One axis is swept a panel, the others are at {at} and factor 1. Sizes: ℓ₂ "
        f"ε = {settings.l2:g}·√(d/10000), ℓ∞ ε = {settings.linf:g}, {_sparse(settings)}. "
        f"Lines: the predicted accuracy {_time(settings)}, for perturbations along the normal of "
        "f's boundary, Φ(ac(1 − (1+κ²)(μ_f²n+μ_g²n_adv)/(4d))/√((1 + s(1 − c² + c²((1−μ_f)² + "
        "(1−κμ_f)²)/2))(1 + (μ_g(1+κ)/2)² s·n_adv/d))) with a = ε√(d·n_adv/n)/R, s = ε²n_adv/R², ε "
        "the ℓ₂ length, κ = 2γ/(1+γ²) and c the cosine between the perturbations' direction and "
        "the normal; ½ without perturbations. Bands: a tenth of the square of the load "
        "(μ_f n+μ_g n_adv)/d, which in simulation covers what the formula leaves out; "
        f"there is no line where the load exceeds {REACH:g}, the end of its range{_dotted(table)}. "
        "Dashes: the closed form of the "
        "limit on the very samples that g was trained on, mean over draws. Markers: trained "
        f"networks of width {settings.m} and slope γ = {settings.slope:g}, {settings.steps} steps "
        f"{_descent(settings)}, mean of {settings.draws} draws ± 2 standard errors. Filled where "
        "in every draw the closed forms of f and g are certified: they are KKT points (proven with "
        "rounding errors) and gradient flow from the trained weights stays in the cone in which "
        "the problem is convex (evaluated without rounding bounds). Hollow elsewhere; pure noise "
        f"needs no certificate. {held.mean():.0%} of all perturbed fits are certified. Two "
        f"standard errors that are estimated from {settings.draws} draws miss an exact prediction "
        f"in {_missed(settings.draws)} of all points."
    )


def _dotted(table: Table) -> str:
    if not table.equal_multipliers.notna().any():
        return ""
    return ", but dotted, and not claimed, what equal multipliers would give, Φ(ac/√(1 + s))"


def _sparse(settings: Settings) -> str:
    if settings.attacks == "steepest":
        return f"ℓ₀ {settings.fraction:.0%} of the coordinates changed by {settings.l0:g}"
    return (
        f"ℓ₀ {settings.fraction:.0%} of the coordinates (times the factor), one more each step, "
        f"all chosen ones moved by {settings.l0:g} at most in a step; ℓ∞ in steps along g/max|g|; "
        "uniform points kept in [−1, 1]^d, as in K24a's code"
    )


def _time(settings: Settings) -> str:
    if settings.descend == "log loss":
        return "at infinite training time (μ_f = μ_g = 1)"
    return (
        "at the time of training (finite-time law: multipliers adapted by μ = 1 − (1 − e^{−m})/m "
        "at own margin m)"
    )


def _descent(settings: Settings) -> str:
    if settings.descend == "log loss":
        return "on log L"
    return f"of {settings.learning_rate:g} on the mean exponential loss with momentum 0.9"


def _missed(draws: int) -> str:
    """P(|T| > 2), T with Student's law of K − 1 degrees of freedom."""
    return f"{2 * float(stats.t.sf(2, draws - 1)):.0%}" if draws > 1 else "100%"
