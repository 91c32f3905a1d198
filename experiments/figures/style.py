"""One look for all figures: colours that the colour-blind can tell, markers and lines for grey.

A line is predicted, a marker is measured, with bars of two standard errors. Markers are filled
where the hypotheses hold under which the prediction is claimed, and hollow where they do not.
"""

from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

# The palette of Okabe and Ito (2008), told apart by all kinds of colour blindness.
BLACK, GREY = "#000000", "#767676"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
POSITIVE, NEGATIVE = "#D6EAF6", "#EDB88F"  # of regions: light, and apart in grey, too

WIDTH = 6.8  # inches, two columns of a paper
RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "svg.hashsalt": "widetheory",  # the same picture is the same file
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "image.interpolation": "nearest",
}


class Series(NamedTuple):
    """How one series looks."""

    colour: str
    marker: str
    line: LineStyleType


SERIES = (
    Series(BLUE, "o", "-"),
    Series(VERMILLION, "s", (0, (5, 2))),
    Series(GREEN, "^", (0, (5, 1.5, 1, 1.5))),
    Series(PURPLE, "D", (0, (1, 1.2))),
    Series(ORANGE, "v", (0, (8, 2, 1, 2, 1, 2))),
    Series(BLACK, "X", (0, (3, 3))),
)


def axes(
    rows: int = 1, columns: int = 1, *, height: float = 2.1, width: float = WIDTH, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes.

    Args:
      rows, columns: of the grid.
      height: of a row, in inches.
      width: of the figure, in inches.
      options: for `Figure.subplots`, as sharex or width_ratios.

    Returns:
      The figure and its (rows, columns) axes.
    """
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def points(
    ax: Axes,
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    standard_error: npt.ArrayLike | None = None,
    *,
    series: Series,
    held: npt.ArrayLike | None = None,
    label: str | None = None,
    bars: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> None:
    """Measured points.

    Args:
      ax: where to draw.
      x, mean: their places.
      standard_error: of the mean; bars are twice as long to each side.
      series: their looks.
      held: of each point, whether the prediction's hypotheses hold: filled or hollow. None: all.
      label: for the legend.
      bars: (low, high) ends of bars in place of two standard errors.
    """
    x, mean = np.asarray(x, float), np.asarray(mean, float)
    held = np.ones(len(x), bool) if held is None else np.asarray(held, bool)
    if bars is not None:
        low, high = (np.asarray(end, float) for end in bars)
        lengths = np.clip([mean - low, high - mean], 0, None)
    elif standard_error is not None:
        error = 2 * np.asarray(standard_error, float)
        lengths = np.array([error, error])
    else:
        lengths = None
    if lengths is not None and np.isfinite(lengths).any():
        ax.errorbar(
            x, mean, yerr=np.nan_to_num(lengths), fmt="none", ecolor=series.colour,
            elinewidth=0.8, capsize=1.5, capthick=0.8, zorder=3,
        )  # fmt: skip
    for chosen, face in ((held, series.colour), (~held, "white")):
        if chosen.any():
            ax.plot(
                x[chosen], mean[chosen], linestyle="none", marker=series.marker,
                color=series.colour, markerfacecolor=face, markeredgewidth=0.9, zorder=4,
            )  # fmt: skip
    if label is not None:
        ax.plot([], [], linestyle="none", marker=series.marker, color=series.colour, label=label)


def curve(
    ax: Axes, x: npt.ArrayLike, y: npt.ArrayLike, *, series: Series, label: str | None = None
) -> None:
    """A predicted curve."""
    ax.plot(x, y, color=series.colour, linestyle=series.line, label=label, zorder=2)


def band(
    ax: Axes, x: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, *, series: Series
) -> None:
    """A band around a curve."""
    ax.fill_between(x, low, high, color=series.colour, alpha=0.15, linewidth=0, zorder=1)


def reference(ax: Axes, y: float, text: str) -> None:
    """A horizontal line for comparison, as chance, with its name at the right end."""
    ax.axhline(y, color=GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
    ax.annotate(
        text, (1, y), xycoords=("axes fraction", "data"), xytext=(-1, 2),
        textcoords="offset points", ha="right", va="bottom", color=GREY, fontsize=6.5,
    )  # fmt: skip


def sign_map(ax: Axes, u: npt.ArrayLike, v: npt.ArrayLike, values: npt.ArrayLike) -> None:
    """Regions where a function on a plane is positive (blue) and negative (orange).

    Args:
      ax: where to draw.
      u, v: (columns,) and (rows,) coordinates of the grid.
      values: (rows, columns) of the function.
    """
    ax.pcolormesh(
        u, v, np.asarray(values) >= 0, cmap=ListedColormap([NEGATIVE, POSITIVE]), vmin=0, vmax=1,
        shading="nearest", rasterized=True,
    )  # fmt: skip
    ax.grid(visible=False)


def hatched(ax: Axes, u: npt.ArrayLike, v: npt.ArrayLike, where: npt.ArrayLike) -> None:
    """Hatches the region of a plane in which a condition is true."""
    where = np.asarray(where, float)
    if where.any():
        with matplotlib.rc_context({"hatch.linewidth": 0.4, "hatch.color": GREY}):
            ax.contourf(u, v, where, levels=[0.5, 1.5], colors="none", hatches=["////"])


def key_of_markers(*, hollow: bool = True, predicted: bool = True) -> list[Line2D]:
    """Legend entries that say what lines and markers mean."""
    entries = []
    if predicted:
        entries.append(Line2D([], [], color=GREY, label="predicted"))
    style = {"linestyle": "none", "marker": "o", "color": GREY, "markeredgewidth": 0.9}
    entries.append(Line2D([], [], **style, label="measured"))
    if hollow:
        entries.append(
            Line2D([], [], **style, markerfacecolor="white", label="measured, hypotheses not met")
        )
    return entries


def letters(grid: np.ndarray) -> None:
    """Letters the panels (a), (b), … at their upper left."""
    for number, ax in enumerate(grid.flat):
        if ax.get_visible():
            ax.annotate(
                f"({chr(ord('a') + number)})", (0, 1), xycoords="axes fraction", xytext=(-4, 4),
                textcoords="offset points", ha="right", va="bottom", fontweight="bold",
            )  # fmt: skip
