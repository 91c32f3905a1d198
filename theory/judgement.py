"""From many draws to one verdict: consistent, refuted, vacuous or inconclusive, and why."""

import bisect
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from theory.evidence import Margin, Outcome, outcome, premise
from theory.statistics import (
    Interval,
    clopper_pearson,
    fit_decay,
    fit_rate,
    mean_interval,
    poisson_binomial_tail,
)
from theory.verdict import (
    Claim,
    ConditionSummary,
    Constant,
    Estimate,
    Evidence,
    FailureRate,
    Verdict,
)

POWER = 0.95  # probability with which a "consistent" test would have found a false statement


def judge(
    id: str,
    kind: str,
    evidence: Evidence,
    *,
    tiers: Mapping[str, str],
    claim: Claim | tuple[Claim, ...] | None = None,
    scales: np.ndarray | None = None,
    level: float = 0.01,
) -> Verdict:
    """The verdict on a statement from the evidence of its draws.

    Args:
      id, kind: of the statement, see `verification.Statement`.
      evidence: the draws.
      tiers: name of each condition → its tier. If every hypothesis is a function of the data
        alone, failures are counted among the draws that satisfy them all; otherwise the theorem
        bounds P(hypotheses hold and conclusion fails), and all draws count.
      claim: for kinds about a quantity, one or several; several share the level.
      scales: (S,) the scales of a rate or decay.
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
    common: dict[str, Any],
    evidence: Evidence,
    claim: Claim | tuple[Claim, ...],
    scales: np.ndarray | None,
) -> Verdict:
    """Judges every claim about the mean, exponent or decay of the quantity.

    Draws in which a hypothesis certainly fails do not count. One refuted claim refutes the
    statement, and all must be consistent for it to be.
    """
    values = np.asarray(evidence.quantity, float)
    draws = len(values)
    _, fails = (np.broadcast_to(p, draws) for p in premise(evidence.hypotheses.values()))
    common |= {"draws": draws, "outcomes": {o.name.lower(): 0 for o in Outcome}}
    if fails.all():
        reason = _why_vacuous(common["hypotheses"], np.zeros(draws), draws)
        return Verdict(**common, verdict="vacuous", reason=reason)
    values = values[~fails]
    if not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"quantity of {common['id']} must be finite, got {bad} NaN or infinite")
    claims = claim if isinstance(claim, tuple) else (claim,)
    if not isinstance(claim, tuple):
        values = values[:, None]
    if values.shape[1] != len(claims):
        raise ValueError(
            f"quantity of {common['id']} must have one row per claim, {len(claims)}, "
            f"got {values.shape[1]}"
        )
    confidence = 1 - common["level"] / len(claims)
    judged = [
        _judge_claim(common["kind"], one, values[:, i], scales, confidence)
        for i, one in enumerate(claims)
    ]
    found = [j.estimate.verdict for j in judged]
    verdict = next((v for v in ("refuted", "inconclusive") if v in found), "consistent")
    chosen = [j for j in judged if j.estimate.verdict == verdict]
    needed = [j.needed for j in chosen if j.needed is not None]
    needed = math.ceil(max(needed) * draws / len(values)) if needed else None
    reason = "; ".join(j.reason for j in chosen)
    if verdict == "consistent" and len(judged) > 3:
        reason = f"all {len(judged)} claims are met"
    return Verdict(
        **common,
        verdict=verdict,
        reason=_with_needed(reason, needed),
        estimates=tuple(j.estimate for j in judged),
        draws_needed=needed,
    )


class _Judged(NamedTuple):
    """One claim: its estimate, the reason of its verdict, and draws needed if known."""

    estimate: Estimate
    reason: str
    needed: int | None


def _judge_claim(
    kind: str, claim: Claim, values: np.ndarray, scales: np.ndarray | None, confidence: float
) -> _Judged:
    observed, interval, resolution = _estimated(kind, claim, values, scales, confidence)
    half = (interval.high - interval.low) / 2
    shown = f"{claim.name} {observed:.4g} in [{interval.low:.4g}, {interval.high:.4g}]"
    above = interval.low > claim.value + claim.tolerance
    below = interval.high < claim.value - claim.tolerance
    against = {"equal": above or below, "at most": above, "at least": below}[claim.side]
    # An experimental claim must show in the draws; against a theorem they must speak.
    unseen = (
        kind == "empirical"
        and {
            "equal": False,
            "at most": interval.high > claim.value + claim.tolerance,
            "at least": interval.low < claim.value - claim.tolerance,
        }[claim.side]
    )
    needed = None
    if half > resolution:  # first: the limit theorems behind the interval need the draws, too
        verdict = "inconclusive"
        reason = f"{shown} is wider than ±{resolution:.2g}, too wide to tell from {claim}"
        if math.isfinite(half):
            needed = math.ceil(len(values) * (half / resolution) ** 2)
    elif against:
        verdict, reason = "refuted", f"{shown} excludes the claimed {claim}"
    elif unseen:
        verdict, reason = "inconclusive", f"{shown} reaches across the claimed {claim}"
        distance = abs(observed - claim.value) + claim.tolerance
        if distance > 0:
            needed = math.ceil(len(values) * max(1.1, (half / distance) ** 2))
    else:
        inside = claim.side == "equal" or not (above or below)
        relation = "contains" if inside and not claim.tolerance else "meets"
        verdict, reason = "consistent", f"{shown} {relation} the claimed {claim}"
    estimate = Estimate(
        claim.name, claim.value, claim.side, claim.tolerance, observed, *interval, verdict
    )
    return _Judged(estimate, reason, needed)


def _estimated(
    kind: str, claim: Claim, values: np.ndarray, scales: np.ndarray | None, confidence: float
) -> tuple[float, Interval, float]:
    """Observed value, its interval, and the half-width that the interval must reach."""
    if kind == "decay":
        assert scales is not None
        decay = fit_decay(scales, values.sum(axis=0).astype(int), len(values), confidence)
        return decay.rate, decay.interval, claim.resolution
    if kind == "rate":
        assert scales is not None
        fit = fit_rate(scales, values, confidence, signed=claim.signed)
        return fit.exponent, fit.interval, claim.resolution
    resolution = claim.resolution * (abs(claim.value) or 1.0)
    return float(values.mean()), mean_interval(values, confidence), resolution


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
        tightness=_tightness(np.asarray(conclusion.ratio), holds, allowed),
        constant=_constant(evidence.constant, conclusion),
        draws_needed=needed,
    )


def _tightness(ratio: np.ndarray, holds: np.ndarray, allowed: np.ndarray) -> float | None:
    """Bound over observed at the quantile that the bound is about: a share δ may lie below."""
    if not holds.any() or not np.isfinite(ratio[holds]).all() or not (ratio[holds] > 0).all():
        return None
    return float(np.quantile(ratio[holds], allowed[holds].mean(), method="lower"))


def _constant(constant: Any, conclusion: Margin) -> Constant | None:
    if constant is None:
        return None
    constant = np.asarray(constant, float)
    contradicting = constant[np.asarray(conclusion.fails)]
    return Constant(float(max(0.0, contradicting.max(initial=0.0))), float(constant.max()))


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
        most = bisect.bisect_left(  # the fewest failures with P(Bin > most) ≤ tail
            range(n + 1), True, key=lambda k: bool(special.bdtrc(k, n, allowed) <= tail)
        )
        return bool(special.bdtrc(max(1, most), n, alternative) >= power)

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
