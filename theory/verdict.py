"""From many draws to one verdict: consistent, refuted, vacuous or inconclusive, and why."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from theory.evidence import (
    Margin,
    Outcome,
    clopper_pearson,
    fit_rate,
    mean_interval,
    outcome,
    poisson_binomial_tail,
    premise,
)

POWER = 0.95  # probability with which a "consistent" test would have found a false statement


class Evidence(NamedTuple):
    """What a batch of independent draws measured; every array has the draws as its first axis.

    Attributes:
      hypotheses: name → `Margin` of shape (draws,), the conditions that the statement needs.
      measured: name → `Margin` of shape (draws,), conditions reported beside them, not needed.
      conclusion: `Margin` of shape (draws,), or None for kinds judged by a quantity.
      allowed: (draws,) failure probability δ that the statement allows, or None.
      quantity: (draws,) or (draws, scales) measured quantity, or None.
    """

    hypotheses: Mapping[str, Margin]
    measured: Mapping[str, Margin]
    conclusion: Margin | None
    allowed: Any
    quantity: Any


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a statement says about a quantity as a whole.

    Attributes:
      value: the claimed mean (kind "moment") or exponent of a power law (kind "rate").
      resolution: half-width that the confidence interval must reach before anything is said;
        absolute for exponents and for a mean claimed to be 0, relative to |value| for other means.
      one_sided: whether the claim is "at most value" rather than "equal to value".
      name: what the value is called, for reports.
      tolerance: how far the value may be off systematically, in its own unit: a power law that
        holds asymptotically bends at finite scales. 0 for what is exact.
    """

    value: float
    resolution: float
    one_sided: bool = False
    name: str = "value"
    tolerance: float = 0.0

    def __str__(self) -> str:
        return f"{self.value:.4g}" + (f" ± {self.tolerance:g}" if self.tolerance else "")


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
    tolerance: float
    observed: float
    low: float
    high: float


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
        about a quantity as a whole (kinds "moment" and "rate"), which no single draw decides.
      hypotheses, measured: name → `ConditionSummary`.
      failure_rate: for deterministic and probabilistic statements with any trial, else None.
      estimate: for kinds "moment" and "rate", else None.
      tightest_margin, unit: smallest margin of the conclusion among draws that satisfy the
        hypotheses (among all draws if none does), None without a conclusion.
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
    estimate: Estimate | None = None
    tightest_margin: float | None = None
    unit: str = "1"
    draws_needed: int | None = None

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.outcomes.items() if n)
        return f"{self.id}: {self.verdict} ({self.reason})" + (
            f"; draws: {counts}" if counts else ""
        )


def judge(
    id: str,
    kind: str,
    evidence: Evidence,
    *,
    tiers: Mapping[str, str],
    claim: Claim | None = None,
    scales: np.ndarray | None = None,
    level: float = 0.01,
) -> Verdict:
    """The verdict on a statement from the evidence of its draws.

    Args:
      id, kind: of the statement; kind is "deterministic", "probabilistic", "moment" or "rate".
      evidence: the draws.
      tiers: name of each condition → its tier. If every hypothesis is a function of the data
        alone, failures are counted among the draws that satisfy them all; otherwise the theorem
        bounds P(hypotheses hold and conclusion fails), and all draws count.
      claim: for kinds "moment" and "rate".
      scales: (S,) the scales of a rate.
      level: false-alarm rate of "refuted"; intervals have confidence 1 − level.

    Returns:
      The `Verdict`.
    """
    summaries = {
        "hypotheses": _summarize(evidence.hypotheses, tiers),
        "measured": _summarize(evidence.measured, tiers),
    }
    common = dict(id=id, kind=kind, level=level, **summaries)
    if claim is not None:
        return _judge_quantity(common, evidence, claim, scales)
    return _judge_outcomes(
        common, evidence, conditional=all(tiers[name] == "data" for name in evidence.hypotheses)
    )


def _summarize(
    conditions: Mapping[str, Margin], tiers: Mapping[str, str]
) -> dict[str, ConditionSummary]:
    summaries = {}
    for name, condition in conditions.items():
        ratios = np.asarray(condition.ratio)
        ratio = None
        if np.isfinite(ratios).all():
            ratio = (float(ratios.min()), float(np.median(ratios)), float(ratios.max()))
        summaries[name] = ConditionSummary(
            met=int(np.sum(condition.holds)),
            failed=int(np.sum(condition.fails)),
            tightest_margin=_smallest(condition.value),
            ratio=ratio,
            tier=tiers[name],
            unit=condition.unit,
        )
    return summaries


def _judge_quantity(
    common: dict[str, Any], evidence: Evidence, claim: Claim, scales: np.ndarray | None
) -> Verdict:
    values = np.asarray(evidence.quantity, float)
    draws, confidence = len(values), 1 - common["level"]
    if not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"quantity of {common['id']} must be finite, got {bad} NaN or infinite")
    if scales is None:
        observed, interval = float(values.mean()), mean_interval(values, confidence)
        resolution = claim.resolution * (abs(claim.value) or 1.0)
    else:
        observed, interval, _ = fit_rate(scales, values, confidence)
        resolution = claim.resolution
    half = (interval.high - interval.low) / 2
    needed = None
    shown = f"{claim.name} {observed:.4g} in [{interval.low:.4g}, {interval.high:.4g}]"
    too_large = interval.low > claim.value + claim.tolerance
    too_small = interval.high < claim.value - claim.tolerance
    if half > resolution:  # first: the limit theorems behind the interval need the draws, too
        verdict = "inconclusive"
        reason = f"{shown} is wider than ±{resolution:.2g}, too wide to tell from {claim}"
        if math.isfinite(half):
            needed = math.ceil(draws * (half / resolution) ** 2)
    elif too_large or (too_small and not claim.one_sided):
        verdict, reason = "refuted", f"{shown} excludes the claimed {claim}"
    else:
        relation = "is below" if too_small else "meets" if claim.tolerance else "contains"
        verdict, reason = "consistent", f"{shown} {relation} the claimed {claim}"
    return Verdict(
        **common,
        verdict=verdict,
        reason=_with_needed(reason, needed),
        draws=draws,
        outcomes={o.name.lower(): 0 for o in Outcome},
        estimate=Estimate(claim.name, claim.value, claim.tolerance, observed, *interval),
        draws_needed=needed,
    )


def _judge_outcomes(common: dict[str, Any], evidence: Evidence, *, conditional: bool) -> Verdict:
    conclusion = evidence.conclusion
    assert conclusion is not None
    draws = np.shape(conclusion.value)[0]
    allowed = np.zeros(draws) if evidence.allowed is None else np.asarray(evidence.allowed, float)
    holds, fails = (np.broadcast_to(p, draws) for p in premise(evidence.hypotheses.values()))
    says_something = allowed < 1  # NaN says nothing either
    outcomes = np.asarray(outcome(evidence.hypotheses.values(), conclusion))
    outcomes = np.broadcast_to(outcomes, draws).copy()
    empty = ~says_something & (outcomes != Outcome.UNDECIDED)
    outcomes[empty] = np.where(conclusion.holds, Outcome.BEYOND, Outcome.VACUOUS)[empty]
    holds, fails = holds & says_something, fails | ~says_something

    tested = ~fails if conditional else np.ones(draws, bool)
    certain_misses = int(np.sum(holds & np.asarray(conclusion.fails)))
    possible_misses = int(np.sum(~fails & ~np.asarray(conclusion.holds)))
    delta = np.where(says_something, allowed, 1.0)[tested]
    trials = len(delta)

    margins = np.asarray(conclusion.value)
    tightest = _smallest(margins[holds] if holds.any() else margins)
    rate = None
    if trials:
        interval = clopper_pearson(certain_misses, trials, 1 - common["level"])
        rate = FailureRate(
            certain_misses, trials, certain_misses / trials, *interval, float(delta.mean())
        )

    needed = None
    tail = common["level"] / 2
    if not holds.any():
        if fails.all():
            verdict, reason = "vacuous", _why_vacuous(common["hypotheses"], allowed, draws)
            beyond = int(np.sum(outcomes == Outcome.BEYOND))
            if beyond:
                reason += f"; the conclusion held all the same in {beyond} of {draws} draws"
        else:
            verdict, reason = (
                "inconclusive",
                "the hypotheses are within numerical error in every draw",
            )
    elif common["kind"] == "deterministic":
        if certain_misses:
            first = int(np.argmax(holds & np.asarray(conclusion.fails)))
            verdict = "refuted"
            reason = (
                f"counterexample outside numerical error in {certain_misses} of {trials} draws, "
                f"first in draw {first}"
            )
        elif possible_misses:
            verdict = "inconclusive"
            reason = f"{possible_misses} of {trials} draws are within numerical error"
        else:
            verdict, reason = "consistent", f"no counterexample in {int(holds.sum())} draws"
    elif certain_misses > 1 and poisson_binomial_tail(certain_misses, delta) <= tail:
        verdict = "refuted"
        reason = f"{certain_misses} of {trials} draws failed, more than {_allowed(delta)} allows"
    elif poisson_binomial_tail(possible_misses, delta) <= tail:
        verdict = "inconclusive"
        undecided = possible_misses - certain_misses
        reason = f"{undecided} undecided draws could each be a failure"
        if not undecided:
            reason = "one draw failed, and a single miss refutes no probabilistic statement"
    else:
        hit_rate = 1.0 if conditional else float(holds.mean())
        needed = draws_for_power(float(delta.mean()), hit_rate, tail)
        if needed is not None and trials >= needed:
            verdict, needed = "consistent", None
            reason = f"{certain_misses} of {trials} draws failed, {_allowed(delta)} allowed"
        else:
            verdict = "inconclusive"
            reason = f"{trials} draws cannot tell a false statement from a true one"
            if needed is not None:
                needed = math.ceil(needed * draws / trials)
    return Verdict(
        **common,
        verdict=verdict,
        reason=_with_needed(reason, needed),
        draws=draws,
        outcomes={o.name.lower(): int(np.sum(outcomes == o)) for o in Outcome},
        failure_rate=rate,
        tightest_margin=tightest,
        unit=conclusion.unit,
        draws_needed=needed,
    )


def draws_for_power(
    allowed: float, hit_rate: float, tail: float, power: float = POWER
) -> int | None:
    """Fewest draws that would refute a clearly false statement with probability ≥ power.

    Clearly false: the failure rate lies halfway between the allowed δ and the largest possible one
    (the rate at which the hypotheses hold). Refuted: P(Bin(N, δ) ≥ failures) ≤ tail, failures ≥ 2.

    Args:
      allowed: δ, in [0, 1).
      hit_rate: rate at which the hypotheses hold, 1 where only such draws are counted.
      tail: level of the one-sided test.
      power: probability with which the false statement must be found.

    Returns:
      The number of draws, or None if the hypotheses hold too rarely for δ ever to be exceeded or
      more than 10⁷ draws would be needed.
    """
    if hit_rate <= allowed:
        return None
    alternative = (allowed + hit_rate) / 2

    def enough(n: int) -> bool:
        threshold = max(2, int(stats.binom.isf(tail, n, allowed)) + 1)  # P(Bin ≥ threshold) ≤ tail
        return bool(stats.binom.sf(threshold - 1, n, alternative) >= power)

    high = 1
    while not enough(high):
        high *= 2
        if high > 10**7:
            return None
    low = high // 2
    while high - low > 1:  # the power is a saw-tooth in N; its first crossing is close enough
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _why_vacuous(
    hypotheses: Mapping[str, ConditionSummary], allowed: np.ndarray, draws: int
) -> str:
    reasons = []
    for name, summary in sorted(hypotheses.items(), key=lambda item: item[1].met):
        if summary.failed:
            reason = f"{name} fails in {summary.failed} of {draws} draws"
            if summary.ratio is not None and summary.ratio[1] < 1:
                reason += f" by a factor of {_factor(summary.ratio[1])}"
            reasons.append(reason)
    hopeless = int(np.sum(~(allowed < 1)))
    if hopeless:
        reasons.append(
            f"δ ≥ 1 in {hopeless} of {draws} draws (median δ = {np.median(allowed):.3g})"
        )
    return "; ".join(reasons)


def _smallest(margins: np.ndarray) -> float | None:
    """The smallest margin that is known at all (a bound without limits has no midpoint)."""
    known = np.asarray(margins)[np.isfinite(margins)]
    return float(known.min()) if len(known) else None


def _factor(ratio: float) -> str:
    return f"{1 / ratio:.3g}" if ratio > 0 else "∞"


def _allowed(delta: np.ndarray) -> str:
    low, high = float(delta.min()), float(delta.max())
    return (
        f"a rate of {high:.2g}"
        if high - low <= 1e-3 * high
        else f"rates of {low:.2g} to {high:.2g}"
    )


def _with_needed(reason: str, needed: int | None) -> str:
    return reason if needed is None else f"{reason}; about {needed} draws would do"
