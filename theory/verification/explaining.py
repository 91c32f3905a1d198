"""Why a verdict came out: the rule that decided, the numbers it compared, and what comes nearest.

What a stored `Verdict` knows is in `explained`; `explain` draws again, shows the worst draw, and
finds the parameter whose change would mend the hypothesis that is nearest to failing.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from theory._validation import check_integer
from theory._wording import counted
from theory.keys import make_key
from theory.verification.evaluation import evaluate
from theory.verification.failures import ENOUGH
from theory.verification.outcomes import premise
from theory.verification.programs import arithmetic
from theory.verification.remedies import Remedy
from theory.verification.remedies import remedies as find_remedies
from theory.verification.statement import Statement, check_config, check_statement
from theory.verification.verdict import ConditionSummary, Evidence, Verdict
from theory.verification.verify import assess

RULES = {
    "deterministic": "One draw in which all hypotheses hold and the conclusion fails, outside "
    "numerical error and in disturbed arithmetic too, refutes a deterministic statement; "
    f"{ENOUGH} draws that satisfy the hypotheses, none of them a failure or undecided, are "
    "consistent with it.",
    "probabilistic": "More failures than the allowed probabilities δ make likely refute a "
    "probabilistic statement; it is consistent where so many draws would have shown one whose "
    "failure rate is half-way between δ and certain.",
    "moment": "The confidence interval of the mean decides: apart from the claim and its "
    "tolerance it refutes; it must be narrow enough to tell.",
    "empirical": "The confidence interval of the mean must lie on the claimed side to be "
    "consistent, and apart from it to refute.",
    "rate": "The confidence interval of the fitted exponent decides: apart from the claim and its "
    "tolerance it refutes; it must be narrow enough to tell.",
    "decay": "The confidence interval of the fitted decay rate decides: apart from the claim and "
    "its tolerance it refutes; it must be narrow enough to tell.",
    "law": "The largest difference between the draws' distribution function and the claimed one "
    "decides: it refutes where it is larger than √(log(2/level)/(2N)), which draws of the claimed "
    "law exceed with no more probability than the level; that must be small enough to tell.",
}


class Comparison(NamedTuple):
    """A number that the rule looks at.  against: what it is compared with, in words."""

    name: str
    value: float
    against: str


class Nearness(NamedTuple):
    """How near a hypothesis is to failing.

    met, failed: draws in which it certainly holds, and fails.
    ratio: median of left side over right side, below 1 where it fails; None without one.
    margin: smallest margin over the draws, in `unit`.
    """

    name: str
    met: int
    failed: int
    ratio: float | None
    margin: float | None
    unit: str


class WorstDraw(NamedTuple):
    """The draw nearest to a counterexample.

    draw: its number i; it is `statement.sample(jax.random.fold_in(key, i), config)`.
    margins: name → (value, error, unit), the conclusion last.  quantity: of statements about one.
    """

    draw: int
    margins: Mapping[str, tuple[float, float, str]]
    quantity: Any = None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why a verdict came out.

    Attributes:
      id, verdict, reason: of the verdict.
      rule: the rule of its kind.
      comparisons: the numbers that decided, each with what it was compared with.
      seen: what these draws could have seen.
      nearest: hypotheses, the one nearest to failing first.
      worst: the worst draw, None for a stored verdict, whose draws are gone.
      remedies: for the hypothesis nearest to failing, the parameter whose change mends it.
    """

    id: str
    verdict: str
    reason: str
    rule: str
    comparisons: tuple[Comparison, ...]
    seen: str
    nearest: tuple[Nearness, ...]
    worst: WorstDraw | None = None
    remedies: tuple[Remedy, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.id}: {self.verdict} ({self.reason})", f"Rule. {self.rule}"]
        lines += [f"  {c.name}: {c.value:.4g}, against {c.against}" for c in self.comparisons]
        lines.append(f"These draws. {self.seen}")
        if self.worst is not None:
            lines.append(f"Worst draw. Number {self.worst.draw}")
            for name, (value, error, unit) in self.worst.margins.items():
                of = "" if unit == "1" else f" {unit}"
                lines.append(f"  {name}: margin {value:.6g} ± {error:.2g}{of}")
        if self.nearest:
            lines.append("Hypotheses, the one nearest to failing first.")
        for one in self.nearest:
            ratio = "" if one.ratio is None else f", left over right side {one.ratio:.4g}"
            lines.append(
                f"  {one.name}: draws in which it holds {one.met}, fails {one.failed}{ratio}"
            )
        lines += [f"  {remedy}" for remedy in self.remedies]
        return "\n".join(lines)


def explained(verdict: Verdict) -> Explanation:
    """What a verdict alone says, a stored one too: without the worst draw and remedies."""
    return Explanation(
        verdict.id,
        verdict.verdict,
        verdict.reason,
        RULES[verdict.kind],
        tuple(_comparisons(verdict)),
        _seen(verdict),
        tuple(_ranked(verdict.hypotheses)),
    )


def explain(
    statement: Statement,
    *,
    key: Array | None = None,
    draws: int | None = None,
    config: Any = None,
    level: float = 0.01,
    remedies: bool = True,
    memory: int | None = None,
) -> Explanation:
    """Draws again, as `theory.verify` does, and says why its verdict comes out.

    Args:
      statement, draws, config, level: as for `verify`.
      key: random key; default `theory.keys.make_key(0)`.
      remedies: whether parameters are looked for that mend the hypothesis nearest to failing; every
        integer parameter that is tried costs a few compilations.
      memory: bytes that may be used, as for `evaluate`.

    Returns:
      The `Explanation`.

    Raises:
      ValueError: as `verify` does.
    """
    check_statement(statement)
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    config = statement.config if config is None else config
    check_config(config, statement.config)
    key = make_key(0) if key is None else key
    evidence = evaluate(statement, key, draws, config, memory=memory)
    verdict = assess(statement, evidence, config=config, level=level)
    found = dataclasses.replace(explained(verdict), worst=_worst(evidence))
    failing = [one for one in found.nearest if one.failed]
    if not (remedies and failing):
        return found
    with arithmetic("float64"):
        mended = tuple(find_remedies(statement, failing[0].name, key, config, memory))
    return dataclasses.replace(found, remedies=mended)


def _comparisons(verdict: Verdict) -> Iterator[Comparison]:
    outcomes, rate = verdict.outcomes, verdict.failure_rate
    if rate is not None:
        tested = outcomes["confirmed"] + outcomes["miss"]
        if verdict.kind == "deterministic":
            yield Comparison("draws that satisfy the hypotheses", tested, f"{ENOUGH} or more")
            yield Comparison("failures outside numerical error", rate.failures, "none")
        else:
            yield Comparison("failure rate", rate.observed, f"δ = {rate.allowed:.4g} allowed")
            yield Comparison("lower limit of the failure rate", rate.low, f"{rate.allowed:.4g}")
        yield Comparison("undecided draws", outcomes["undecided"], "0")
    elif any(outcomes.values()):
        failing = outcomes["beyond"] + outcomes["vacuous"]
        yield Comparison(
            "draws in which a hypothesis fails", failing, counted(verdict.draws, "draw")
        )
    for claim in verdict.estimates:
        within = f" ± {claim.tolerance:.3g}" if claim.tolerance else ""
        side = {"equal": "", "at most": "at most ", "at least": "at least "}[claim.side]
        claimed = f"{side}{claim.claimed:.4g}{within}"
        yield Comparison(f"{claim.name}, lower limit", claim.low, claimed)
        yield Comparison(f"{claim.name}, upper limit", claim.high, claimed)
        if math.isfinite(claim.resolution):
            half = (claim.high - claim.low) / 2
            if verdict.kind == "law":  # whose interval is cut off at 0
                half = max(claim.high - claim.observed, claim.observed - claim.low)
            yield Comparison(f"{claim.name}, half-width", half, f"at most {claim.resolution:.3g}")


def _seen(verdict: Verdict) -> str:
    distinct = verdict.draws if verdict.distinct is None else verdict.distinct
    text = f"{counted(distinct, 'distinct instance')} in {counted(verdict.draws, 'draw')}"
    if verdict.detectable is not None:
        what = "distance of the law" if verdict.kind == "law" else "failure rate"
        text += f"; a {what} of {verdict.detectable:.3g} would have shown with probability .95"
    elif verdict.failure_rate is not None and not verdict.failure_rate.failures:
        text += f"; failure rates up to {verdict.failure_rate.high:.3g} are not excluded"
    if verdict.draws_needed is not None:
        text += f"; about {counted(verdict.draws_needed, 'draw')} would decide"
    if verdict.tightness is not None:
        text += f"; bound over observed value {verdict.tightness:.3g}"
    return text


def _ranked(hypotheses: Mapping[str, ConditionSummary]) -> list[Nearness]:
    found = [
        Nearness(
            name,
            summary.met,
            summary.failed,
            None if summary.ratio is None else summary.ratio[1],
            summary.tightest_margin,
            summary.unit,
        )
        for name, summary in hypotheses.items()
    ]
    return sorted(found, key=_distance)


def _distance(one: Nearness) -> tuple[float, float]:
    """Sorts by the draws that fail, then by the ratio, or the margin where there is none."""
    small = one.ratio if one.ratio is not None else one.margin
    return (-one.failed, math.inf if small is None or math.isnan(small) else small)


def _worst(evidence: Evidence) -> WorstDraw:
    holds, _ = premise(evidence.hypotheses.values())
    if evidence.conclusion is None:
        quantity = np.asarray(evidence.quantity)
        rows = quantity.reshape(len(quantity), -1)
        apart = np.abs(rows - np.median(rows, axis=0)).max(axis=1)
        index = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        return WorstDraw(index, _margins(evidence, index), quantity[index])
    values = np.asarray(evidence.conclusion.value)
    holds = np.broadcast_to(holds, values.shape)
    counted = np.where(holds, values, np.inf) if holds.any() else values
    index = int(np.argmin(np.where(np.isnan(counted), np.inf, counted)))
    return WorstDraw(index, _margins(evidence, index))


def _margins(evidence: Evidence, index: int) -> dict[str, tuple[float, float, str]]:
    named = dict(evidence.hypotheses) | dict(evidence.measured)
    if evidence.conclusion is not None:
        named["conclusion"] = evidence.conclusion
    return {
        name: (float(np.asarray(m.value)[index]), float(np.asarray(m.error)[index]), m.unit)
        for name, m in named.items()
    }
