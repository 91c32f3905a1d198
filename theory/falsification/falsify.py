"""The door: a search for a counterexample, confirmed, made small and, where possible, proved."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from theory._validation import check_integer, check_level, check_memory, check_real
from theory._wording import counted
from theory.falsification.budget import Budget
from theory.falsification.candidates import KEPT, Found, Space, Variables
from theory.falsification.descent import descend
from theory.falsification.evolution import evolve
from theory.falsification.proving import Counterexample, certified
from theory.falsification.settings import (
    CONFIRMED,
    LEFT_OUT,
    LeftOut,
    Range,
    check_ranges,
    settings_to_try,
    worst_setting,
)
from theory.falsification.shrinking import simpler, smaller_settings
from theory.falsification.starts import cropped, degenerate_starts, joined, rows
from theory.keys import make_key
from theory.verification import canary
from theory.verification.kinds import Deterministic
from theory.verification.outcomes import Outcome, outcome
from theory.verification.programs import arithmetic
from theory.verification.statement import Statement, check_claims, check_config, check_statement
from theory.verification.verdict import Evidence, Verdict

GENERATIONS = 40  # of evolution in a round
SHRINKING = 3000  # evaluations spent on one smaller setting
SMALLER = 0.2  # of these, for one smaller setting
SHRINKING_SHARE = 0.5  # of the seconds that the search may take, besides, for making smaller
SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Falsification:
    """What a search found.

    Attributes:
      id: of the statement.
      verdict: "refuted", "vacuous" if no candidate satisfied the hypotheses, else "inconclusive":
        that nothing is found is no evidence.
      reason: one sentence that says why.
      proved: whether the refutation is a proof.
      counterexample: of a deterministic statement that is refuted, else None.
      setting: the configuration in which it is refuted, or else that came nearest.
      confirmed: the `Verdict` on fresh draws, for statements that no single instance refutes.
      evaluations: candidates that were evaluated.
      tested: candidates among them that satisfied the hypotheses.
      nearest: smallest margin of the conclusion among those, in medians of its size over drawn
        instances; None if there are none.
      seconds: how long it took.
    """

    id: str
    verdict: str
    reason: str
    proved: bool = False
    counterexample: Counterexample | None = None
    setting: Any = None
    confirmed: Verdict | None = None
    evaluations: int = 0
    tested: int = 0
    nearest: float | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        proved = ", proved" if self.proved else ""
        return f"{self.id}: {self.verdict}{proved} ({self.reason})"


def falsify(
    statement: Statement,
    *,
    key: Array | None = None,
    config: Any = None,
    over: Mapping[str, Range] | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    level: float = 0.01,
    shrink: bool = True,
    say: Callable[[str], None] | None = None,
    memory: int | None = None,
) -> Falsification:
    """Searches for what refutes a statement.

    Of a deterministic statement, for an instance that satisfies the hypotheses and on which the
    conclusion fails. The random numbers of its sampler are varied, and the arrays that it declares
    a `domain` for: from drawn instances and from degenerate ones, by gradient steps through the
    margins (Adam) and by evolution (CMA-ES), hypotheses kept by a penalty first and then exactly.
    What is found is evaluated again in disturbed arithmetic, made smaller, and decided in ball
    arithmetic. Of any other statement, for the setting `over` in which it fails most, which is then
    judged on fresh draws. A search is never evidence for a statement.

    Args:
      statement: what to attack.
      key: random key; default `theory.keys.make_key(0)`.
      config: configuration to start from; default the statement's own.
      over: parameter → (low, high), between which it is varied, too.
      seconds: how long to search; default 60 if there is no limit on evaluations.
      evaluations: how many candidates (or draws) to evaluate; with it alone the result is the same
        for the same key.
      level: false-alarm rate of the confirmation on fresh draws, whatever number of settings is
        looked at.
      shrink: whether a counterexample is made smaller.
      say: called with a line now and then.
      memory: bytes that may be used, as for `evaluate`; settings `over` for which they do not
        suffice are left out.

    Returns:
      The `Falsification`.

    Raises:
      ValueError: for a wrong argument, a parameter or range that is none, or a statement without
        anything to search.
    """
    check_statement(statement)
    config = statement.config if config is None else config
    check_config(config, statement.config)
    check_claims(statement, config)
    key = make_key(0) if key is None else key
    check_level(level, parts=2**CONFIRMED)
    check_memory(memory)
    if seconds is not None:
        check_real("seconds", seconds, low=0, open_low=True)
    if evaluations is not None:
        check_integer("evaluations", evaluations)
    elif seconds is None:
        seconds = SECONDS
    over = check_ranges(config, over or {})
    canary.check("float64")
    start = time.monotonic()
    budget = Budget(
        math.inf if evaluations is None else evaluations,
        math.inf if seconds is None else start + seconds,
        say or (lambda text: None),
        extra=math.inf if seconds is None else SHRINKING_SHARE * seconds,
    )
    with arithmetic("float64"):
        if isinstance(statement.claim, Deterministic):
            found = _instance(statement, key, config, over, budget, shrink, memory)
        else:
            found = _setting(statement, key, config, over, budget, level, memory)
    return dataclasses.replace(found, seconds=time.monotonic() - start)


def _instance(
    statement: Statement,
    key: Array,
    config: Any,
    over: Mapping[str, Range],
    budget: Budget,
    shrink: bool,
    memory: int | None,
) -> Falsification:
    """The search for one instance, in one setting after the other."""
    left_out = LeftOut(budget.say, most=LEFT_OUT if over else 0)
    hit, seed = None, int(jax.random.bits(key, dtype="uint32"))
    settings = settings_to_try(config, over, seed)
    share = 1.0 if not over else 0.1  # of the whole budget, for each setting
    for number, setting in enumerate(settings):
        if budget.over and number:
            break
        part = budget.part(share)
        budget.say(f"searching {_named(setting, over)}".rstrip())
        try:
            space = Space(statement, setting, memory=memory)
            hit = search(space, jax.random.fold_in(key, number), part)
        except ValueError as error:
            if left_out.add(setting, error):
                continue
            break
        left_out.note_search()
        budget.add(part)
        if hit is not None:
            break
    near = budget.nearest if math.isfinite(budget.nearest) else None
    if hit is None:
        candidates = f"{counted(budget.seen, 'candidate')} ({counted(budget.spent, 'evaluation')})"
        reason = (
            f"no counterexample among {candidates}; hypotheses are satisfied by {budget.tested:,} "
            "of them; a search is no evidence"
            if budget.tested
            else f"none of {candidates} satisfies the hypotheses"
        )
        return Falsification(
            statement.id,
            "inconclusive" if budget.tested else "vacuous",
            reason,
            setting=config,
            evaluations=budget.spent,
            tested=budget.tested,
            nearest=near,
        )
    space, hit_key, variables = hit
    if shrink:
        budget.say("found one; making it smaller")
        space, hit_key, variables = _shrunk(space, hit_key, variables, key, budget.extra)
    example = certified(space, hit_key, variables)
    what = "proved in ball arithmetic" if example.proved else f"in float64: {example.how}"
    return Falsification(
        statement.id,
        "refuted",
        f"counterexample outside numerical error, {what}",
        proved=example.proved,
        counterexample=example,
        setting=space.config,
        evaluations=budget.spent,
        tested=budget.tested,
        nearest=near,
    )


Hit = tuple[Space, Array, Variables]


def search(space: Space, key: Array, budget: Budget, like: Variables | None = None) -> Hit | None:
    """A counterexample in one setting, looked at twice; None if the budget ends before.

    Args:
      space, budget: what is searched, and how long.
      key: random key.
      like: a counterexample in a larger setting, parts of which are looked at first.
    """
    for group in _groups(space, key, like):
        keys, variables, found = group
        budget.spent = space.evaluations
        budget.note(found)
        order = np.argsort(np.asarray(found.objective))
        for i in order[np.asarray(found.miss)[order]][:3]:
            one = jax.tree.map(lambda part: np.asarray(part)[i], variables)  # noqa: B023
            if _stands(space, keys[i], one):
                return space, keys[i], one
        if budget.over:
            return None
    return None


def _groups(
    space: Space, key: Array, like: Variables | None
) -> Iterator[tuple[Array, Variables, Found]]:
    """Candidates, group by group, for as long as anybody asks."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).astype(np.uint64))
    number, best = 0, []
    while True:
        starts = []
        for _ in range(max(1, KEPT // space.batch)):
            keys = jax.random.split(jax.random.fold_in(key, number), space.batch)
            number += 1
            variables = space.start(keys)
            if space.scales is None:
                space.measure_scales(keys, variables)
                shapes = jax.tree.map(lambda part: part[0], variables)
                parts = None if like is None else cropped(like, shapes, space.batch, rng)
                variables = variables if parts is None else parts
            if number % 4 == 0:
                variables = degenerate_starts(variables, rng)
            found = space.found(keys, variables)
            yield keys, variables, found
            starts.append((keys, variables, np.asarray(found.objective)))
        keys, variables, objective = _best([*best, *starts], space.batch)
        if not jax.tree.leaves(variables):
            continue  # nothing to vary but the key
        if space.smooth and space.differentiable:
            for _ in range(4):
                try:
                    variables, found = descend(space, keys, variables)
                except (NotImplementedError, TypeError, ValueError):  # as of loops without an end
                    space.differentiable = False
                    break
                yield keys, variables, found
                improved = np.asarray(found.objective)
                if not (improved < objective - 1e-9 * np.abs(objective)).any():
                    break
                objective = improved
        first = int(np.argmin(objective))
        start = jax.tree.map(lambda part: np.asarray(part)[first], variables)  # noqa: B023
        generations = evolve(space, keys[first], start, int(rng.integers(1, 2**31)))
        for generation, group in enumerate(generations):
            yield group
            if generation >= GENERATIONS:
                break
        best = [(keys, variables, objective)]


def _best(
    groups: list[tuple[Array, Variables, np.ndarray]], count: int
) -> tuple[Array, Variables, np.ndarray]:
    """Half of the count the nearest, the others at random places among them, for variety."""
    keys, variables = joined([(keys, variables) for keys, variables, _ in groups])
    objective = np.concatenate([one for _, _, one in groups])
    order = np.argsort(objective, kind="stable")
    half = count // 2
    others = order[half:][:: max(1, (len(order) - half) // (count - half))][: count - half]
    chosen = np.resize(np.concatenate([order[:half], others]), count)
    return keys[chosen], rows(variables, chosen), objective[chosen]


def _stands(space: Space, key: Array, variables: Variables) -> bool:
    """Whether it is a counterexample with stated errors, and in disturbed arithmetic."""
    return (
        _outcome(space.evidence(key, variables)) == Outcome.MISS
        and _outcome(space.disturbed(key, variables)) == Outcome.MISS
    )


def _outcome(evidence: Evidence) -> int:
    assert evidence.conclusion is not None
    return int(np.ravel(outcome(evidence.hypotheses.values(), evidence.conclusion))[0])


def _shrunk(space: Space, key: Array, variables: Variables, seed: Array, seconds: float) -> Hit:
    """The counterexample in the smallest setting that has one soon, with the simplest numbers."""
    until = time.monotonic() + seconds
    going_on, number, tried = True, 0, set()
    while going_on:
        going_on = False
        for config in smaller_settings(space.config):
            if config in tried:
                continue
            tried.add(config)
            number += 1
            try:
                smaller = Space(space.statement, config, memory=space.memory)
                if time.monotonic() > until:
                    break
                part = Budget(SHRINKING, min(until, time.monotonic() + SMALLER * seconds))
                hit = search(smaller, jax.random.fold_in(seed, 1000 + number), part, variables)
            except (ValueError, TypeError, IndexError, ZeroDivisionError):
                continue  # a size at which the statement makes no sense
            if hit is not None:
                space, key, variables = hit
                going_on = True
                break
    simple = simpler(space, key, variables, lambda one: _stands(space, key, one))
    return space, key, simple


def _named(config: Any, over: Mapping[str, Range]) -> str:
    return ", ".join(f"{name} = {getattr(config, name):g}" for name in over)


def _setting(
    statement: Statement,
    key: Array,
    config: Any,
    over: Mapping[str, Range],
    budget: Budget,
    level: float,
    memory: int | None,
) -> Falsification:
    """The search for the worst setting, and its confirmation."""
    search_key, fresh = jax.random.split(key)
    found = worst_setting(statement, search_key, fresh, config, over, budget, level, memory)
    return Falsification(
        id=statement.id,
        verdict=found.verdict.verdict if found.verdict.verdict != "consistent" else "inconclusive",
        reason=found.reason,
        setting=found.config,
        confirmed=found.verdict,
        evaluations=budget.spent,
        tested=budget.tested,
    )
