"""Which parameter mends a hypothesis: its margins elsewhere, and from which value on it holds."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from theory.compilation import bytes_needed, largest_fit, quick_jit
from theory.margins import Margin
from theory.parameters import number_names
from theory.verification.stages import InStages, seen_from
from theory.verification.statement import Statement

LOOKED_AT = 16  # draws of which the median decides whether a hypothesis holds elsewhere
STEP = 0.1  # of a parameter, for the finite difference
FARTHEST = 2**16  # times, or parts of, its value that a parameter is changed to
PATIENCE = 10.0  # seconds at one value, after which none farther away is tried
ROOM = 2**30  # bytes at one value: draws of which fewer fit at once take the longer
CLOSE = 0.02  # ratio of the two values between which a hypothesis begins to hold


class Remedy(NamedTuple):
    """A change of one parameter with which a hypothesis holds, at the median over a few draws.

    margin: the median at the value `now`.  before, holds_from: neighbouring values, at the second
    of which it holds; both None if no value was found, `reached` being the last that was tried:
    beyond it the statement does not exist, does not fit into 1 GiB or takes more than 10 seconds.
    """

    hypothesis: str
    parameter: str
    now: float
    margin: float
    before: float | None
    holds_from: float | None
    reached: float

    def __str__(self) -> str:
        text = f"{self.hypothesis} fails by {-self.margin:.3g} at {self.parameter} = {self.now:g}"
        if self.holds_from is None:
            until = "up to" if self.reached > self.now else "down to"
            return f"{text}; no {self.parameter} {until} {self.reached:.4g} mends it"
        end = "from" if self.holds_from > self.now else "up to"
        return f"{text}; holds {end} {self.parameter} ≈ {self.holds_from:.4g}"


def hypothesis_margins(
    statement: Statement,
    names: tuple[str, ...],
    key: Array,
    draws: int,
    config: Any,
    memory: int | None = None,
) -> dict[str, Margin]:
    """The margins of some hypotheses alone, of fresh instances; their stages and no later ones.

    Args:
      statement: of which.
      names: of hypotheses, one at least.
      key, draws, config, memory: as for `evaluate`.

    Returns:
      Name → margin of shape (draws,), numpy arrays; statements that solve on the host solve.
    """
    conditions = {name: statement.hypotheses[name] for name in names}

    def checked(instance: Any) -> dict[str, Margin]:
        return {n: c.check(seen_from(instance, c.stage), config) for n, c in conditions.items()}

    sample = _sampler_up_to(statement, names)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(draws))
    if statement.solve is None:
        return _of_rows(statement.id, lambda k: checked(sample(k, config)), keys, memory)
    instances = _of_rows(statement.id, lambda k: sample(k, config), keys, memory)
    solved = [
        statement.solved(jax.tree.map(lambda part: part[i], instances))  # noqa: B023
        for i in range(draws)
    ]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *solved)
    return _of_rows(statement.id, checked, stacked, memory)


def _of_rows(what: str, function: Callable[[Any], Any], rows: Any, limit: int | None) -> Any:
    """A function of every row, of as many at once as fit into the memory; numpy arrays."""
    run = quick_jit(jax.vmap(function))
    count = batch = len(jax.tree.leaves(rows)[0])

    def some(start: int, size: int) -> Any:  # the last row again where there are no more
        places = np.minimum(np.arange(start, start + size), count - 1)
        return jax.tree.map(lambda part: part[places], rows)

    if limit is not None:
        batch = largest_fit(
            what,
            count,
            limit,
            lambda size: bytes_needed(run, some(0, size), limit=limit),
            "with one draw at a time",
        ).batch
    found = [jax.device_get(run(some(start, batch))) for start in range(0, count, batch)]
    if len(found) == 1:
        return found[0]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *found)


def _sampler_up_to(statement: Statement, names: tuple[str, ...]) -> Any:
    """The sampler, without the stages that none of the hypotheses looks at."""
    stages = list(statement.stages)
    wanted = [statement.hypotheses[name].stage for name in names]
    if not stages or statement.solve is not None or None in wanted:
        return statement.sample
    last = max(stages.index(stage) for stage in wanted if stage is not None)
    return InStages(statement.stages, last + 1)


def remedies(
    statement: Statement, name: str, key: Array, config: Any, memory: int | None = None
) -> Iterator[Remedy]:
    """The parameter that helps most, and from which value on the hypothesis holds."""
    median = functools.partial(_median, statement, name, key, memory)
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


def _median(statement: Statement, name: str, key: Array, memory: int | None, config: Any) -> float:
    room = ROOM if memory is None else min(ROOM, memory)
    margins = hypothesis_margins(statement, (name,), key, LOOKED_AT, config, room)
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
    before, factor, took = now, 2.0, 0.0
    while factor <= FARTHEST and took <= PATIENCE:
        value = now * factor if up else now / factor
        start = time.monotonic()
        margin = _try(median, config, field, value)
        took = time.monotonic() - start
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
            return Remedy(name, field.name, now, here, low, high, high)
        before, factor = value, 2 * factor
    return Remedy(name, field.name, now, here, None, None, before)
