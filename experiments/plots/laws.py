"""The distribution of a quantity's draws on the law that is claimed of it."""

import numpy as np
from matplotlib.axes import Axes

from experiments.figures import style
from experiments.plots import histograms, ticks
from experiments.plots.words import folded
from theory.verification.verdict import Estimate

POINTS = 400  # of each line; more draws than these look the same


def panel(ax: Axes, estimate: Estimate, drawn: np.ndarray, cdf: np.ndarray) -> None:
    """The draws' distribution function, the claimed one, and how far chance may part them.

    Args:
      ax: where to draw.
      estimate: of the distance between them.
      drawn: (draws,) those that count.
      cdf: (draws,) the claimed function of each.
    """
    ax.set_title(folded(estimate.name, 36, 2))
    order = np.argsort(drawn, kind="stable")
    order = order[histograms.drawable(drawn[order])]
    x, claimed = drawn[order], cdf[order]
    share = np.arange(1, len(x) + 1) / len(drawn)
    shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int))
    x, claimed, share = x[shown], claimed[shown], share[shown]
    room = max(estimate.high - estimate.observed, 0.0)
    low, high = np.clip(claimed - room, 0, 1), np.clip(claimed + room, 0, 1)
    ax.fill_between(x, low, high, color=style.POSITIVE, linewidth=0, label="by chance", zorder=1)
    ax.plot(x, claimed, color=style.BLACK, label="claimed", linewidth=1.0, zorder=3)
    ax.step(
        x, share, where="post", color=style.VERMILLION, linestyle=(0, (5, 2)), label="draws",
        linewidth=1.0, zorder=4,
    )  # fmt: skip
    if len(x):
        found = histograms.bins(x, zero=False)
        histograms.set_scale(ax, x, found, zero=False)
    ax.set(xlabel="quantity in one draw", ylabel="share up to it", ylim=(-0.02, 1.02))
    ticks.linear(ax.yaxis)
    ax.legend(loc="lower right", borderaxespad=0.2, handlelength=1.8, fontsize=6.5)
