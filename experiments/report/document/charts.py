"""Small charts as inline SVG: no style of their own but classes, which the page colours."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.report.words import number_text
from experiments.results.draws import KeptMargin
from theory._wording import counted

WIDTH, HEIGHT = 320, 56
BINS = 32
TAIL = 0.005  # share of the draws on either side that the outermost bars take in
OUTCOMES = ("confirmed", "beyond", "undecided", "vacuous", "miss")


class Chart(NamedTuple):
    """What it shows in words, which stand below it, and the drawing."""

    says: str
    drawn: str


def margins(margin: KeptMargin, name: str, unit: str) -> Chart | None:
    """A histogram of margins, what holds, fails and is undecided apart, with the line at 0."""
    value, error = (np.asarray(part, float) for part in (margin.value, margin.error))
    holds, fails = value > error, value < -error
    parts = {"fail": fails, "open": ~holds & ~fails, "pass": holds}
    finite = np.isfinite(value)
    if not finite.any():
        return None
    words = [f"{name}: margins over {counted(len(value), 'draw')}", *_range(value[finite], unit)]
    counts = (
        f"{int(holds.sum()):,} above 0, {int(fails.sum()):,} below, {int(parts['open'].sum()):,}"
    )
    words.append(f"{counts} within the numerical error of 0")
    low, high = _ends(value[finite], (0.0,))
    bars = _bars({kind: value[chosen & finite] for kind, chosen in parts.items()}, low, high)
    return Chart("; ".join(words), _svg(bars + _line(_x(0.0, low, high), "zero", HEIGHT)))


def quantity(values: np.ndarray, claimed: float | None, name: str) -> Chart | None:
    """A histogram of what was measured in each draw, with the claimed mean and the mean found."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    marks = [] if claimed is None else [claimed]
    low, high = _ends(finite, marks)
    words = [f"{name}: values over {counted(len(values), 'draw')}", *_range(finite, "1")]
    drawn = _bars({"plain": finite}, low, high)
    drawn += _line(_x(float(finite.mean()), low, high), "mean", HEIGHT)
    for mark in marks:
        words.append(f"claimed mean {number_text(mark)}")
        drawn += _line(_x(mark, low, high), "claim", HEIGHT)
    return Chart("; ".join(words), _svg(drawn))


def interval(
    low: float | None,
    observed: float | None,
    high: float | None,
    claimed: float,
    tolerance: float = 0,
) -> str:
    """Confidence limits and the measured value, against what is claimed."""
    numbers = [n for n in (low, observed, high) if n is not None and math.isfinite(n)]
    if low is None or high is None or observed is None or len(numbers) < 3:
        return ""
    ends = [*numbers, claimed - tolerance, claimed + tolerance]
    room = (max(ends) - min(ends)) or abs(claimed) or 1.0
    left, right = min(ends) - room / 12, max(ends) + room / 12
    x = [
        _x(n, left, right) for n in (low, observed, high, claimed - tolerance, claimed + tolerance)
    ]
    drawn = (
        f'<rect class="band" x="{x[3]:.1f}" y="2" width="{max(x[4] - x[3], 0):.1f}" height="20"/>'
    )
    drawn += _line(_x(claimed, left, right), "claim", 24)
    drawn += f'<path class="limits" d="M{x[0]:.1f} 7V17M{x[0]:.1f} 12H{x[2]:.1f}M{x[2]:.1f} 7V17"/>'
    drawn += f'<circle class="found" cx="{x[1]:.1f}" cy="12" r="4"/>'
    return _svg(drawn, 24)


def outcomes(counts: Mapping[str, int]) -> Chart | None:
    """How many draws had which outcome, as one bar."""
    total = sum(counts.values())
    if not total:
        return None
    drawn, at = "", 0.0
    for name in OUTCOMES:
        wide = WIDTH * counts.get(name, 0) / total
        if wide:
            drawn += f'<rect class="{name}" x="{at:.2f}" y="0" width="{wide:.2f}" height="12"/>'
        at += wide
    said = ", ".join(f"{counts[name]:,} {name}" for name in OUTCOMES if counts.get(name))
    return Chart(said, _svg(drawn, 12))


def scaling(scales: np.ndarray, values: np.ndarray, name: str) -> Chart | None:
    """Means over draws at each scale, on logarithmic axes."""
    means = np.asarray(values, float).mean(axis=0)
    if not ((means > 0).all() and (scales > 0).all() and np.isfinite(means).all()):
        return None
    tall = 2 * HEIGHT
    x = [_x(v, *_ends(np.log(scales), ())) for v in np.log(scales)]
    low, high = _ends(np.log(means), ())
    y = [tall - 8 - (tall - 16) * (v - low) / (high - low) for v in np.log(means)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dots = "".join(
        f'<circle class="found" cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
        for a, b in zip(x, y, strict=True)
    )
    said = ", ".join(
        f"{number_text(m)} at {number_text(s)}" for s, m in zip(scales, means, strict=True)
    )
    line = f'<polyline class="trend" points="{points}"/>{dots}'
    return Chart(f"{name}: means over the draws, logarithmic axes: {said}", _svg(line, tall))


def _ends(values: np.ndarray, marks: Sequence[float]) -> tuple[float, float]:
    """From where to where is drawn: nearly all values, and marks unless they are far away."""
    low, high = (float(np.quantile(values, q)) for q in (TAIL, 1 - TAIL))
    room = high - low or abs(high) or 1.0
    for mark in marks:
        if low - 2 * room <= mark <= high + 2 * room:
            low, high = min(low, mark), max(high, mark)
    room = high - low or abs(high) or 1.0
    return low - room / 40, high + room / 40


def _x(value: float, low: float, high: float) -> float:
    return float(np.clip(WIDTH * (value - low) / (high - low), -9.0, WIDTH + 9.0))


def _bars(parts: Mapping[str, np.ndarray], low: float, high: float) -> str:
    """Stacked bars; what is beyond the ends is in the outermost ones."""
    edges = np.linspace(low, high, BINS + 1)
    counts = {
        kind: np.histogram(np.clip(values, low, high), edges)[0] for kind, values in parts.items()
    }
    top = max(sum(counts.values()).max(), 1)  # type: ignore[union-attr]
    wide, drawn = WIDTH / BINS, ""
    base = np.zeros(BINS)
    for kind, count in counts.items():
        for place in np.flatnonzero(count):
            tall = (HEIGHT - 4) * count[place] / top
            y = HEIGHT - base[place] - tall
            drawn += (
                f'<rect class="{kind}" x="{place * wide:.4g}" y="{y:.4g}" '
                f'width="{wide - 1:.4g}" height="{tall:.4g}"/>'
            )
            base[place] += tall
    return drawn


def _line(x: float, kind: str, height: int) -> str:
    return f'<path class="{kind}" d="M{x:.1f} 0V{height}"/>'


def _range(values: np.ndarray, unit: str) -> list[str]:
    numbers = (values.min(), np.median(values), values.max())
    low, middle, high = (number_text(float(number)) for number in numbers)
    of = "" if unit == "1" else f" {unit}"
    return [f"smallest {low}{of}, median {middle}{of}, largest {high}{of}"]


def _svg(drawn: str, height: int = HEIGHT) -> str:
    """The element; hidden from screen readers, as words say the same."""
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg aria-hidden="true" {size}>{drawn}</svg>'
