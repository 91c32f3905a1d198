"""From many draws to one verdict: consistent, refuted, vacuous or inconclusive, and why.

`judge` does what is common to all kinds of statements. `failures` has the rules of those that every
draw has an outcome of, `claims` those about a quantity.
"""

import abc
import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar

import jax
import numpy as np

from theory.margins import Margin
from theory.verification.distinct import distinct
from theory.verification.verdict import ConditionSummary, Evidence, Verdict

# Where no condition names a stage.
EVERYTHING: Mapping[str, str | None] = types.MappingProxyType({})


class Common(TypedDict):
    """What verdicts of all kinds say."""

    id: str
    kind: str
    level: float
    hypotheses: dict[str, ConditionSummary]
    measured: dict[str, ConditionSummary]


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

    common: Common
    evidence: Evidence
    config: Any  # of the type that the statement says
    fresh: np.ndarray
    conditional: bool
    random: bool
    anytime: bool


Config = TypeVar("Config", contravariant=True)
Instance = TypeVar("Instance", contravariant=True)


@dataclasses.dataclass(frozen=True)
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
    kind: Kind,
    evidence: Evidence,
    *,
    stages: Mapping[str, str | None] = EVERYTHING,
    first: str | None = None,
    config: object = None,
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
    identity = evidence.identity
    keys = one and identity is not None and bool(np.ptp(identity, axis=0).any())
    if one:
        evidence = jax.tree.map(lambda part: part[:1], evidence)
        fresh = fresh[:1]
    common = Common(
        id=id,
        kind=kind.name,
        level=level,
        hypotheses=_summarize(evidence.hypotheses, stages),
        measured=_summarize(evidence.measured, stages),
    )
    seen = [stages.get(name) for name in evidence.hypotheses]
    conditional = all(stage is not None and stage == first for stage in seen)
    verdict = kind.judge(
        Judged(common, evidence, config, fresh, conditional, random=random, anytime=anytime)
    )
    if one and evidence.conclusion is not None:  # more of the same would not do
        verdict = dataclasses.replace(
            verdict, reason=verdict.reason.split("; about")[0], draws_needed=None
        )
    if verdict.verdict == "inconclusive":
        reason = "; ".join((verdict.reason, *_no_numbers(evidence)))
        verdict = dataclasses.replace(verdict, reason=reason)
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
    shape = () if known is None else np.shape(known)  # without either, the judges say what lacks
    return np.ones((*shape, 1)[0], bool)


def _differ_in_keys_alone(evidence: Evidence) -> bool:
    """Whether instances hold random keys, and nothing else in them or computed of them differs."""
    if evidence.beside_keys is None:
        return False
    parts = map(np.asarray, jax.tree.leaves(evidence._replace(identity=None)))
    return all(np.array_equal(p, np.broadcast_to(p[:1], p.shape), equal_nan=True) for p in parts)


def _about_draws(one: bool, draws: int, fresh: np.ndarray, keys: bool) -> Iterator[str]:
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
            "key, uses randomness that is drawn once when it is compiled, or ends in one point"
        )
        return
    seen = int(fresh.sum())
    if seen < draws / 2 and seen == int(fresh[: draws // 2].sum()):  # no new ones came
        yield (
            f"only {seen} of {draws} draws are distinct instances, as it should be only if there "
            "are so few"
        )


def _no_numbers(evidence: Evidence) -> Iterator[str]:
    """Which margins are NaN, and in how many draws: nothing can be said of them."""
    margins = dict(evidence.hypotheses)
    if evidence.conclusion is not None:
        margins["the conclusion"] = evidence.conclusion
    for name, margin in margins.items():
        missing = np.isnan(np.asarray(margin.value, float))
        if count := int(missing.sum()):
            some = "every draw" if missing.all() else f"{count:,} of {missing.size:,} draws"
            yield f"{name} is NaN, no number, in {some} (0/0, ∞ − ∞, a root or logarithm below 0)"


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
            tightest_margin=smallest_known(condition.value),
            ratio=ratio,
            stage=stages.get(name),
            unit=condition.unit,
        )
    return summaries


def smallest_known(margins: np.ndarray) -> float | None:
    """The smallest margin that is known at all (a bound without limits has no midpoint)."""
    known = np.asarray(margins)[np.isfinite(margins)]
    return float(known.min()) if len(known) else None
