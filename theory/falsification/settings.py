"""Parameters as part of a search: which settings to try, and the one in which most fails."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from theory._validation import check_choice
from theory._wording import counted
from theory.falsification.budget import Budget
from theory.parameters import largest_integer, number_names
from theory.verification.evaluation import evaluate, traceable_parameters
from theory.verification.kinds import ByOutcome
from theory.verification.statement import Statement
from theory.verification.verdict import Verdict
from theory.verification.verify import assess, verify, verify_until

Range = tuple[float, float]
CORNERS = 16  # settings at the ends of all ranges
LOOKS = 32  # at fresh draws of a statement whose draws have outcomes, at most
CONFIRMED = 3  # of the worst settings, the k-th of them at a level/2^k
LEFT_OUT = 32  # settings that do not fit or make no sense, of a search that goes on
LOGARITHMIC = 10.0  # ratio of the ends beyond which a range is searched by orders of magnitude


def check_ranges(config: Any, over: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges; ValueError for names that are no numbers of the configuration, or no ranges."""
    if not over:
        return {}
    numbers, checked = number_names(config), {}
    for name, ends in over.items():
        check_choice("over", name, numbers)
        low, high = map(float, ends)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(
                f"over {name} must be two numbers low ≤ high, got {low:g} and {high:g}"
            )
        field = next(f for f in dataclasses.fields(config) if f.name == name)
        if field.metadata["type"] is int and high > (most := largest_integer(config, name)):
            raise ValueError(f"over {name} must be at most {most} for an integer, got {high:g}")
        for end in (low, high):  # a value outside the parameter's own range is refused here
            dataclasses.replace(config, **{name: _number(field, end)})
        checked[name] = (low, high)
    return checked


def _number(field: dataclasses.Field[Any], value: float) -> Any:
    if field.metadata["type"] is float:
        return float(value)
    whole = round(value)
    return whole - whole % 2 if field.metadata.get("even") else whole


def _setting(config: Any, over: Mapping[str, Range], place: np.ndarray) -> Any:
    """The configuration at a place in the unit cube; ValueError where two parameters clash."""
    fields = {f.name: f for f in dataclasses.fields(config)} if over else {}
    values = {}
    for (name, (low, high)), share in zip(over.items(), np.clip(place, 0, 1), strict=True):
        if low > 0 and high / low >= LOGARITHMIC:
            value = low * (high / low) ** float(share)
        else:
            value = low + float(share) * (high - low)
        values[name] = _number(fields[name], min(max(value, low), high))
    return dataclasses.replace(config, **values) if values else config


def settings_to_try(config: Any, over: Mapping[str, Range], seed: int) -> Iterator[Any]:
    """The configuration itself; with ranges those at their ends, then random ones, for ever."""
    if not over:
        yield config
        return
    rng = np.random.default_rng(seed)
    middle = [np.full(len(over), 0.5)]
    ends = itertools.islice(itertools.product((0.0, 1.0), repeat=len(over)), CORNERS)
    places = itertools.chain(middle, map(np.array, ends), _random_places(rng, len(over)))
    seen: set[Any] = set()
    repeats = 0
    while repeats < 1000:  # a range of integers has an end
        try:
            setting = _setting(config, over, next(places))
        except ValueError:
            repeats += 1
            continue
        if setting in seen:
            repeats += 1
            continue
        seen.add(setting)
        yield setting


def _random_places(rng: np.random.Generator, dimension: int) -> Iterator[np.ndarray]:
    while True:
        yield rng.random(dimension)


@dataclasses.dataclass
class LeftOut:
    """Settings that a search leaves out, as they make no sense or do not fit into the memory.

    Attributes:
      say: told of each, and why.
      most: how many there may be in a row.
      row: how many there are.  searched: whether any setting has been searched.
      last: why the last one was left out.
    """

    say: Callable[[str], None]
    most: int
    row: int = 0
    searched: bool = False
    last: Exception | None = None

    def add(self, setting: Any, error: Exception) -> bool:
        """Whether to go on without the setting; raises the error where none has been searched."""
        self.row, self.last = self.row + 1, error
        if self.row <= self.most:
            self.say(f"left out {setting}: {error}")
            return True
        if not self.searched:
            raise error
        return False

    def note_search(self) -> None:
        """A setting has been searched."""
        self.row, self.searched = 0, True


class Worst(NamedTuple):
    """The setting in which most failed, the verdict there on fresh draws, and one sentence."""

    config: Any
    verdict: Verdict
    reason: str


def worst_setting(
    statement: Statement,
    search_key: Array,
    fresh: Array,
    config: Any,
    over: Mapping[str, Range],
    budget: Budget,
    level: float,
    memory: int | None = None,
) -> Worst:
    """Searches settings with the same draws, then judges the worst on draws of their own.

    Returns:
      The first of the `CONFIRMED` worst that is refuted, or else the worst.
    """
    draws = statement.draws["quick"]
    seed = int(jax.random.bits(search_key, dtype="uint32"))
    tried: list[tuple[float, int, Any]] = []
    traced = traceable_parameters(statement, config, tuple(over)) if over else ()
    left_out = LeftOut(budget.say, most=LEFT_OUT if over else 0)
    for number, setting in enumerate(_nearby(config, over, seed, tried)):
        if number and budget.over:
            break
        try:
            evidence = evaluate(statement, search_key, draws, setting, traced=traced, memory=memory)
            verdict = assess(statement, evidence, config=setting, level=level)
        except (ValueError, TypeError) as error:
            if left_out.add(setting, error):
                continue
            break
        left_out.note_search()
        budget.spent += draws
        budget.tested += 0 if verdict.failure_rate is None else verdict.failure_rate.trials
        tried.append((badness(verdict), -number, setting))
    if not tried and left_out.last is not None:
        raise left_out.last
    tried.sort(key=lambda one: one[:2], reverse=True)
    worst: Worst | None = None
    for k, (_, _, setting) in enumerate(tried[:CONFIRMED], start=1):
        budget.say(f"confirming on fresh draws: {setting}")
        key = jax.random.fold_in(fresh, k)
        common = {"key": key, "config": setting, "level": level / 2**k, "memory": memory}
        if isinstance(statement.claim, ByOutcome):
            most = statement.draws["full"]
            stage = max(64, most // LOOKS)
            verdict = verify_until(statement, draws=most, stage=stage, **common)
        else:
            verdict = verify(statement, draws=draws, **common)
        reason = f"on {counted(verdict.draws, 'fresh draw')} in the "
        reason += f"worst of {len(tried)} settings" if len(tried) > 1 else "one setting looked at"
        if verdict.verdict == "consistent":
            reason += ": no failure that counts; a search is no evidence"
        else:
            reason += f": {verdict.reason}"
        if worst is None or verdict.verdict == "refuted":
            worst = Worst(setting, verdict, reason)
        if verdict.verdict == "refuted":
            break
    assert worst is not None
    return worst


def _nearby(
    config: Any, over: Mapping[str, Range], seed: int, tried: list[tuple[float, int, Any]]
) -> Iterator[Any]:
    """Settings to try, every other one near the worst so far."""
    rng, seen = np.random.default_rng(seed + 1), set()
    for setting in settings_to_try(config, over, seed):
        seen.add(setting)
        yield setting
        if len(tried) < 4:
            continue
        _, _, worst = max(tried, key=lambda one: one[:2])
        spread = 0.3 / math.sqrt(len(tried))
        place = _place(worst, over) + spread * rng.normal(size=len(over))
        try:
            near = _setting(config, over, place)
        except ValueError:
            continue
        if near not in seen:
            seen.add(near)
            yield near


def _place(setting: Any, over: Mapping[str, Range]) -> np.ndarray:
    """Where a setting is in the unit cube."""
    found = []
    for name, (low, high) in over.items():
        value = float(getattr(setting, name))
        if low == high:
            found.append(0.0)
        elif low > 0 and high / low >= LOGARITHMIC:
            found.append(math.log(value / low) / math.log(high / low))
        else:
            found.append((value - low) / (high - low))
    return np.array(found)


def badness(verdict: Verdict) -> float:
    """How far a verdict is on the way to "refuted": the larger, the farther.

    −log of the probability of so many failures at the allowed rate; of claims the distance beyond
    the tolerance, in half-widths of the interval. −∞ where nothing was tested.
    """
    rate = verdict.failure_rate
    if rate is not None:
        if not 0 < rate.allowed < 1:
            return float(rate.failures) if rate.allowed == 0 else -math.inf
        if rate.failures == 0:
            return -rate.allowed
        from scipy import stats  # slow to import

        return -float(stats.binom.logsf(rate.failures - 1, rate.trials, rate.allowed))
    found = [-math.inf]
    for claim in verdict.estimates:
        half = max((claim.high - claim.low) / 2, 1e-300)
        below, above = claim.claimed - claim.observed, claim.observed - claim.claimed
        distance = {"at most": above, "at least": below}.get(claim.side, max(below, above))
        if math.isfinite(distance):
            found.append((distance - claim.tolerance) / half)
    return max(found)
