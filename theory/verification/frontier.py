"""Where hypotheses begin to hold, or a verdict changes, along a parameter."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from theory._validation import check_choice, check_integer, check_level, check_memory
from theory.keys import make_key
from theory.parameters import largest_integer, number_names
from theory.verification.outcomes import premise
from theory.verification.programs import arithmetic
from theory.verification.remedies import hypothesis_margins
from theory.verification.statement import Statement, check_config, check_statement
from theory.verification.statistics import clopper_pearson
from theory.verification.verify import verify

GOALS = ("held", "consistent")
DRAWS = (32, 128, 512)  # at a value; more where fewer do not tell
PROBES = 40  # values that are looked at, at most; each has an equal share of the level
REACH = 2.0**16  # how far, as a factor, a range is looked for that nobody gives
CLOSE = 0.02  # ratio of the ends at which the search ends


class Probe(NamedTuple):
    """One value.  reached: whether the goal is, None where the draws do not tell.

    met, draws: draws in which all hypotheses hold, of how many; verdict: for the goal "consistent",
    and needed: about how many draws would decide it where these do not, if that is known.
    """

    value: float
    reached: bool | None
    met: int
    draws: int
    verdict: str = ""
    needed: int | None = None


@dataclasses.dataclass(frozen=True)
class Frontier:
    """Where the goal begins to be reached.

    Attributes:
      id, parameter, goal: of the question.
      below, above: the nearest values found: at one the goal is reached, at the other it is not.
        None if it is the same at both ends.
      reached_above: whether it is reached at `above` (or else at `below`).
      probes: all values looked at, in that order.
      reason: one sentence.
      level: probability that any of the decided probes is wrong.
    """

    id: str
    parameter: str
    goal: str
    below: float | None
    above: float | None
    reached_above: bool | None
    probes: tuple[Probe, ...]
    reason: str
    level: float

    def __str__(self) -> str:
        return f"{self.id}: {self.reason}"


def frontier(
    statement: Statement,
    parameter: str,
    *,
    goal: str = "held",
    low: float | None = None,
    high: float | None = None,
    key: Array | None = None,
    config: Any = None,
    draws: int | None = None,
    level: float = 0.01,
    close: float = CLOSE,
    say: Callable[[str], None] | None = None,
    memory: int | None = None,
) -> Frontier:
    """Bisects a parameter, on fresh draws at each value.

    It is assumed that the goal is reached on one side and not on the other; values between which it
    changes are found in any case, though not all of them.

    Args:
      statement: of which.
      parameter: a number of its configuration.
      goal: "held": all hypotheses hold in at least half of the draws; "consistent": the verdict is.
      low, high: values between which to look, by ratios if both are positive and by differences
        otherwise; default from the configuration's own value on, if that is positive, by factors of
        2 in both directions.
      key: random key; default `theory.keys.make_key(0)`.
      config: the other parameters; default the statement's own.
      draws: at each value, for the goal "consistent"; default the statement's own for "quick". Each
        decision has a fortieth of the level, so that where these just decide a verdict more are
        needed here; the reason says how many.
      level: false-alarm rate of all decisions together.
      close: ends when the ends differ by less than this share of them, by its square as a share
        of the whole range where that holds 0, or integers are neighbours.
      say: called with a line at each value.
      memory: bytes that may be used, as for `evaluate`; a range that nobody gives ends where they
        do not suffice.

    Returns:
      The `Frontier`.

    Raises:
      ValueError: for a parameter that is no number, an unknown goal, wrong ends, "held" of a
        statement without hypotheses, or a number of draws for "held", which takes its own.
    """
    check_statement(statement)
    check_choice("goal", goal, GOALS)
    if draws is not None:
        check_integer("draws", draws)
        if goal == "held":
            raise ValueError("draws must be left out with the goal 'held', which takes its own")
    config = statement.config if config is None else config
    check_config(config, statement.config)
    check_choice("parameter", parameter, number_names(config))
    share = check_level(level, parts=PROBES)
    check_memory(memory)
    if goal == "held" and not statement.hypotheses:
        raise ValueError(f"goal must be 'consistent': {statement.id} has no hypotheses")
    field = next(f for f in dataclasses.fields(config) if f.name == parameter)
    here = float(getattr(config, parameter))
    if (low is None) != (high is None):
        raise ValueError("low and high must be given both, or neither")
    if low is not None and high is not None and not -math.inf < low < high < math.inf:
        raise ValueError(f"low and high must be finite, low < high, got {low:g} and {high:g}")
    most = largest_integer(config, parameter) if field.metadata["type"] is int else math.inf
    if high is not None and high > most:
        raise ValueError(f"high must be at most {most} for the integer {parameter}, got {high:g}")
    if low is None and not here > 0:
        raise ValueError(
            f"low and high must be given: {parameter} is {here:g}, and factors of 2 lead nowhere"
        )
    line = _Line(
        statement, goal, make_key(0) if key is None else key, config, field,
        share, say or (lambda text: None), memory, draws,
    )  # fmt: skip
    with arithmetic("float64"):
        ends = (low, high) if low is not None and high is not None else _ends(line, here)
        return _bisected(line, ends, level, close)


@dataclasses.dataclass
class _Line:
    """The values of a parameter, and what is known at them."""

    statement: Statement
    goal: str
    key: Array
    config: Any
    field: dataclasses.Field[Any]
    level: float
    say: Callable[[str], None]
    memory: int | None = None
    draws: int | None = None
    probes: dict[float, Probe] = dataclasses.field(default_factory=dict)

    def value(self, value: float) -> float:
        """The nearest value that the parameter takes."""
        if self.field.metadata["type"] is float:
            return float(value)
        whole = round(value)
        return float(whole + whole % 2 if self.field.metadata.get("even") else whole)

    def at(self, value: float) -> Probe:
        """What is found at a value. ValueError where the configuration does not take it."""
        value = self.value(value)
        if value in self.probes:
            return self.probes[value]
        kind = self.field.metadata["type"]
        config = dataclasses.replace(self.config, **{self.field.name: kind(value)})
        key = jax.random.fold_in(self.key, len(self.probes))
        probe = self._held(value, config, key) if self.goal == "held" else self._judged(
            value, config, key)  # fmt: skip
        self.probes[value] = probe
        words = {True: "reached", False: "not reached", None: "undecided"}[probe.reached]
        self.say(f"{self.field.name} = {value:g}: {words} ({probe.met} of {probe.draws} draws)")
        return probe

    def _held(self, value: float, config: Any, key: Array) -> Probe:
        names, met, draws = tuple(self.statement.hypotheses), 0, 0
        for number, count in enumerate(DRAWS):
            margins = hypothesis_margins(
                self.statement, names, jax.random.fold_in(key, number), count, config,
                self.memory,
            )  # fmt: skip
            holds, _ = premise(margins.values())
            met, draws = int(np.sum(np.broadcast_to(holds, count))), count
            limits = clopper_pearson(met, draws, 1 - self.level / len(DRAWS))
            if not limits.low <= 0.5 <= limits.high:
                return Probe(value, limits.low > 0.5, met, draws)
        return Probe(value, None, met, draws)

    def _judged(self, value: float, config: Any, key: Array) -> Probe:
        verdict = verify(
            self.statement, key=key, draws=self.draws, config=config, level=self.level,
            memory=self.memory,
        )  # fmt: skip
        met = verdict.outcomes["confirmed"] + verdict.outcomes["miss"]
        if not any(verdict.outcomes.values()):  # about a quantity as a whole
            met = min((h.met for h in verdict.hypotheses.values()), default=verdict.draws)
        reached = {"consistent": True, "inconclusive": None}.get(verdict.verdict, False)
        return Probe(value, reached, met, verdict.draws, verdict.verdict, verdict.draws_needed)


def _ends(line: _Line, here: float) -> tuple[float, float]:
    """The nearest values, by factors of 2 in turn up and down, that differ from the one here."""
    first, last = line.at(here), {True: here, False: here}
    for up, value in _doublings(here):
        if len(line.probes) >= PROBES // 2:
            break
        try:
            probe = line.at(value)
        except ValueError:  # out of the parameter's range, or of memory
            continue
        if probe.reached is not None and probe.reached != first.reached:
            return tuple(sorted((last[up], probe.value)))  # pyright: ignore[reportReturnType]
        if probe.reached is not None:
            last[up] = probe.value
    return tuple(sorted((last[False], last[True])))  # pyright: ignore[reportReturnType]


def _doublings(here: float) -> Iterator[tuple[bool, float]]:
    factor = 2.0
    while factor <= REACH:
        yield True, here * factor
        yield False, here / factor
        factor *= 2


def _middle(low: float, high: float) -> float:
    """By ratios where both are positive, else by differences."""
    return math.sqrt(low * high) if low > 0 else (low + high) / 2


def _apart(low: float, high: float, close: float, span: float) -> bool:
    """Whether the ends are worth a value between them, of a range that was `span` wide."""
    if low > 0:
        return math.log(high / low) > close
    return high - low > max(close * min(abs(low), abs(high)), close**2 * span)


def _more(*probes: Probe) -> str:
    """How many draws would tell, where that is known of those that are undecided."""
    needed = [probe.needed for probe in probes if probe.reached is None]
    known = [number for number in needed if number is not None]
    if not known or len(known) < len(needed):
        return "more draws may tell"
    return f"about {max(known):,} draws would tell"


def _bisected(line: _Line, ends: tuple[float, float], level: float, close: float) -> Frontier:
    name, what = line.field.name, {"held": "all hypotheses hold", "consistent": "consistent"}
    low, high = line.at(ends[0]), line.at(ends[1])
    if (
        low.value == high.value
        or low.reached == high.reached
        or None in (low.reached, high.reached)
    ):
        ends_words = f"{name} = {low.value:g} and {high.value:g}"
        if None in (low.reached, high.reached):
            open_at = [f"{name} = {e.value:g}" for e in (low, high) if e.reached is None]
            reason = f"{what[line.goal]}: undecided at {' and '.join(open_at)}; {_more(low, high)}"
        else:
            reason = f"{what[line.goal]} at {'both' if low.reached else 'neither'} of {ends_words}"
        return Frontier(
            line.statement.id, name, line.goal, None, None, None, tuple(line.probes.values()),
            reason, level,
        )  # fmt: skip
    undecided, span = None, high.value - low.value
    while _apart(low.value, high.value, close, span) and len(line.probes) < PROBES:
        middle = line.value(_middle(low.value, high.value))
        if middle in (low.value, high.value):
            break
        probe = line.at(middle)
        if probe.reached is None:  # as near as the draws can tell
            undecided = probe
            break
        low, high = (probe, high) if probe.reached == low.reached else (low, probe)
    side = "from" if high.reached else "up to"
    held, not_held = (high, low) if high.reached else (low, high)
    reason = f"{what[line.goal]} {side} {name} = {held.value:g}, and not at {not_held.value:g}"
    if undecided is not None:
        reason += f"; {max(DRAWS)} draws do not tell between" if line.goal == "held" else (
            f"; inconclusive between: {_more(undecided)}")  # fmt: skip
    return Frontier(
        line.statement.id, name, line.goal, low.value, high.value, bool(high.reached),
        tuple(line.probes.values()), reason, level,
    )  # fmt: skip
