"""The picture of `lazy-map`."""

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.figures import style
from experiments.figures.frames import chosen, number
from experiments.figures.lazy import pairs
from experiments.figures.lazy.map import LAZY, SHOWN, Settings, columns

LINES = {  # quantity → colour, line, width, name
    "k_f": (style.BLACK, "-", 1.2, "k_f = 0"),
    "k_g": (style.BLACK, (0, (4, 1.5)), 1.2, "k_g = 0"),
    "f_hat": (style.VERMILLION, "-", 0.6, "f̂ = 0"),
    "g_hat": (style.VERMILLION, (0, (4, 1.5)), 0.6, "ĝ = 0"),
}


def draw(settings: Settings, table: pd.DataFrame) -> matplotlib.figure.Figure:
    """A column for each T and m, a row for each scenario and draw of the initialization."""
    shown = columns(settings)
    rows = [(scenario, draw_number) for scenario in "ab" for draw_number in range(SHOWN)]
    figure, grid = style.axes(
        len(rows), len(shown), height=1.62, width=1.45 * len(shown) + 0.8, sharex=True, sharey=True
    )
    for (scenario, draw_number), line in zip(rows, grid, strict=True):
        for (time, m), ax in zip(shown, line, strict=True):
            here = chosen(table, scenario=scenario, T=time, m=m)
            _panel(ax, here, draw_number)
            if draw_number == 0:
                summary = chosen(here, kind="agreement")
                head = f"T = {time:g}, m = {m}\n" if scenario == "a" else ""
                mean, error, predicted = (
                    number(summary, name) for name in ("mean", "standard_error", "predicted")
                )
                ax.set_title(f"{head}{mean:.2f} ± {2 * error:.2f} ({predicted:.2f})", fontsize=7)
        line[0].set_ylabel(f"({scenario}), draw {draw_number + 1}\nβ")
    for ax in grid[-1]:
        ax.set_xlabel("α")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, draw_number: int) -> None:
    signs = {}
    axis = np.zeros(0)
    for name in ("f", "g"):
        lines = chosen(rows, kind="region", quantity=name, draw=draw_number)
        axis, signs[name] = pairs.region(lines)
    style.sign_map(ax, axis, axis, np.where(signs["f"], 1, -1))
    style.hatched(ax, axis, axis, signs["f"] != signs["g"])
    for name, (colour, dashes, width, _) in LINES.items():
        vertices = chosen(rows, kind="curve", quantity=name, draw=draw_number)
        for alpha, beta in pairs.curves(vertices):
            ax.plot(alpha, beta, color=colour, linestyle=dashes, linewidth=width)
    for _, row in chosen(rows, kind="mean").iterrows():
        style_of = {"marker": f"${row['quantity']}$", "color": style.BLACK, "markersize": 5}
        ax.plot(row["alpha"], row["beta"], linestyle="none", **style_of)
    ax.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]), aspect="equal")


def _legend() -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=style.POSITIVE, label="f > 0"),
        Patch(facecolor=style.NEGATIVE, label="f < 0"),
        Patch(facecolor="white", edgecolor=style.GREY, hatch="////", label="sgn f ≠ sgn g"),
        Line2D([], [], linestyle="none", marker="$\\pm$", color=style.BLACK, label="class means"),
    ]
    return handles + [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=width, label=name)
        for colour, dashes, width, name in LINES.values()
    ]


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """What is predicted and measured, and on how much."""
    return (
        "Decision maps of f, trained on clean data, and of g, trained on f's perturbations with "
        "random labels: on perturbations alone (scenario a) or on perturbed samples (b). "
        f"Data: {settings.data}, n = {settings.n}, d = {settings.d}, one draw; ε = "
        f"{settings.epsilon:g}, γ = {settings.slope:g}, identity loss, T_f = T_g = T in "
        f"{settings.steps} steps with momentum {settings.momentum:g}. The plane is that of 0 and "
        "the two class means of the training points, in orthonormal coordinates and units of x: α "
        "along the difference of the means (marked + and −), β along what their sum has across it, "
        "which for classes of means ±μ is a direction left by chance. Measured: colour, the sign "
        "of f; hatched, where g has the other; rows 1 and 2 of a scenario are two draws of the "
        "initializations and of y'. Predicted: zero sets of k_f and of k_g of g's own training set "
        "(thick), and of their published forms f̂ and ĝ (thin), for infinitely wide networks. "
        f"Above each column: measured share of the map with sgn f = sgn g, mean over "
        f"{settings.draws} draws ± two standard errors, and in brackets its prediction, with "
        f"Gaussian f(z; 0), which assumes T ≪ √m; T ≤ {LAZY:g}√m holds in "
        f"{_held(table)}. The draws share the data and are independent otherwise."
    )


def _held(table: pd.DataFrame) -> str:
    rows = chosen(table, kind="agreement", scenario="a")
    held = [i + 1 for i, value in enumerate(rows["held"]) if value]
    return f"columns {', '.join(map(str, held))}" if held else "no column"
