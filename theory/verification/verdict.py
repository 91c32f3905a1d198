"""What is collected about a statement over many draws, and the verdict reached on it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from theory._types import AnyArray
from theory._wording import counted
from theory.margins import Margin
from theory.verification import shown

if TYPE_CHECKING:
    from theory.verification.explaining import Explanation


class Evidence(NamedTuple):
    """What a batch of independent draws measured; every array has the draws as its first axis.

    Attributes:
      hypotheses: name → `Margin` of shape (draws,), the conditions that the statement needs.
      measured: name → `Margin` of shape (draws,), conditions reported beside them, not needed.
      conclusion: `Margin` of shape (draws,), or None for kinds judged by a quantity.
      allowed: (draws,) failure probability δ that the statement allows, or None.
      quantity: (draws,), (draws, claims), (draws, scales) or (draws, claims, scales) measured
        quantity, or None.
      constant: (draws,) largest constant with which the hypotheses hold, or None.
      quantity_error: bound on the numerical error of the quantity, of its shape; None where it is
        not known.
      identity: (draws, 2) fingerprints of the instances, None where they are not known.
      beside_keys: (draws, 2) the same without the random keys that the instances hold, None where
        they hold none.
    """

    hypotheses: Mapping[str, Margin]
    measured: Mapping[str, Margin]
    conclusion: Margin | None
    allowed: AnyArray | None
    quantity: AnyArray | None
    constant: AnyArray | None = None
    quantity_error: AnyArray | float | None = None
    identity: AnyArray | None = None
    beside_keys: AnyArray | None = None


class ConditionSummary(NamedTuple):
    """How one condition fared over the draws.

    met: draws in which it certainly held.  failed: draws in which it certainly failed.
    tightest_margin: smallest known margin over the draws, in `unit`.
    ratio: smallest, median and largest of left side over right side; None without a ratio.
    stage: the last stage that it looks at, None for everything.
    """

    met: int
    failed: int
    tightest_margin: float | None
    ratio: tuple[float, float, float] | None
    stage: str | None
    unit: str


class FailureRate(NamedTuple):
    """Failures among the trials, with Clopper–Pearson limits and the rate allowed (mean δ)."""

    failures: int
    trials: int
    observed: float
    low: float
    high: float
    allowed: float


class Estimate(NamedTuple):
    """A claimed quantity against its measured value and confidence interval.

    resolution: half-width that the interval had to reach, in the unit of the value.
    method: what the interval is from: "Clopper–Pearson", "betting", "Hall", "DKW" or a likelihood.
    """

    name: str
    claimed: float
    side: str
    tolerance: float
    observed: float
    low: float
    high: float
    verdict: str
    resolution: float = math.nan
    method: str = ""


class Constant(NamedTuple):
    """The constant that a published form leaves open.

    smallest: the smallest C that no draw contradicts: with any smaller one the hypotheses hold in
      a draw whose conclusion fails. 0 if no conclusion fails where a positive C has hypotheses.
    largest: the largest C with which the hypotheses hold in any draw; nothing is known beyond it.
    """

    smallest: float
    largest: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer about one statement over many draws.

    Attributes:
      id, kind: of the statement.
      verdict: "consistent", "refuted", "vacuous" or "inconclusive".
      reason: one sentence that says why.
      draws: number of draws.
      level: probability of calling a true statement refuted, at most.
      outcomes: name of each `Outcome` (lower case) → number of draws; all zero for statements
        about a quantity as a whole, which no single draw decides.
      hypotheses, measured: name → `ConditionSummary`.
      failure_rate: for deterministic and probabilistic statements with any trial, else None.
      estimates: one `Estimate` per claim about a quantity.
      tightest_margin, unit: smallest margin of the conclusion among draws that satisfy the
        hypotheses (among all draws if none does), None without a conclusion.
      tightness: bound over observed value, where the conclusion is "bound > observed": at the
        (1 − δ)-quantile over the draws that satisfy the hypotheses, the largest observed value for
        a deterministic statement. 1 is tight. None where there is no such ratio.
      constant: for published forms with an open constant, else None.
      draws_needed: how many draws would be enough, where too few were made and that is known.
      distinct: number of distinct instances among the draws, None where they are not known.
      detectable: smallest failure rate, or distance of a law from the claimed one, that these draws
        would have shown with 95 % probability; None for other statements about a quantity.
      notes: sentences about the statement that a reader must know: draws that repeat one another,
        a conclusion that is a tautology.
      estimated: names of the conditions whose numerical errors are estimates, not stated bounds.
      anytime: whether the level holds at any stopping time, as for `verify_until`; otherwise for a
        number of draws fixed before looking.
    """

    id: str
    kind: str
    verdict: str
    reason: str
    draws: int
    level: float
    outcomes: dict[str, int]
    hypotheses: dict[str, ConditionSummary]
    measured: dict[str, ConditionSummary]
    failure_rate: FailureRate | None = None
    estimates: tuple[Estimate, ...] = ()
    tightest_margin: float | None = None
    unit: str = "1"
    tightness: float | None = None
    constant: Constant | None = None
    draws_needed: int | None = None
    distinct: int | None = None
    detectable: float | None = None
    notes: tuple[str, ...] = ()
    estimated: tuple[str, ...] = ()
    anytime: bool = False

    def __repr__(self) -> str:
        return f"<Verdict {self.id}: {self.verdict}, {counted(self.draws, 'draw')}>"

    def _repr_html_(self) -> str:
        return shown.as_html(self.id, shown.verdict_rows(self))

    def _repr_markdown_(self) -> str:
        return shown.as_markdown(self.id, shown.verdict_rows(self))

    def explain(self) -> "Explanation":
        """The rule that decided, counts against thresholds, hypotheses nearest to failing."""
        from theory.verification.explaining import explained  # which is about verdicts

        return explained(self)

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.outcomes.items() if n)
        return f"{self.id}: {self.verdict} ({self.reason})" + (
            f"; draws: {counts}" if counts else ""
        )


def why_vacuous(hypotheses: Mapping[str, ConditionSummary], allowed: np.ndarray, draws: int) -> str:
    """Which hypotheses failed and by what factor, or that no draw allows a failure rate below 1."""
    reasons = []
    for name, summary in sorted(hypotheses.items(), key=lambda item: item[1].met):
        if summary.failed:
            reason = f"{name} fails in {summary.failed} of {counted(draws, 'draw')}"
            if summary.ratio is not None and summary.ratio[1] < 1:
                reason += f" by a factor of {_factor(summary.ratio[1])}"
            reasons.append(reason)
    hopeless, unknown = int(np.sum(allowed >= 1)), int(np.sum(np.isnan(allowed)))
    of = f"of {counted(draws, 'draw')}"
    if hopeless:
        median = np.nanmedian(allowed)
        reasons.append(f"δ ≥ 1 in {hopeless} {of} (median δ = {median:.3g})")
    if unknown:
        reasons.append(f"δ is no number in {unknown} {of}")
    return "; ".join(reasons)


def _factor(ratio: float) -> str:
    return f"{1 / ratio:.3g}" if ratio > 0 else "∞"


def with_needed(reason: str, needed: int | None) -> str:
    """The reason, with how many draws would do where that is known."""
    return reason if needed is None else f"{reason}; about {counted(needed, 'draw')} would do"
