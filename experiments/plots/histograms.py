"""Histograms of numbers over the draws, some of which may be far from the others."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from experiments.plots import ticks

BINS = 32
WIDE = 50.0  # a largest number so many times the median one is drawn on a scale of arsinh
MOST = 1e300  # what is larger cannot be drawn to scale


class Bins(NamedTuple):
    """Edges of bins.  unit: of a scale of arsinh(x/unit), None of a linear one."""

    edges: np.ndarray
    unit: float | None

    def limits(self, *, zero: bool) -> tuple[float, float]:
        """The axis: all bins, 0 if it is to be seen, and a little room."""
        ends = np.array([self.edges[0], self.edges[-1]])
        if zero:
            ends = np.array([min(ends[0], 0.0), max(ends[1], 0.0)])
        inner = ends if self.unit is None else np.arcsinh(ends / self.unit)
        inner = inner + 0.04 * np.ptp(inner) * np.array([-1, 1])
        low, high = inner if self.unit is None else self.unit * np.sinh(inner)
        return float(low), float(high)


def drawable(value: np.ndarray) -> np.ndarray:
    """Which numbers have a place on an axis."""
    return np.isfinite(value) & (abs(np.nan_to_num(value)) < MOST)


def bins(value: np.ndarray, *, zero: bool) -> Bins:
    """Bins for numbers with a place, at least one of them.

    Args:
      value: (draws,) the numbers.
      zero: whether 0 is on the axis, too, and between two bins, so that none has both signs.
    """
    size = abs(value[value != 0])
    unit = None
    if len(size) and size.max() > WIDE * np.median(size):
        unit = 10.0 ** math.floor(math.log10(np.quantile(size, 0.25)))
    ends = np.array([value.min(), value.max()], float)
    ends = ends if unit is None else np.arcsinh(ends / unit)
    if not zero and unit is None:
        # of numbers that agree in nine digits nobody sees the difference
        tiny = max(abs(ends).max() * 1e-9, 1e-300)
        if np.ptp(ends) <= tiny:
            ends = ends + np.array([-1, 1]) * (abs(ends).max() or 1.0) / 10
        return Bins(np.linspace(ends[0], ends[1], BINS + 1), None)
    axis = max(ends[1], 0.0) - min(ends[0], 0.0)
    width = max(float(np.ptp(ends)) / BINS, axis / (2 * BINS)) or 1.0
    first, last = math.floor(ends[0] / width), math.floor(ends[1] / width) + 1
    edges = width * np.arange(first, last + 1)
    return Bins(edges if unit is None else unit * np.sinh(edges), unit)


def set_scale(ax: Axes, value: np.ndarray, found: Bins, *, zero: bool) -> None:
    """The x axis of a histogram, with few ticks."""
    if found.unit is None:
        ticks.linear(ax.xaxis)
    else:
        ax.set_xscale("asinh", linear_width=found.unit)
        ticks.fixed(ax.xaxis, _ticks(float(value.min()), float(value.max()), found.unit))
    ax.set_xlim(*found.limits(zero=zero))
    ticks.linear(ax.yaxis, integer=True)
    ax.set_ylabel("draws", labelpad=1)


def _ticks(low: float, high: float, unit: float) -> list[float]:
    """0, and powers of ten on either side, so few that their labels have room."""
    sides = []
    for sign, end in ((-1.0, -low), (1.0, high)):
        if end > unit:
            powers = np.arange(math.log10(unit), math.floor(math.log10(end)) + 1)
            step = -(-len(powers) // 3)
            sides += [sign * 10.0**power for power in powers[::-1][::step]]
    span = np.arcsinh(max(high, 0) / unit) - np.arcsinh(min(low, 0) / unit)
    apart = [tick for tick in sides if abs(np.arcsinh(tick / unit)) > 0.14 * span]
    return sorted([0.0, *apart])
