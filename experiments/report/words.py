"""Words, numbers and colours that all reports share."""

import math
import textwrap

from theory.verification.verdict import Estimate, Verdict

COLOURS = {"consistent": "green", "refuted": "red", "vacuous": "yellow", "inconclusive": "magenta"}


SHOWN_CLAIMS = 4  # of more claims only the nearest to its limits is shown in the table


CLAIM_WIDTH = 34


SIDES = {"equal": "=", "at most": "≤", "at least": "≥"}


MEANINGS = {
    "consistent": "the draws test the statement and give no evidence against it",
    "refuted": "a counterexample, more failures than allowed, or a value off its claim",
    "vacuous": "no draw in which the statement says anything: nothing was tested",
    "inconclusive": "too few or undecided draws, or a law too skewed for them",
}


def number_text(value: float | None) -> str:
    """Three digits, with a real minus sign; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+").replace("-", "−")


def claim_texts(verdict: Verdict) -> list[tuple[list[str], list[str]]]:
    """Lines of every claim shown and of its measured value beside it, equally many.

    Of many claims only the one nearest to its limits, among those that decided the verdict.
    """
    shown = list(verdict.estimates)
    head: list[tuple[list[str], list[str]]] = []
    if len(shown) > SHOWN_CLAIMS:
        decisive = [e for e in shown if e.verdict == verdict.verdict]
        head = [([f"{len(decisive)} of {len(shown)} claims, nearest:"], [""])]
        shown = [max(decisive, key=_nearness)]
    for estimate in shown:
        within = f" ± {number_text(estimate.tolerance)}" if estimate.tolerance else ""
        text = f"{estimate.name} {SIDES[estimate.side]} {number_text(estimate.claimed)}{within}"
        lines = textwrap.wrap(text, CLAIM_WIDTH)
        low, high = number_text(estimate.low), number_text(estimate.high)
        values = [f"{number_text(estimate.observed)} [{low}, {high}]"]
        head.append((lines, values + [""] * (len(lines) - 1)))
    return head


def claim_lines(verdict: Verdict) -> str:
    """The same, each claim in a line with its value."""
    return "\n".join(
        f"{' '.join(claim)}: {' '.join(filter(None, values))}".removesuffix(": ")
        for claim, values in claim_texts(verdict)
    )


def _nearness(estimate: Estimate) -> float:
    """Distance of the observed from the claimed value over what the interval and tolerance allow,
    positive on the wrong side of a one-sided claim."""
    side = {"equal": 0, "at most": 1, "at least": -1}[estimate.side]
    off = estimate.observed - estimate.claimed
    room = (estimate.high - estimate.low) / 2 + estimate.tolerance
    return (side * off if side else abs(off)) / (room or 1.0)
