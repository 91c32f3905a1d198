"""The worst draws of a statement, as a table in words."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.plots.subjects import Drawn
from experiments.plots.words import short
from experiments.report.words import number_text
from theory._wording import counted
from theory.verification.outcomes import Outcome, premise

SHOWN = 5


def order(drawn: Drawn) -> np.ndarray:
    """Numbers of the draws, those nearest to a counterexample first.

    Of a statement with a conclusion by its margin, where the hypotheses hold if they do in any
    draw, misses first and what is NaN after what is known; of one about a quantity by the distance
    from the median, in units of the spread.
    """
    if (outcomes := drawn.outcomes()) is not None:
        (conclusion,) = drawn.conditions("conclusion")
        value = np.asarray(conclusion.margin.value, float)
        margins = [one.margin for one in drawn.conditions("hypothesis")]
        holds = np.broadcast_to(np.asarray(premise(margins).holds), value.shape)
        left_out = ~holds if holds.any() else np.zeros(len(value), bool)
        unknown = np.isnan(value)
        miss = outcomes == Outcome.MISS
        return np.lexsort((np.where(unknown, 0, value), unknown, ~miss, left_out))
    apart = _apart(drawn).max(axis=1)
    counted = drawn.counted()
    return np.lexsort((-apart, ~counted))


def _apart(drawn: Drawn) -> np.ndarray:
    """(draws, numbers) distances from the median in units of the median distance."""
    rows = drawn.quantities().reshape(drawn.draws, -1)
    off = abs(rows - np.median(rows, axis=0))
    spread = np.median(off, axis=0)
    return np.nan_to_num(off / np.where(spread > 0, spread, 1.0), nan=np.inf)


def table(drawn: Drawn, count: int = SHOWN) -> pd.DataFrame:
    """One row for each of the worst draws, all in words, in the order of `order`."""
    return pd.DataFrame([_row(drawn, int(number)) for number in order(drawn)[:count]])


def _row(drawn: Drawn, number: int) -> dict[str, str]:
    row = {"draw": f"{number:,}"}
    outcomes = drawn.outcomes()
    if outcomes is not None:
        (conclusion,) = drawn.conditions("conclusion")
        row["outcome"] = Outcome(int(outcomes[number])).name.lower()
        row["margin of the conclusion"] = _margin(conclusion.margin, number)
    else:
        rows = drawn.quantities().reshape(drawn.draws, -1)
        column = int(np.argmax(_apart(drawn)[number]))
        scales = len(drawn.arrays["scales"]) if "scales" in drawn.arrays else 1
        claim, scale = divmod(column, scales)
        names = [one.name for one in drawn.verdict.estimates]
        row["quantity"] = number_text(float(rows[number, column]))
        row["of"] = names[claim] if claim < len(names) else f"claim {claim + 1}"
        if scales > 1:
            row["at scale"] = number_text(float(drawn.arrays["scales"][scale]))
    hypotheses = drawn.conditions("hypothesis")
    if hypotheses:
        known = [one for one in hypotheses if not np.isnan(one.margin.value[number])]
        failing = [one for one in known if bool(one.margin.fails[number])]
        nearest = min(failing or known or hypotheses, key=lambda one: one.margin.value[number])
        row["hypothesis nearest to failing"] = f"{nearest.name}: {_margin(nearest.margin, number)}"
    return row


def _margin(margin, number: int) -> str:
    unit = "" if margin.unit == "1" else f" {margin.unit}"
    value, error = float(margin.value[number]), float(margin.error[number])
    if np.isinf(value):
        return "+∞" if value > 0 else "−∞"
    text = "NaN" if np.isnan(value) else number_text(value)
    return f"{text} ± {'∞' if np.isinf(error) else number_text(error)}{unit}"


def panel(ax: Axes, drawn: Drawn) -> None:
    """The table, as text."""
    found = table(drawn)
    ax.axis("off")
    ax.set_title(f"worst of {counted(drawn.draws, 'draw')}", loc="left")
    widths = {name: 64 if "hypothesis" in name else 40 for name in found}
    longest = {
        name: max(len(short(text, widths[name])) for text in [name, *found[name]]) for name in found
    }
    total = sum(longest.values()) + 3 * len(longest)
    left = 0.0
    for name in found:
        for line, text in enumerate([name, *found[name]]):
            ax.text(
                left, 0.92 - line / (SHOWN + 1.2), short(text, widths[name]), va="top",
                transform=ax.transAxes, fontsize=6.5, fontweight="bold" if not line else "normal",
            )  # fmt: skip
        left += (longest[name] + 3) / max(total, 110)
