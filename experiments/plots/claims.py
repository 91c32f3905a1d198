"""Claims about a quantity: estimates and intervals against what is claimed, and their draws."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from experiments.figures import style
from experiments.plots import histograms, ticks
from experiments.plots.words import folded, short
from experiments.report.words import SIDES, number_text
from theory.verification.statistics import clopper_pearson
from theory.verification.verdict import Estimate, Verdict

MOST = 40  # claims in one panel; of more those nearest to their limits
SPACIOUS = 8  # claims up to which their numbers are written beside them
COVERAGE = 0.9545  # of bars: that of two standard errors of a normal law


def nearest(verdict: Verdict, count: int) -> list[int]:
    """Numbers of the claims that are nearest to their limits, in their own order."""
    order = sorted(range(len(verdict.estimates)), key=lambda i: -_excess(verdict.estimates[i]))
    return sorted(order[:count])


def _excess(estimate: Estimate) -> float:
    """How far the interval reaches over what is claimed, in units of the resolution."""
    off = estimate.observed - estimate.claimed
    side = {"equal": abs(off), "at most": off, "at least": -off}[estimate.side]
    excess = (side - estimate.tolerance) / _unit(estimate)
    return excess if math.isfinite(excess) else math.inf


def _unit(estimate: Estimate) -> float:
    known = math.isfinite(estimate.resolution) and estimate.resolution > 0
    return estimate.resolution if known else 1.0


def intervals(ax: Axes, estimates: Sequence[Estimate], *, what: str, width: int = 60) -> None:
    """A row for each claim, in units of the half-width that its interval had to reach.

    Args:
      ax: where to draw.
      estimates: of the claims.
      what: is estimated, for the title.
      width: characters of a claim's name.
    """
    ax.set_title(f"{what}: estimate and interval against the claim, its tolerance shaded")
    for row, one in enumerate(estimates):
        unit = _unit(one)
        low, middle, high = ((x - one.claimed) / unit for x in (one.low, one.observed, one.high))
        against = {"consistent": 0, "refuted": 1}.get(one.verdict, 3)
        series = style.SERIES[against]
        room = one.tolerance / unit
        ends = {"equal": (-room, room), "at most": (-1e6, room), "at least": (-room, 1e6)}
        ax.barh(
            row, np.ptp(ends[one.side]), left=ends[one.side][0], height=0.8, color=style.POSITIVE,
            linewidth=0, zorder=1,
        )  # fmt: skip
        ax.plot(np.clip([low, high], -1e6, 1e6), [row, row], color=series.colour, zorder=3)
        style.points(ax, [middle], [row], series=series, held=[one.verdict == "consistent"])
    ax.axvline(0, color=style.BLACK, linewidth=0.9, zorder=2)
    ax.set(ylim=(len(estimates) - 0.4, -0.6), xlim=_range(estimates), yticks=[])
    if len(estimates) <= SPACIOUS:
        for row, one in enumerate(estimates):
            ax.text(
                0.01, row - 0.47, f"{short(one.name, width)}: {_numbers(one)}", va="top",
                fontsize=7, transform=ax.get_yaxis_transform(), zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
    else:
        names = [short(one.name, width) for one in estimates]
        ax.set_yticks(range(len(names)), names, fontsize=6)
    ax.grid(visible=False, axis="y")
    ticks.linear(ax.xaxis, 6)
    ax.set_xlabel("(value − claimed) / resolution")


def _numbers(one: Estimate) -> str:
    within = f" ± {number_text(one.tolerance)}" if one.tolerance else ""
    found = f"{number_text(one.observed)} [{number_text(one.low)}, {number_text(one.high)}]"
    return f"{found}, claimed {SIDES[one.side]} {number_text(one.claimed)}{within}"


def _range(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """All intervals that have ends, and their tolerances; the resolution at least."""
    places = [-1.2, 1.2]
    for one in estimates:
        unit = _unit(one)
        ends = [(x - one.claimed) / unit for x in (one.low, one.observed, one.high)]
        places += [p for p in ends if math.isfinite(p)]
        places += [-one.tolerance / unit, one.tolerance / unit]
    low, high = max(min(places), -1e5), min(max(places), 1e5)
    room = 0.05 * (high - low)
    return low - room, high + room


def values(ax: Axes, estimate: Estimate, drawn: np.ndarray) -> None:
    """A histogram of the quantity over the draws, with claim and mean.

    Args:
      ax: where to draw.
      estimate: of the claim about its mean.
      drawn: (draws,) those that count.
    """
    ax.set_title(folded(estimate.name, 36, 2))
    known = drawn[histograms.drawable(drawn)]
    if len(known):
        found = histograms.bins(known, zero=False)
        count, edges = np.histogram(known, found.edges)
        ax.bar(edges[:-1], count, np.diff(edges), align="edge", color=style.SKY, zorder=2)
        histograms.set_scale(ax, known, found, zero=False)
        ax.set_ylim(0, 1.3 * count.max())
    for value, look, label in (
        (estimate.claimed, (style.BLACK, "-"), "claimed"),
        (estimate.observed, (style.VERMILLION, (0, (5, 2))), "mean"),
    ):
        ax.axvline(value, color=look[0], linestyle=look[1], label=label, linewidth=1.0, zorder=4)
    ax.legend(loc="upper right", ncols=2, borderaxespad=0.1, handlelength=1.6, columnspacing=0.8)
    ax.set_xlabel("quantity in one draw")


class Points:
    """What a rate or decay is fitted to, on its own scale: a line through points.

    Attributes:
      scales: (S,).  x: (S,) log scale of a rate, the scale of a decay.
      mean, low, high: (S,) measured, with bars.
      fitted, claimed: (S,) the lines of the fitted and the claimed number, through the centroid.
    """

    def __init__(self, verdict: Verdict, number: int, scales: np.ndarray, drawn: np.ndarray):
        estimate, decay = verdict.estimates[number], verdict.kind == "decay"
        self.scales = scales
        self.x = scales if decay else np.log(scales)
        count = len(drawn)
        self.mean = drawn.mean(axis=0)
        if decay:
            limits = [clopper_pearson(round(k * count), count, COVERAGE) for k in self.mean]
            self.low, self.high = (np.array(ends) for ends in zip(*limits, strict=True))
        else:
            spread = drawn.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else np.nan
            self.low, self.high = self.mean - 2 * spread, self.mean + 2 * spread
        sign = -1.0 if decay else 1.0
        known = self.mean > 0
        logs = np.log(self.mean, where=known, out=np.full(len(scales), np.nan))
        weights = known * (count * self.mean if decay else 1.0)
        centre = np.average(self.x, weights=weights) if known.any() else np.nan
        level = np.average(logs[known], weights=weights[known]) if known.any() else np.nan
        self.fitted, self.claimed = (
            np.exp(level + sign * slope * (self.x - centre))
            for slope in (estimate.observed, estimate.claimed)
        )


def fit(ax: Axes, points: Points, estimate: Estimate, *, decay: bool) -> None:
    """Means over draws on the scale on which the law is a line, fitted and claimed."""
    ax.set_title(folded(estimate.name, 36, 2), fontsize=7)
    positive = points.mean > 0
    bars = np.maximum(points.low, points.mean / 10), points.high
    style.points(
        ax, points.scales[positive], points.mean[positive], series=style.SERIES[0],
        bars=(bars[0][positive], bars[1][positive]), label="measured",
    )  # fmt: skip
    ax.plot(points.scales, points.fitted, color=style.BLUE, label="fitted", zorder=2)
    ax.plot(
        points.scales, points.claimed, color=style.BLACK, linestyle=(0, (5, 2)), zorder=2,
        label=f"claimed {SIDES[estimate.side]} {number_text(estimate.claimed)}",
    )  # fmt: skip
    ax.set_yscale("log")
    if positive.any():
        ends = ax.get_ylim()
        ticks.logarithmic(ax.yaxis, *ends)
        ax.set_ylim(*ends)
    _scales(ax, points, decay)
    ax.set_ylabel("share that fails" if decay else "mean")
    ax.legend(loc="best", borderaxespad=0.2, handlelength=1.8, fontsize=6.5)


def residuals(ax: Axes, points: Points, *, decay: bool) -> None:
    """Measured over fitted, with bars; a power law or decay lies flat at 1."""
    style.points(
        ax, points.scales, points.mean / points.fitted, series=style.SERIES[0],
        bars=(points.low / points.fitted, points.high / points.fitted),
    )  # fmt: skip
    ax.axhline(1, color=style.BLUE, linewidth=0.9, zorder=1)
    _scales(ax, points, decay)
    ax.set(xlabel="scale", ylabel="measured / fitted")
    ticks.linear(ax.yaxis)


def _scales(ax: Axes, points: Points, decay: bool) -> None:
    if not decay:
        ax.set_xscale("log")
    step = -(-len(points.scales) // 5)
    ticks.fixed(ax.xaxis, points.scales[::-1][::step])
