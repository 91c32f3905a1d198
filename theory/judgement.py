"""From many draws to one verdict: consistent, refuted, vacuous or inconclusive, and why."""

import bisect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from theory.claims import Claim, judge_quantity
from theory.evidence import Margin, Outcome, outcome, premise
from theory.statistics import clopper_pearson, poisson_binomial_tail
from theory.verdict import (
    ConditionSummary,
    Constant,
    Evidence,
    FailureRate,
    Verdict,
    why_vacuous,
    with_needed,
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
        return judge_quantity(common, evidence, claim, scales)
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
            verdict, reason = "vacuous", why_vacuous(common["hypotheses"], allowed, draws)
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
        reason=with_needed(reason, needed),
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


def _smallest(margins: np.ndarray) -> float | None:
    """The smallest margin that is known at all (a bound without limits has no midpoint)."""
    known = np.asarray(margins)[np.isfinite(margins)]
    return float(known.min()) if len(known) else None


def _allowed(delta: np.ndarray) -> str:
    low, high = float(delta.min()), float(delta.max())
    return (
        f"a rate of {high:.2g}"
        if high - low <= 1e-3 * high
        else f"rates of {low:.2g} to {high:.2g}"
    )
