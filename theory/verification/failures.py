"""Verdicts on statements that every draw has an outcome of: by how many draws fail."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from theory._types import AnyArray
from theory._wording import counted
from theory.margins import Margin
from theory.verification.judging import Common, Judged, smallest_known
from theory.verification.outcomes import Outcome, outcome, premise
from theory.verification.statistics import (
    Interval,
    clopper_pearson,
    detectable_rate,
    draws_for_power,
    failure_e_value,
    poisson_binomial_tail,
    rate_sequence,
)
from theory.verification.statistics.power import POWER
from theory.verification.verdict import (
    Constant,
    Evidence,
    FailureRate,
    Verdict,
    why_vacuous,
    with_needed,
)

# A deterministic statement is consistent only if a failure in one of five draws that meet the
# hypotheses would have shown with this probability: 14 draws.
ENOUGH = 14


class Counts(NamedTuple):
    """What the draws of a deterministic or probabilistic statement amount to.

    holds, fails: (draws,) whether the premise certainly does, δ ≥ 1 counting as a failing one.
    outcomes: (draws,) of `Outcome`.  delta: (trials,) allowed rates of the draws that count.
    missed, doubtful: (trials,) certain failures, and those that undecided draws could be besides.
    hits: draws that satisfy the premise.
    """

    holds: np.ndarray
    fails: np.ndarray
    outcomes: np.ndarray
    allowed: np.ndarray
    delta: np.ndarray
    missed: np.ndarray
    doubtful: np.ndarray
    hits: int

    @property
    def misses(self) -> int:
        """Number of certain failures."""
        return int(self.missed.sum())

    @property
    def possible(self) -> int:
        """Number of failures if all undecided draws are some."""
        return int(self.doubtful.sum())


class Decision(NamedTuple):
    """A verdict, why, how many draws would do, and the rate that these would have shown."""

    verdict: str
    reason: str
    needed: int | None = None
    detectable: float | None = None


def judge_outcomes(judged: Judged, decide: Callable[[Counts], Decision]) -> Verdict:
    """The verdict on a statement that every draw has an outcome of.

    Args:
      judged: the draws.
      decide: the rule, asked where the hypotheses certainly hold in some draw.

    Raises:
      ValueError: without a conclusion, or for a negative δ.
    """
    common, evidence, fresh = judged.common, judged.evidence, judged.fresh
    conclusion = evidence.conclusion
    if conclusion is None:
        raise ValueError(f"conclusion must be given for a {common['kind']} statement, got None")
    counts = _counted(evidence, conclusion, fresh, judged.conditional)
    trials = len(counts.delta)
    rate = None
    if trials:
        interval = _limits(counts, 1 - common["level"], judged.anytime)
        allowed = float(counts.delta.mean())
        rate = FailureRate(counts.misses, trials, counts.misses / trials, *interval, allowed)
    decision = decide(counts) if counts.holds.any() else _nothing_tested(common, counts)
    margins = np.asarray(conclusion.value)
    return Verdict(
        **common,
        verdict=decision.verdict,
        reason=with_needed(decision.reason, decision.needed),
        draws=len(fresh),
        outcomes={o.name.lower(): int(np.sum(counts.outcomes == o)) for o in Outcome},
        failure_rate=rate,
        tightest_margin=smallest_known(margins[counts.holds] if counts.holds.any() else margins),
        unit=conclusion.unit,
        tightness=_tightness(np.asarray(conclusion.ratio), counts.holds, counts.allowed),
        constant=_constant(evidence.constant, conclusion),
        draws_needed=decision.needed,
        detectable=decision.detectable,
    )


def _counted(
    evidence: Evidence, conclusion: Margin, fresh: np.ndarray, conditional: bool
) -> Counts:
    draws = len(fresh)
    allowed = np.zeros(draws) if evidence.allowed is None else np.asarray(evidence.allowed, float)
    if (allowed < 0).any():
        raise ValueError(f"failure_probability must be ≥ 0, got {allowed.min():g}")
    holds, fails = (np.broadcast_to(p, draws) for p in premise(evidence.hypotheses.values()))
    says_something = allowed < 1  # NaN says nothing either
    outcomes = np.asarray(outcome(evidence.hypotheses.values(), conclusion))
    outcomes = np.broadcast_to(outcomes, draws).copy()
    empty = ~says_something & (outcomes != Outcome.UNDECIDED)
    outcomes[empty] = np.where(conclusion.holds, Outcome.BEYOND, Outcome.VACUOUS)[empty]
    holds, fails = holds & says_something, fails | ~says_something
    tested = ~fails if conditional else np.ones(draws, bool)
    return Counts(
        holds=holds,
        fails=fails,
        outcomes=outcomes,
        allowed=allowed,
        delta=np.where(says_something, allowed, 1.0)[tested],
        missed=(holds & np.asarray(conclusion.fails))[tested],
        doubtful=(~fails & ~np.asarray(conclusion.holds))[tested],
        hits=int(np.sum(holds)),
    )


def _nothing_tested(common: Common, counts: Counts) -> Decision:
    if not counts.fails.all():
        return Decision(
            "inconclusive", "the hypotheses are within numerical error in every draw that counts"
        )
    draws = len(counts.fails)
    reason = why_vacuous(common["hypotheses"], counts.allowed, draws)
    beyond = int(np.sum(counts.outcomes == Outcome.BEYOND))
    if beyond:
        reason += f"; the conclusion held all the same in {beyond} of {counted(draws, 'draw')}"
    return Decision("vacuous", reason)


def deterministic(counts: Counts, random: bool) -> Decision:
    """Refuted by one certain failure, consistent after `ENOUGH` draws without any."""
    trials = counted(len(counts.delta), "draw")
    if counts.misses:
        first = int(np.argmax(counts.outcomes == Outcome.MISS))
        return Decision(
            "refuted",
            f"counterexample outside numerical error in {counts.misses} of {trials}, "
            f"first in draw {first}",
        )
    if counts.possible:
        return Decision("inconclusive", f"within numerical error in {counts.possible} of {trials}")
    if not random:
        return Decision("consistent", "it holds; nothing in it is random")
    detectable = 1 - (1 - POWER) ** (1 / counts.hits)
    seen = f"a failure rate of {detectable:.2g} would have shown with {POWER:.0%} probability"
    tested = f"no counterexample in {counted(counts.hits, 'draw')}"
    if counts.hits < ENOUGH:
        needed = math.ceil(ENOUGH * len(counts.fails) / counts.hits)
        return Decision("inconclusive", f"{tested}, but only {seen}", needed, detectable)
    reason = f"{tested}; {seen}"
    return Decision("consistent", reason, detectable=detectable)


def probabilistic(counts: Counts, conditional: bool, tail: float) -> Decision:
    """Refuted by more failures than the allowed rates make likely, by a one-sided test."""
    trials = len(counts.delta)
    failed = f"{counts.misses} of {counted(trials, 'draw')} failed"
    if counts.misses > 1 and poisson_binomial_tail(counts.misses, counts.delta) <= tail:
        return Decision("refuted", f"{failed}, more than {_allowed(counts.delta)} allows")
    if poisson_binomial_tail(counts.possible, counts.delta) <= tail:
        undecided = counts.possible - counts.misses
        reason = f"{counted(undecided, 'undecided draw')} could each be a failure"
        if not undecided:
            reason = "one draw failed, and a single miss refutes no probabilistic statement"
        return Decision("inconclusive", reason)
    delta = float(counts.delta.mean())
    hit_rate = 1.0 if conditional else float(counts.holds.mean())
    needed = draws_for_power(delta, hit_rate, tail)
    detectable = detectable_rate(trials, delta, tail)
    if needed is not None and trials >= needed:
        reason = f"{failed}, {_allowed(counts.delta)} allowed"
        if detectable is not None:
            reason += f"; one of {detectable:.2g} would have shown"
        return Decision("consistent", reason, detectable=detectable)
    reason = f"{counted(trials, 'draw')} cannot tell a false statement from a true one"
    if needed is not None:
        needed = math.ceil(needed * len(counts.fails) / trials)
    return Decision("inconclusive", reason, needed, detectable)


def _limits(counts: Counts, confidence: float, anytime: bool) -> Interval:
    if anytime:
        return rate_sequence(counts.missed, confidence).last
    return clopper_pearson(counts.misses, len(counts.delta), confidence)


def probabilistic_at_any_time(counts: Counts, conditional: bool, level: float) -> Decision:
    """Refuted by an e-value, consistent once a clearly false rate is excluded for good."""
    trials = counted(len(counts.delta), "draw")
    evidence = failure_e_value(counts.missed, counts.delta).max()
    if counts.misses > 1 and evidence >= 1 / level:
        return Decision(
            "refuted",
            f"{counts.misses} of {trials} failed, evidence of {evidence:.3g} to 1 against "
            f"{_allowed(counts.delta)}",
        )
    delta = float(counts.delta.mean())
    clearly_false = (delta + (1.0 if conditional else float(counts.holds.mean()))) / 2
    high = rate_sequence(counts.doubtful, 1 - level).last.high
    if delta < clearly_false and high <= clearly_false:
        return Decision(
            "consistent",
            f"{counts.misses} of {trials} failed, a rate of {high:.2g} at most and "
            f"{_allowed(counts.delta)} allowed",
            detectable=high,
        )
    return Decision("inconclusive", f"too few to decide it yet: {trials}")


def _tightness(ratio: np.ndarray, holds: np.ndarray, allowed: np.ndarray) -> float | None:
    """Bound over observed at the quantile that the bound is about: a share δ may lie below."""
    if not holds.any() or not np.isfinite(ratio[holds]).all() or not (ratio[holds] > 0).all():
        return None
    return float(np.quantile(ratio[holds], allowed[holds].mean(), method="lower"))


def _constant(constant: AnyArray | None, conclusion: Margin) -> Constant | None:
    if constant is None:
        return None
    constant = np.asarray(constant, float)
    contradicting = constant[np.asarray(conclusion.fails)]
    return Constant(float(max(0.0, contradicting.max(initial=0.0))), float(constant.max()))


def _allowed(delta: np.ndarray) -> str:
    low, high = float(delta.min()), float(delta.max())
    return (
        f"a rate of {high:.2g}"
        if high - low <= 1e-3 * high
        else f"rates of {low:.2g} to {high:.2g}"
    )
