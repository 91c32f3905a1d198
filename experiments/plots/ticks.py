"""Ticks with few, short labels, whatever is on the axis."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullLocator

from experiments.report.words import number_text


def label(value: float) -> str:
    """A number as short as it is exact, of six digits at most."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    short = number_text(value)
    return short if "e" in short or len(short) < 8 else f"{value:g}".replace("-", "−")


def formatter() -> Formatter:
    """Labels by `label`, without the factor that matplotlib writes at an axis' end."""
    return FuncFormatter(lambda value, _: label(float(f"{value:.6g}")))


def linear(axis: Axis, count: int = 4, *, integer: bool = False) -> None:
    """A few ticks of a linear axis."""
    axis.set_major_locator(MaxNLocator(count, integer=integer))
    axis.set_major_formatter(formatter())


def fixed(axis: Axis, places: Sequence[float] | np.ndarray) -> None:
    """Ticks at these places alone."""
    axis.set_major_locator(FixedLocator([float(place) for place in places]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(formatter())


def logarithmic(axis: Axis, low: float, high: float, count: int = 5) -> None:
    """A few ticks of a logarithmic axis: at powers of ten, and at 1, 2, 5 times them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = np.array([])
    for steps in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        every = np.array([step * 10.0**p for p in range(first, last + 1) for step in steps])
        found = every[(every >= low * 0.99) & (every <= high * 1.01)]
        if len(found) <= count:
            break
    step = -(-len(found) // count) or 1
    places = found[::step] if len(found) >= 2 else np.array([low, high])
    fixed(axis, places)
