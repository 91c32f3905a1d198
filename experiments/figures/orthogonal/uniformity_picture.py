"""The picture of `orthogonal-uniformity`."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.orthogonal.uniformity import Settings, bounds, crowding

MEASURED = (("built", "built points"), ("largest", "largest of all draws"))
BOUNDS = ("our bound", "published bound")


def draw(settings: Settings, table: Table) -> Figure:
    """The excess of τ over 1 against γ, and against p."""
    figure, grid = style.axes(1, 2, height=2.7)
    slopes, loads = (table[table.along == name] for name in ("slope", "load"))
    dense = np.linspace(slopes.slope.min(), slopes.slope.max(), 60)
    _curves(grid[0, 0], dense, [bounds(float(g), 1.0) for g in dense])
    _panel(grid[0, 0], slopes, "slope")
    grid[0, 0].set(xlabel="slope γ, at p = 3γ⁻³", ylabel="max λ / min λ − 1")
    dense = np.geomspace(loads.load.min(), loads.load.max(), 60)
    places = [1 / crowding(settings.slope, load) for load in dense]
    _curves(grid[0, 1], places, [bounds(settings.slope, float(load)) for load in dense])
    _panel(grid[0, 1], loads, "p")
    grid[0, 1].axvline(
        3 / settings.slope**3, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2))
    )
    grid[0, 1].annotate(
        "p = 3γ⁻³", (3 / settings.slope**3, 0.02), xycoords=("data", "axes fraction"),
        xytext=(3, 0), textcoords="offset points", color=style.GREY, fontsize=6.5,
    )  # fmt: skip
    grid[0, 1].set(xscale="log", xlabel=f"p, at γ = {settings.slope:g}")
    style.letters(grid)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _curves(ax: Axes, places: npt.ArrayLike, values: list[tuple[float, float]]) -> None:
    """Both bounds, left out where they are infinite."""
    for look, label, bound in zip(style.SERIES, BOUNDS, np.array(values).T, strict=False):
        excess = np.where(np.isfinite(bound), bound - 1, np.nan)
        style.curve(ax, places, excess, series=look, label=label)


def _panel(ax: Axes, rows: Table, by: str) -> None:
    for look, (name, label) in zip(style.SERIES[2:], MEASURED, strict=False):
        certified = rows["built_certified"] if name == "built" else rows["certified"] == 1
        shown = rows[certified.astype(bool)]
        style.points(
            ax, shown[by], shown[name] - 1, series=look, held=shown.held.astype(bool), label=label
        )
    ax.set(yscale="log")
    ax.yaxis.set_minor_locator(NullLocator())


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    held = table[table.held]
    near = float(((held.ours - 1) / (held.built - 1)).min())
    beyond = int((held.largest > held.ours).sum() + (held.built > held.ours).sum())
    return (
        f"Largest over smallest multiplier of the max-margin limit on n = {settings.n} points of "
        "equal norms, less 1. Lines: our bound 1/(1 − 2/p) and the published one, "
        "γ⁻²(1 + 2/(γp − 2)). Markers: the largest "
        f"of {settings.draws} random sets of points, and points built to come near the bound. (a) "
        "At the threshold of near-orthogonality, p = 3γ⁻³. (b) Against p; hollow below the "
        "threshold. "
        f"Above the bound are {beyond} of {2 * len(held)} markers under near-orthogonality; where "
        f"they are nearest, the excess of the bound over 1 is {near:.3f} times that of the built "
        "points. Random points: off the diagonal the Gram matrix is uniform, with its largest "
        "entry at 0.999 of what p allows; labels balanced. Built points: one label, one point with "
        "−p_max to all others and one with +p_max to all but that. A marker is left out where the "
        "closed form is not a KKT point in every draw."
    )
