"""How the margins of a condition are distributed, and where they decide."""

import numpy as np
from matplotlib.axes import Axes

from experiments.figures import style
from experiments.plots import histograms
from experiments.plots.subjects import Condition
from experiments.plots.words import folded, plain

LOOKS = {  # what a draw decides → colour, hatch
    "holds": (style.BLUE, ""),
    "undecided": ("#BDBDBD", "...."),
    "fails": (style.VERMILLION, "////"),
}


def panel(ax: Axes, condition: Condition, *, width: int = 36) -> None:
    """A histogram of margins, coloured by what each draw decides; 0 and the errors are marked.

    Args:
      ax: where to draw.
      condition: with its draws.
      width: characters of a line of the title.
    """
    value = np.asarray(condition.margin.value, float)
    error = np.asarray(condition.margin.error, float)
    holds, fails, undecided = condition.counts
    name = condition.name if condition.role != "measured" else f"{condition.name} (not required)"
    counts = f"holds {holds:,} · fails {fails:,} · undecided {undecided:,}"
    ax.set_title(f"{folded(name, width, 2)}\n{counts}", fontsize=7)
    unit = "" if condition.margin.unit == "1" else f" ({plain(condition.margin.unit)})"
    ax.set_xlabel(f"margin{unit}")
    drawn = histograms.drawable(value)
    beside = _not_drawn(value, drawn)
    if drawn.any():
        known = error[drawn & np.isfinite(error)]
        band = float(np.median(known)) if len(known) else 0.0
        _histogram(ax, condition, value, drawn)
        ax.axvspan(-band, band, color=style.GREY, alpha=0.3, linewidth=0, zorder=0.5)
        ax.axvline(0, color=style.BLACK, linewidth=0.9, zorder=5)
    else:
        ax.set(xticks=[], yticks=[], xlim=(-1, 1), ylim=(0, 1))
    if beside:
        ax.text(
            0.5, 0.97 if drawn.any() else 0.5, beside, transform=ax.transAxes, ha="center",
            va="top" if drawn.any() else "center", fontsize=6.5, zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def _not_drawn(value: np.ndarray, drawn: np.ndarray) -> str:
    """How many margins are no numbers that have a place, in words."""
    words = (
        ("NaN", np.isnan(value)),
        ("−∞", value == -np.inf),
        ("+∞", value == np.inf),
        ("huge", np.isfinite(value) & ~drawn),
    )
    return ", ".join(f"{int(which.sum()):,} × {word}" for word, which in words if which.any())


def _histogram(ax: Axes, condition: Condition, value: np.ndarray, drawn: np.ndarray) -> None:
    found = histograms.bins(value[drawn], zero=True)
    margin, edges = condition.margin, found.edges
    decided = {"holds": np.asarray(margin.holds), "fails": np.asarray(margin.fails)}
    decided["undecided"] = ~(decided["holds"] | decided["fails"])
    below = np.zeros(len(edges) - 1)
    for name, (colour, hatch) in LOOKS.items():
        count, _ = np.histogram(value[drawn & decided[name]], edges)
        if count.any():
            ax.bar(
                edges[:-1], count, np.diff(edges), bottom=below, align="edge", color=colour,
                edgecolor="white", linewidth=0.2, hatch=hatch, zorder=3,
            )  # fmt: skip
        below += count
    histograms.set_scale(ax, value[drawn], found, zero=True)
    ax.set_ylim(0, 1.18 * max(1.0, below.max()))
