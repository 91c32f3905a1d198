"""The picture of `lazy-conditions`."""

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.figures import style
from experiments.figures.frames import chosen, number
from experiments.figures.lazy import pairs
from experiments.figures.lazy.conditions import CONDITIONS, Settings, setting

TITLES = {
    "margin f": "T|k_f| > B_f",
    "margin g": "T|k_g| > B_g",
    "agreement": "sgn k_f = sgn k_g",
    "all": "all three",
}
DASHED = (0, (4, 1.5))
HOLDS, DIFFER = "#9AD2F2", style.VERMILLION
LINES = {  # condition → quantities whose zero sets are drawn, with their dashes
    "margin f": {"published_f": ":"},
    "margin g": {"published_g": ":"},
    "agreement": {"k_f": "-", "k_g": DASHED},
    "all": {"k_f": "-", "k_g": DASHED},
}


def draw(settings: Settings, table: pd.DataFrame) -> matplotlib.figure.Figure:
    """A row for each setting, a column for each condition."""
    names = ("wide", "published")
    figure, grid = style.axes(2, len(CONDITIONS), height=2.1, sharex="row", sharey="row")
    for name, line in zip(names, grid, strict=True):
        rows = chosen(table, setting=name)
        for condition, ax in zip(CONDITIONS, line, strict=True):
            _panel(ax, rows, condition)
            ax.set_title(f"{TITLES[condition]}\n{_share(rows, condition)}", fontsize=7)
            ax.set_xlabel("α")
        one = setting(settings, name)
        line[0].set_ylabel(f"{name}: m = {one.m}, T = {one.T:g}\nβ")
    style.letters(grid)
    handles: list[Artist] = [
        Patch(facecolor=HOLDS, label="condition holds"),
        Patch(facecolor=DIFFER, label="sgn f ≠ sgn g"),
        Line2D([], [], color=style.BLACK, label="k_f = 0"),
        Line2D([], [], color=style.BLACK, linestyle=DASHED, label="k_g = 0"),
        Line2D([], [], color=style.BLACK, linestyle=":", label="published margin, C = 1"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, condition: str) -> None:
    axis, holds = pairs.region(chosen(rows, kind="region", quantity=condition))
    _, same = pairs.region(chosen(rows, kind="region", quantity="signs"))
    # Signs differ in strips too narrow to be hatched; the three colours are apart in grey, too.
    ax.pcolormesh(
        axis, axis, np.where(same, holds, 2), cmap=ListedColormap(["white", HOLDS, DIFFER]),
        vmin=0, vmax=2, shading="nearest", rasterized=True,
    )  # fmt: skip
    ax.grid(visible=False)
    for name, dashes in LINES[condition].items():
        for alpha, beta in pairs.curves(chosen(rows, kind="curve", quantity=name)):
            ax.plot(alpha, beta, color=style.BLACK, linestyle=dashes, linewidth=1)
    for _, row in chosen(rows, kind="mean").iterrows():
        marker = f"${row['quantity']}$"
        ax.plot(row["alpha"], row["beta"], linestyle="none", marker=marker, color=style.BLACK)
    ax.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]), aspect="equal")


def _mean(rows: pd.DataFrame, kind: str, quantity: str) -> float:
    return number(chosen(rows, kind=kind, quantity=quantity), "mean")


def _share(rows: pd.DataFrame, condition: str) -> str:
    share = _mean(rows, "share", condition)
    if share == 0 and condition.startswith("margin"):
        which = condition[-1]
        return f"nowhere: ≤ {_mean(rows, 'largest', f'largest {which}'):.2g} B_{which}"
    return "nowhere" if share == 0 else f"on {100 * share:.0f} % of the map"


def caption(settings: Settings, table: pd.DataFrame) -> str:
    """Conditions, setting, shares."""
    wide, published = setting(settings, "wide"), setting(settings, "published")
    by_name = {name: chosen(table, setting=name) for name in ("wide", "published")}
    failed = {
        name: (_mean(rows, "share", "failed"), _mean(rows, "share", "all"))
        for name, rows in by_name.items()
    }
    signs = {name: _mean(rows, "share", "signs") for name, rows in by_name.items()}
    within = failed["wide"][0] / max(failed["wide"][1], np.finfo(float).tiny)
    width = {one: f"d²(T_f + T_g)² = {one.d**2 * 4 * one.T**2:.3g}" for one in (wide, published)}
    return (
        "When a network g trained on perturbations must predict like f. Coloured: where the "
        "explicit conditions hold, T_f|k_f(z)| > B_f(z), T_g|k_g(z)| > B_g(z), sgn k_f(z) = "
        "sgn k_g(z), and all of them (bounds.output_bound; k of each network's own training "
        "set). Where all three hold sgn f(z) = sgn g(z) is predicted, at each point except with "
        f"probability δ = {settings.delta:g}. Measured, and red in every panel: where one pair "
        "of trained networks has sgn f ≠ sgn g. Dotted: margins of the published form with C = 1, "
        "|f̂| = 1 + 1/T_f and |ĝ| = 1/T_f + (√d/ε)(1/T_g + "
        f"{'1' if settings.scenario == 'a' else 'd'}/√n), which also asks for "
        "m ≥ C d²(T_f + T_g)²; where none is drawn the margin has one side on the whole map. "
        f"Above the panels: means over {settings.draws} pairs. "
        f"Identity loss, scenario {settings.scenario}, T_f = T_g = T. Top: separated-gaussian "
        f"with separation {settings.separation:g}, n = {wide.n}, d = {wide.d}, m = {wide.m} "
        f"({width[wide]}), T = {wide.T:g}, ε = {wide.epsilon:g}, γ = {wide.slope:g}. Bottom, "
        f"of the published kind: {published.data}, n = {published.n}, d = {published.d}, m = "
        f"{published.m} ({width[published]}), T = {published.T:g}, ε = {published.epsilon:g}, γ = "
        f"{published.slope:g}: the conditions do not hold and say nothing, the conclusion is "
        f"measured all the same. Over {settings.draws} pairs of networks on the same data, sgn f = "
        f"sgn g on {100 * signs['wide']:.1f} % (top) and {100 * signs['published']:.1f} % (bottom) "
        f"of the map, and signs differ on {100 * within:.2g} % of the points at which all "
        "conditions hold (top). The plane is that of 0 and the class means (+, −), in orthonormal "
        "coordinates and units of x: α along their difference."
    )
