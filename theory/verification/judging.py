"""From many draws to one verdict: consistent, refuted, vacuous or inconclusive, and why.

`judge` does what is common to all kinds of statements, and the rules here are those of the kinds
that every draw has an outcome of; `claims` has those about a quantity.
"""

import abc
import bisect
import dataclasses
import math
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import jax
import numpy as np
from scipy import special

from theory.margins import Margin
from theory.verification.distinct import distinct
from theory.verification.outcomes import Outcome, outcome, premise
from theory.verification.statistics import (
    Interval,
    clopper_pearson,
    failure_e_value,
    poisson_binomial_tail,
    rate_sequence,
)
from theory.verification.verdict import (
    ConditionSummary,
    Constant,
    Evidence,
    FailureRate,
    Verdict,
    why_vacuous,
    with_needed,
)

POWER = 0.95  # probability with which a "consistent" test would have found a false statement
# A deterministic statement is consistent only if a failure in one of five draws that meet the
# hypotheses would have shown with this probability: 14 draws.
ENOUGH = 14
# Where no condition names a stage.
EVERYTHING: Mapping[str, str | None] = types.MappingProxyType({})


class Judged(NamedTuple):
    """What a statement is judged by.

    Attributes:
      common: id, kind, level and summaries of the verdict.
      evidence: of all draws that are not the same again.
      config: configuration that they were drawn with.
      fresh: (draws,) where each distinct instance is seen first.
      conditional: whether failures are counted among the draws that satisfy the hypotheses.
      random: whether draws are random.
      anytime: whether the level must hold although the number of draws was chosen by looking.
    """

    common: dict[str, Any]
    evidence: Evidence
    config: Any
    fresh: np.ndarray
    conditional: bool
    random: bool
    anytime: bool


Config = TypeVar("Config", contravariant=True)
Instance = TypeVar("Instance", contravariant=True)


class Kind(abc.ABC, Generic[Config, Instance]):
    """What a statement claims of its instances; `theory.verification.kinds` has all there are.

    name: what reports and stored files call the kind.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def judge(self, judged: Judged) -> Verdict:
        """The verdict by the rule of the kind."""


def judge(
    id: str,
    kind: Kind[Any, Any],
    evidence: Evidence,
    *,
    stages: Mapping[str, str | None] = EVERYTHING,
    first: str | None = None,
    config: Any = None,
    level: float = 0.01,
    random: bool = True,
    anytime: bool = False,
) -> Verdict:
    """The verdict on a statement from the evidence of its draws.

    Args:
      id: of the statement.
      kind: its `claim`, see `theory.verification.kinds`, which decides by which rule.
      evidence: the draws. If all are the same instance, they count as one.
      stages: name of each condition → the last stage that it looks at; None, or no entry, for
        everything.
      first: the first of several stages. If every hypothesis looks at that alone, failures are
        counted among the draws that satisfy them all; otherwise the theorem bounds
        P(hypotheses hold and conclusion fails), and all draws count.
      config: configuration that they were drawn with, of which claims and scales are functions.
      level: false-alarm rate of "refuted"; intervals have confidence 1 − level.
      random: whether draws are random; a deterministic statement without randomness needs one.
      anytime: whether the level must hold although the number of draws was chosen by looking at
        them: failure rates and bounded means only.

    Returns:
      The `Verdict`.

    Raises:
      ValueError: for claims that do not fit the quantity, a negative δ, or a quantity that knows no
        judgement at any time.
    """
    fresh = _fresh(evidence)
    draws = len(fresh)
    one = random and draws > 1 and int(fresh.sum()) == 1
    keys = one and evidence.identity is not None and np.ptp(evidence.identity, axis=0).any()
    if one:
        evidence = jax.tree.map(lambda part: part[:1], evidence)
        fresh = fresh[:1]
    summaries = {
        "hypotheses": _summarize(evidence.hypotheses, stages),
        "measured": _summarize(evidence.measured, stages),
    }
    common = dict(id=id, kind=kind.name, level=level, **summaries)
    seen = [stages.get(name) for name in evidence.hypotheses]
    conditional = all(stage is not None and stage == first for stage in seen)
    verdict = kind.judge(
        Judged(common, evidence, config, fresh, conditional, random=random, anytime=anytime)
    )
    if one and evidence.conclusion is not None:  # more of the same would not do
        verdict = dataclasses.replace(
            verdict, reason=verdict.reason.split("; about")[0], draws_needed=None
        )
    return dataclasses.replace(
        verdict,
        draws=draws,
        distinct=int(fresh.sum()),
        notes=(*_about_draws(one, draws, fresh, keys), *_tautologies(evidence)),
        estimated=tuple(_estimated(evidence)),
        anytime=anytime,
    )


def _fresh(evidence: Evidence) -> np.ndarray:
    """(draws,) where each distinct instance is seen first; all, if instances are not known."""
    if evidence.identity is not None:
        fresh = distinct(np.asarray(evidence.identity))
        return np.arange(len(fresh)) == 0 if _differ_in_keys_alone(evidence) else fresh
    known = evidence.quantity if evidence.conclusion is None else evidence.conclusion.value
    return np.ones((*np.shape(known), 1)[0], bool)  # without either, the judges say what lacks


def _differ_in_keys_alone(evidence: Evidence) -> bool:
    """Whether instances hold random keys, and nothing else in them or computed of them differs."""
    if evidence.beside_keys is None:
        return False
    parts = map(np.asarray, jax.tree.leaves(evidence._replace(identity=None)))
    return all(np.array_equal(p, np.broadcast_to(p[:1], p.shape), equal_nan=True) for p in parts)


def _about_draws(one: bool, draws: int, fresh: np.ndarray, keys: Any) -> Iterator[str]:
    """What must be said if draws repeat one another."""
    if one and keys:
        yield (
            f"all {draws} draws agree in everything but random keys, of which nothing is computed, "
            "and count as one"
        )
        return
    if one:
        yield (
            f"all {draws} draws are the same instance and count as one: the sampler ignores its "
            "key, or uses randomness that is drawn once when it is compiled"
        )
        return
    seen = int(fresh.sum())
    if seen < draws / 2 and seen == int(fresh[: draws // 2].sum()):  # no new ones came
        yield (
            f"only {seen} of {draws} draws are distinct instances, as it should be only if there "
            "are so few"
        )


def _tautologies(evidence: Evidence) -> Iterator[str]:
    """What must be said if the conclusion cannot but hold, or looks so."""
    if evidence.conclusion is None or np.size(evidence.conclusion.value) < 2:
        return
    values = np.asarray(evidence.conclusion.value)
    if (values == values[0]).all():
        yield (
            f"the conclusion has the same margin, {values[0]:.3g}, in every draw: does it look at "
            "the instance?"
        )
        return
    for name, hypothesis in evidence.hypotheses.items():
        if np.array_equal(np.broadcast_to(hypothesis.value, values.shape), values):
            yield f"the conclusion is the hypothesis {name} itself: a tautology"


def _estimated(evidence: Evidence) -> Iterator[str]:
    """Names of the conditions whose numerical errors are estimates."""
    for name, condition in (*evidence.hypotheses.items(), *evidence.measured.items()):
        if not condition.stated:
            yield name
    if evidence.conclusion is not None and not evidence.conclusion.stated:
        yield "conclusion"


def _summarize(
    conditions: Mapping[str, Margin], stages: Mapping[str, str | None]
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
            stage=stages.get(name),
            unit=condition.unit,
        )
    return summaries


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
        tightest_margin=_smallest(margins[counts.holds] if counts.holds.any() else margins),
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


def _nothing_tested(common: dict[str, Any], counts: Counts) -> Decision:
    if not counts.fails.all():
        return Decision(
            "inconclusive", "the hypotheses are within numerical error in every draw that counts"
        )
    draws = len(counts.fails)
    reason = why_vacuous(common["hypotheses"], counts.allowed, draws)
    beyond = int(np.sum(counts.outcomes == Outcome.BEYOND))
    if beyond:
        reason += f"; the conclusion held all the same in {beyond} of {draws} draws"
    return Decision("vacuous", reason)


def deterministic(counts: Counts, random: bool) -> Decision:
    """Refuted by one certain failure, consistent after `ENOUGH` draws without any."""
    trials = len(counts.delta)
    if counts.misses:
        first = int(np.argmax(counts.outcomes == Outcome.MISS))
        return Decision(
            "refuted",
            f"counterexample outside numerical error in {counts.misses} of {trials} draws, "
            f"first in draw {first}",
        )
    if counts.possible:
        return Decision(
            "inconclusive", f"{counts.possible} of {trials} draws are within numerical error"
        )
    if not random:
        return Decision("consistent", "it holds; nothing in it is random")
    detectable = 1 - (1 - POWER) ** (1 / counts.hits)
    seen = f"a failure rate of {detectable:.2g} would have shown with {POWER:.0%} probability"
    if counts.hits < ENOUGH:
        needed = math.ceil(ENOUGH * len(counts.fails) / counts.hits)
        reason = f"no counterexample in {counts.hits} draws, but only {seen}"
        return Decision("inconclusive", reason, needed, detectable)
    reason = f"no counterexample in {counts.hits} draws; {seen}"
    return Decision("consistent", reason, detectable=detectable)


def probabilistic(counts: Counts, conditional: bool, tail: float) -> Decision:
    """Refuted by more failures than the allowed rates make likely, by a one-sided test."""
    trials = len(counts.delta)
    if counts.misses > 1 and poisson_binomial_tail(counts.misses, counts.delta) <= tail:
        reason = f"{counts.misses} of {trials} draws failed, more than {_allowed(counts.delta)}"
        return Decision("refuted", reason + " allows")
    if poisson_binomial_tail(counts.possible, counts.delta) <= tail:
        undecided = counts.possible - counts.misses
        reason = f"{undecided} undecided draws could each be a failure"
        if not undecided:
            reason = "one draw failed, and a single miss refutes no probabilistic statement"
        return Decision("inconclusive", reason)
    delta = float(counts.delta.mean())
    hit_rate = 1.0 if conditional else float(counts.holds.mean())
    needed = draws_for_power(delta, hit_rate, tail)
    detectable = detectable_rate(trials, delta, tail)
    if needed is not None and trials >= needed:
        reason = f"{counts.misses} of {trials} draws failed, {_allowed(counts.delta)} allowed"
        if detectable is not None:
            reason += f"; one of {detectable:.2g} would have shown"
        return Decision("consistent", reason, detectable=detectable)
    reason = f"{trials} draws cannot tell a false statement from a true one"
    if needed is not None:
        needed = math.ceil(needed * len(counts.fails) / trials)
    return Decision("inconclusive", reason, needed, detectable)


def _limits(counts: Counts, confidence: float, anytime: bool) -> Interval:
    if anytime:
        return rate_sequence(counts.missed, confidence).last
    return clopper_pearson(counts.misses, len(counts.delta), confidence)


def probabilistic_at_any_time(counts: Counts, conditional: bool, level: float) -> Decision:
    """Refuted by an e-value, consistent once a clearly false rate is excluded for good."""
    trials, evidence = len(counts.delta), failure_e_value(counts.missed, counts.delta).max()
    if counts.misses > 1 and evidence >= 1 / level:
        return Decision(
            "refuted",
            f"{counts.misses} of {trials} draws failed, evidence of {evidence:.3g} to 1 against "
            f"{_allowed(counts.delta)}",
        )
    delta = float(counts.delta.mean())
    clearly_false = (delta + (1.0 if conditional else float(counts.holds.mean()))) / 2
    high = rate_sequence(counts.doubtful, 1 - level).last.high
    if delta < clearly_false and high <= clearly_false:
        return Decision(
            "consistent",
            f"{counts.misses} of {trials} draws failed, a rate of {high:.2g} at most and "
            f"{_allowed(counts.delta)} allowed",
            detectable=high,
        )
    return Decision("inconclusive", f"{trials} draws do not decide it yet")


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
        failures = _refuting(n, allowed, tail)
        return bool(special.bdtrc(failures - 1, n, alternative) >= power)

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


def _refuting(trials: int, allowed: float, tail: float) -> int:
    """Fewest failures that refute: P(Bin(trials, allowed) ≥ failures) ≤ tail, at least 2."""
    most = bisect.bisect_left(
        range(trials + 1), True, key=lambda k: bool(special.bdtrc(k, trials, allowed) <= tail)
    )
    return max(2, most + 1)


def detectable_rate(trials: int, allowed: float, tail: float, power: float = POWER) -> float | None:
    """The smallest failure rate that the trials would have refuted with probability ≥ power.

    Args:
      trials: number of draws that count, ≥ 1.
      allowed: δ, their mean where they differ.
      tail: level of the one-sided test.
      power: probability of finding it.

    Returns:
      The p with P(Bin(trials, p) ≥ k) = power, k the fewest failures that refute; None if even
      failing in every draw would not.
    """
    failures = _refuting(trials, allowed, tail)
    if failures > trials:
        return None
    # P(Bin(n, p) ≥ k) = I_p(k, n − k + 1)
    return float(special.betaincinv(failures, trials - failures + 1, power))


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
