"""What is collected about a statement over many draws, and the verdict reached on it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from theory._validation import check_choice
from theory.evidence import Margin

SIDES = ("equal", "at most", "at least")


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
    """

    hypotheses: Mapping[str, Margin]
    measured: Mapping[str, Margin]
    conclusion: Margin | None
    allowed: Any
    quantity: Any
    constant: Any = None


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a statement says about a quantity as a whole.

    Attributes:
      value: the claimed mean (kinds "moment" and "empirical"), exponent of a power law ("rate") or
        decay rate per unit scale ("decay").
      resolution: half-width that the confidence interval must reach before anything is said;
        absolute for rates and for a mean claimed to be 0, relative to |value| for other means.
      side: "equal", "at most" or "at least": what the quantity is said to be.
      name: what the value is called, for reports.
      tolerance: how far the value may be off systematically, in its own unit: a power law that
        holds asymptotically bends at finite scales. 0 for what is exact.
      signed: of a rate, whether single draws may be zero or negative where their mean is positive.

    Raises:
      ValueError: for an unknown side.
    """

    value: float
    resolution: float
    side: str = "equal"
    name: str = "value"
    tolerance: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        check_choice("side", self.side, SIDES)

    def __str__(self) -> str:
        side = "" if self.side == "equal" else f"{self.side} "
        return f"{side}{self.value:.4g}" + (f" ± {self.tolerance:.3g}" if self.tolerance else "")


class ConditionSummary(NamedTuple):
    """How one condition fared over the draws.

    met: draws in which it certainly held.  failed: draws in which it certainly failed.
    tightest_margin: smallest known margin over the draws, in `unit`.
    ratio: smallest, median and largest of left side over right side; None without a ratio.
    tier: "data", "init" or "certificate".
    """

    met: int
    failed: int
    tightest_margin: float | None
    ratio: tuple[float, float, float] | None
    tier: str
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
    """A claimed quantity against its measured value and confidence interval."""

    name: str
    claimed: float
    side: str
    tolerance: float
    observed: float
    low: float
    high: float
    verdict: str


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
      draws: number of independent draws, fixed before looking.
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

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.outcomes.items() if n)
        return f"{self.id}: {self.verdict} ({self.reason})" + (
            f"; draws: {counts}" if counts else ""
        )
