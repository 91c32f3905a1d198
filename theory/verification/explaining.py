"""Why a verdict came out: the rule that decided, the numbers it compared, and what comes nearest.

What a stored `Verdict` knows is in `explained`; `explain` draws again, shows the worst draw, and
finds the parameter whose change would mend the hypothesis that is nearest to failing.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from theory._validation import check_integer
from theory.compilation import quick_to_compile
from theory.keys import make_key
from theory.margins import Margin
from theory.parameters import number_names
from theory.verification.evaluation import arithmetic, evaluate
from theory.verification.failures import ENOUGH
from theory.verification.outcomes import premise
from theory.verification.stages import InStages, seen_from
from theory.verification.statement import Statement, check_config, check_statement
from theory.verification.verdict import ConditionSummary, Evidence, Verdict
from theory.verification.verify import assess

LOOKED_AT = 16  # draws of which the median decides whether a hypothesis holds elsewhere
STEP = 0.1  # of a parameter, for the finite difference
FARTHEST = 2**16  # times, or parts of, its value that a parameter is changed to
CLOSE = 0.02  # ratio of the two values between which a hypothesis begins to hold

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


class Remedy(NamedTuple):
    """A change of one parameter with which a hypothesis holds, at the median over a few draws.

    margin: the median at the value `now`.  before, holds_from: neighbouring values, at the second
    of which it holds; both None if no value in the parameter's range was found.
    """

    hypothesis: str
    parameter: str
    now: float
    margin: float
    before: float | None
    holds_from: float | None

    def __str__(self) -> str:
        text = f"{self.hypothesis} fails by {-self.margin:.3g} at {self.parameter} = {self.now:g}"
        if self.holds_from is None:
            return f"{text}; no {self.parameter} in reach mends it"
        end = "from" if self.holds_from > self.now else "up to"
        return f"{text}; holds {end} {self.parameter} ≈ {self.holds_from:.4g}"


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
            lines.append(f"  {one.name}: holds in {one.met}, fails in {one.failed} draws{ratio}")
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
) -> Explanation:
    """Draws again, as `theory.verify` does, and says why its verdict comes out.

    Args:
      statement, draws, config, level: as for `verify`.
      key: random key; default `theory.keys.make_key(0)`.
      remedies: whether parameters are looked for that mend the hypothesis nearest to failing; every
        integer parameter that is tried costs a few compilations.

    Returns:
      The `Explanation`.

    Raises:
      ValueError: as `verify` does.
    """
    check_statement(statement)
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    config = statement.config if config is None else config
    check_config(config)
    key = make_key(0) if key is None else key
    evidence = evaluate(statement, key, draws, config)
    verdict = assess(statement, evidence, config=config, level=level)
    found = dataclasses.replace(explained(verdict), worst=_worst(evidence))
    failing = [one for one in found.nearest if one.failed]
    if not (remedies and failing):
        return found
    with arithmetic("float64"):
        mended = tuple(_remedies(statement, failing[0].name, key, config))
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
        yield Comparison("draws in which a hypothesis fails", failing, f"{verdict.draws} draws")
    for claim in verdict.estimates:
        within = f" ± {claim.tolerance:.3g}" if claim.tolerance else ""
        side = {"equal": "", "at most": "at most ", "at least": "at least "}[claim.side]
        claimed = f"{side}{claim.claimed:.4g}{within}"
        yield Comparison(f"{claim.name}, lower limit", claim.low, claimed)
        yield Comparison(f"{claim.name}, upper limit", claim.high, claimed)
        if math.isfinite(claim.resolution):
            half = (claim.high - claim.low) / 2
            yield Comparison(f"{claim.name}, half-width", half, f"at most {claim.resolution:.3g}")


def _seen(verdict: Verdict) -> str:
    distinct = verdict.draws if verdict.distinct is None else verdict.distinct
    text = f"{distinct} distinct instances in {verdict.draws} draws"
    if verdict.detectable is not None:
        text += (
            f"; a failure rate of {verdict.detectable:.3g} would have shown with probability .95"
        )
    elif verdict.failure_rate is not None and not verdict.failure_rate.failures:
        text += f"; failure rates up to {verdict.failure_rate.high:.3g} are not excluded"
    if verdict.draws_needed is not None:
        text += f"; about {verdict.draws_needed} draws would decide"
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


# --- which parameter mends a hypothesis -----------------------------------------------------------


def hypothesis_margins(
    statement: Statement, names: tuple[str, ...], key: Array, draws: int, config: Any
) -> dict[str, Margin]:
    """The margins of some hypotheses alone, of fresh instances; their stages and no later ones.

    Args:
      statement: of which.
      names: of hypotheses, one at least.
      key, draws, config: as for `evaluate`.

    Returns:
      Name → margin of shape (draws,), numpy arrays; statements that solve on the host solve.
    """
    options = quick_to_compile(1) if jax.default_backend() == "cpu" else None
    conditions = {name: statement.hypotheses[name] for name in names}

    def checked(instance: Any) -> dict[str, Margin]:
        return {n: c.check(seen_from(instance, c.stage), config) for n, c in conditions.items()}

    sample = _sampler_up_to(statement, names)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(draws))
    if statement.solve is None:
        run = jax.jit(jax.vmap(lambda k: checked(sample(k, config))), compiler_options=options)
        return jax.device_get(run(keys))
    instances = jax.device_get(jax.jit(jax.vmap(lambda k: sample(k, config)))(keys))
    solved = [
        statement.solved(jax.tree.map(lambda part: part[i], instances))  # noqa: B023
        for i in range(draws)
    ]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *solved)
    return jax.device_get(jax.jit(jax.vmap(checked), compiler_options=options)(stacked))


def _sampler_up_to(statement: Statement, names: tuple[str, ...]) -> Any:
    """The sampler, without the stages that none of the hypotheses looks at."""
    stages = list(statement.stages)
    wanted = [statement.hypotheses[name].stage for name in names]
    if not stages or statement.solve is not None or None in wanted:
        return statement.sample
    last = max(stages.index(stage) for stage in wanted if stage is not None)
    return InStages(statement.stages, last + 1)


def _remedies(statement: Statement, name: str, key: Array, config: Any) -> Iterator[Remedy]:
    """The parameter that helps most, and from which value on the hypothesis holds."""
    median = functools.partial(_median, statement, name, key)
    here = median(config)
    if not here < 0:
        return
    helpful = []
    for field in _numbers(config):
        value = getattr(config, field.name)
        step = max(1, round(STEP * value)) if field.metadata["type"] is int else STEP * value
        for changed in (value + step, value - step):
            there = _try(median, config, field, changed)
            if there is not None and there > here and changed != value:
                gain = (there - here) / abs(math.log(changed / value)) if changed > 0 else 0.0
                helpful.append((gain, field, changed > value))
    helpful.sort(key=lambda one: -one[0])
    found = [_mended(median, name, config, field, up, here) for _, field, up in helpful[:3]]
    mending = [one for one in found if one.holds_from is not None]
    yield from mending or found[:1]


def _numbers(config: Any) -> list[dataclasses.Field[Any]]:
    """Parameters that are positive numbers."""
    names = [name for name in number_names(config) if getattr(config, name) > 0]
    return [field for field in dataclasses.fields(config) if field.name in names] if names else []


def _median(statement: Statement, name: str, key: Array, config: Any) -> float:
    margins = hypothesis_margins(statement, (name,), key, LOOKED_AT, config)
    return float(np.median(np.asarray(margins[name].value)))


def _try(median: Any, config: Any, field: dataclasses.Field[Any], value: float) -> Any:
    """The median margin at another value; None where the statement does not exist there."""
    try:
        found = median(dataclasses.replace(config, **{field.name: _as_parameter(field, value)}))
    except (ValueError, TypeError, ZeroDivisionError, IndexError):
        return None
    return None if math.isnan(found) else found


def _as_parameter(field: dataclasses.Field[Any], value: float) -> Any:
    if field.metadata["type"] is float:
        return float(value)
    whole = round(value)
    return whole + whole % 2 if field.metadata.get("even") else whole


def _mended(
    median: Any, name: str, config: Any, field: dataclasses.Field[Any], up: bool, here: float
) -> Remedy:
    """Doubles or halves the parameter until the hypothesis holds, then bisects."""
    now = float(getattr(config, field.name))
    before, factor = now, 2.0
    while factor <= FARTHEST:
        value = now * factor if up else now / factor
        margin = _try(median, config, field, value)
        if margin is None:
            break
        if margin > 0:
            low, high = before, float(_as_parameter(field, value))
            while abs(math.log(high / low)) > CLOSE:
                middle = float(_as_parameter(field, math.sqrt(low * high)))
                if middle in (low, high):
                    break
                found = _try(median, config, field, middle)
                low, high = (low, middle) if found is not None and found > 0 else (middle, high)
            return Remedy(name, field.name, now, here, low, high)
        before, factor = value, 2 * factor
    return Remedy(name, field.name, now, here, None, None)
