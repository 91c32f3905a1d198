"""The picture of one statement's draws, its data and its caption."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.plots import claims, counts, laws, margins, worst
from experiments.plots.subjects import Drawn
from experiments.plots.words import folded
from experiments.report.words import MEANINGS
from theory._wording import counted

COLUMNS = 3
ROW = 1.75  # inches, the height of a row of panels
MOST_MARGINS = 24  # panels of conditions; the data hold all
SHOWN_CLAIMS = 3  # whose draws are shown, those nearest to their limits
SCALED = ("rate", "decay")

Panel = Callable[[Axes], None]


class _Rows:
    """Rows of panels, each with a height, gathered until the figure's size is known."""

    def __init__(self) -> None:
        self.found: list[tuple[float, list[Panel]]] = []

    def add(self, height: float, *panels: Panel) -> None:
        """A row of panels that share its width, of at most `COLUMNS`."""
        self.found.append((height, list(panels)))

    def add_all(self, height: float, panels: list[Panel], *, wide: bool = False) -> None:
        """Rows of panels of a third of the width; one row of few, where they may be wide."""
        if 0 < len(panels) < COLUMNS and wide:
            self.add(height, *panels)
            return
        for start in range(0, len(panels), COLUMNS):
            row = panels[start : start + COLUMNS]
            self.add(height, *row, *[_hidden] * (COLUMNS - len(row)))

    def figure(self, title: str) -> Figure:
        """All of them, under a title."""
        above = 0.16 * (title.count("\n") + 2)
        heights = [height for height, _ in self.found]
        figure = Figure(figsize=(style.WIDTH, above + sum(heights)), layout="constrained")
        count = len(heights) + 1
        parts: Any = figure.subfigures(count, 1, height_ratios=[above, *heights], squeeze=False)
        parts = parts[:, 0]
        parts[0].text(0.5, 0.5, title, ha="center", va="center", fontsize=8.5)
        for part, (_, panels) in zip(parts[1:], self.found, strict=True):
            for panel, ax in zip(panels, np.ravel(part.subplots(1, len(panels))), strict=True):
                panel(ax)
        return figure


def _hidden(ax: Axes) -> None:
    ax.set_visible(False)


def draw(drawn: Drawn) -> Figure:
    """The picture: claim first, then margins of the conditions, then the worst draws."""
    rows, verdict = _Rows(), drawn.verdict
    conditions = [*drawn.conditions("hypothesis"), *drawn.conditions("measured")]
    for conclusion in drawn.conditions("conclusion"):
        rows.add(
            ROW,
            lambda ax, one=conclusion: margins.panel(ax, one),
            lambda ax: counts.failure_rate(ax, verdict),
            lambda ax: counts.outcomes(ax, verdict),
        )
    if verdict.estimates:
        _add_claims(rows, drawn)
    elif "quantity" in drawn.arrays:
        rows.add(0.8, lambda ax: counts.nothing(ax, folded(verdict.reason, 100, 3)))
    shown = conditions[:MOST_MARGINS]
    rows.add_all(ROW, [lambda ax, one=one: margins.panel(ax, one) for one in shown])
    if drawn.draws > 1 and verdict.kind != "decay":  # whose draws fail or do not
        rows.add(1.1, lambda ax: worst.panel(ax, drawn))
    return rows.figure(_title(drawn))


def _title(drawn: Drawn) -> str:
    title = folded(f"{drawn.title}: {drawn.verdict.verdict}", 100, 3)
    return f"{title}\n{folded(drawn.says, 110, 2)}" if drawn.says else title


def _add_claims(rows: _Rows, drawn: Drawn) -> None:
    verdict, scaled = drawn.verdict, drawn.verdict.kind in SCALED
    chosen = claims.nearest(verdict, claims.MOST)
    estimates = [verdict.estimates[number] for number in chosen]
    what = {"rate": "exponent", "decay": "decay rate", "law": "distance"}.get(verdict.kind, "mean")
    per_claim = 0.34 if len(chosen) <= claims.SPACIOUS else 0.16
    rows.add(
        0.75 + per_claim * len(chosen),
        lambda ax: claims.intervals(ax, estimates, what=what),
    )
    quantities = drawn.quantities()[drawn.counted()]
    near = claims.nearest(verdict, SHOWN_CLAIMS)
    if verdict.kind == "law" and "cdf" in drawn.arrays:
        found = drawn.cdfs()[drawn.counted()]
        pairs = {i: (quantities[:, i], found[:, i]) for i in near}
        panels = [lambda ax, i=i: laws.panel(ax, verdict.estimates[i], *pairs[i]) for i in near]
        rows.add_all(2.1, panels, wide=True)
        return
    if not scaled:
        rows.add_all(
            ROW,
            [
                lambda ax, i=i: claims.values(ax, verdict.estimates[i], quantities[:, i])
                for i in near
            ],
            wide=True,
        )
        return
    scales, decay = np.asarray(drawn.arrays["scales"], float), verdict.kind == "decay"
    points = {i: claims.Points(verdict, i, scales, quantities[:, i]) for i in near}
    lines = [
        lambda ax, i=i: claims.fit(ax, points[i], verdict.estimates[i], decay=decay) for i in near
    ]
    rest = [lambda ax, i=i: claims.residuals(ax, points[i], decay=decay) for i in near]
    if len(near) <= 2:  # side by side
        for line, residual in zip(lines, rest, strict=True):
            rows.add(2.1, line, residual)
        return
    rows.add(2.2, *lines)
    rows.add(1.4, *rest)


def table(drawn: Drawn) -> pd.DataFrame:
    """The data behind the picture, one row for each of its points that is no single draw.

    part: condition, failure rate, claim or scale; name: of the condition or claim; value, low,
    high: what is drawn with its limits (of a condition the smallest margin, of a scale the mean
    with bars at 95 %); claimed, tolerance, side: what is claimed of it; holds, fails, undecided:
    draws of a condition; fitted: the value of the line at a scale.
    """
    return pd.DataFrame(list(_rows(drawn)))


def _rows(drawn: Drawn) -> Iterator[dict[str, Any]]:
    verdict = drawn.verdict
    for role in ("conclusion", "hypothesis", "measured"):
        for one in drawn.conditions(role):
            holds, fails, undecided = one.counts
            known = np.asarray(one.margin.value, float)
            known = known[np.isfinite(known)]
            yield {
                "part": role, "name": one.name, "value": known.min() if len(known) else np.nan,
                "unit": one.margin.unit, "holds": holds, "fails": fails, "undecided": undecided,
            }  # fmt: skip
    if (rate := verdict.failure_rate) is not None:
        yield {
            "part": "failure rate", "name": "failures", "value": rate.observed, "low": rate.low,
            "high": rate.high, "claimed": rate.allowed, "side": "at most",
        }  # fmt: skip
    for one in verdict.estimates:
        yield {
            "part": "claim", "name": one.name, "value": one.observed, "low": one.low,
            "high": one.high, "claimed": one.claimed, "tolerance": one.tolerance, "side": one.side,
        }  # fmt: skip
    if verdict.kind in SCALED and verdict.estimates:
        scales = np.asarray(drawn.arrays["scales"], float)
        quantities = drawn.quantities()[drawn.counted()]
        for number, one in enumerate(verdict.estimates):
            points = claims.Points(verdict, number, scales, quantities[:, number])
            for at, scale in enumerate(scales):
                yield {
                    "part": "scale", "name": one.name, "scale": scale, "value": points.mean[at],
                    "low": points.low[at], "high": points.high[at], "fitted": points.fitted[at],
                }  # fmt: skip


def caption(drawn: Drawn) -> str:
    """What the picture shows, in at most 80 words, and what else there is to know below it."""
    verdict = drawn.verdict
    if verdict.estimates:
        what = (
            "Each claim's interval in units of its resolution, tolerance shaded; below it what it "
            "comes from, for the claims nearest to their limits."
        )
    else:
        what = (
            "Margins are positive where a condition holds; the failure rate has Clopper–Pearson "
            "limits, dashed the rate that is allowed."
        )
    lines = [
        f"{' '.join(drawn.title.split())}: {verdict.verdict}, {counted(verdict.draws, 'draw')}.",
        what,
        "Histograms: blue holds, orange and hatched fails, grey is undecided within numerical "
        "error, the black line is 0.",
    ]
    details = [
        f"{drawn.says}." if drawn.says else "",
        f"{verdict.verdict.capitalize()}: {MEANINGS[verdict.verdict]}. {verdict.reason}.",
        *(f"{note}." for note in verdict.notes),
        "The shaded band around 0 is the median of the bounds on the numerical error. A scale with "
        "margins over several powers of ten is that of arsinh.",
        f"Limits at {100 * (1 - verdict.level):.4g} %, of single means two standard errors. "
        f"{drawn.settings}",
    ]
    if verdict.estimated:
        details.append(f"Numerical errors are estimated of: {', '.join(verdict.estimated)}.")
    left_out = len(drawn.conditions("hypothesis") + drawn.conditions("measured")) - MOST_MARGINS
    if left_out > 0:
        details.append(f"{left_out} more conditions are in the table only.")
    return f"{' '.join(lines)}\n\n## Details\n\n" + "\n\n".join(line for line in details if line)
