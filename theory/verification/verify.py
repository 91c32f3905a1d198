"""The functions that check any statement over many independent draws."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from theory._validation import check_integer, check_level, check_memory
from theory.verification.evaluation import evaluate, evaluate_instance
from theory.verification.judging import judge
from theory.verification.kinds import ByOutcome, Deterministic
from theory.verification.memory import COPIES, largest_batch
from theory.verification.outcomes import Outcome, outcome
from theory.verification.programs import (
    arithmetic,
    compiled,
    drawn_evidence,
)
from theory.verification.statement import (
    Statement,
    check_claims,
    check_statement,
)
from theory.verification.verdict import Evidence, Verdict


class Examined(NamedTuple):
    """A verdict, and the evidence on which it was reached: every condition in every draw."""

    verdict: Verdict
    evidence: Evidence


def verify(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int | None = None,
    config: object = None,
    level: float = 0.01,
    batch: int | None = None,
    mesh: Mesh | None = None,
    precision: str = "float64",
    memory: int | None = None,
) -> Verdict:
    """Checks a statement over independent draws.

    Args:
      statement: what to check.
      key: random key, `theory.keys.make_key(seed)`.
      draws: number of draws, fixed before looking; default the statement's own for "quick".
      config: configuration of the sampler; default the statement's own.
      level: false-alarm rate: a true statement is called refuted with at most this probability
        (for unbounded means and rates up to the accuracy of their limit theorems). Divide it by
        the number of statements checked together.
      batch, mesh: most draws at once, and devices that share the draws, as for `evaluate`.
      precision: "float64" or "float32", whatever JAX's own flags say.
      memory: bytes that may be used, as for `evaluate`.

    Returns:
      The `Verdict`. A counterexample of a deterministic statement is looked at twice, in disturbed
      arithmetic too (`theory.verification.rounding`), before it is called one.

    Raises:
      ValueError: if draws < 1, level is not in [10⁻¹², 1), a check does not return one margin,
        or the memory does not suffice.

    Example:
      >>> verify(REGISTRY["lazy.movement"], key=jax.random.key(0), draws=20).verdict
      'consistent'
    """
    return examine(
        statement, key=key, draws=draws, config=config, level=level, batch=batch, mesh=mesh,
        precision=precision, memory=memory,
    ).verdict  # fmt: skip


def examine(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int | None = None,
    config: object = None,
    level: float = 0.01,
    batch: int | None = None,
    mesh: Mesh | None = None,
    precision: str = "float64",
    memory: int | None = None,
) -> Examined:
    """As `verify`, whose arguments it takes, with what was measured in every draw."""
    check_statement(statement)
    draws = check_integer("draws", statement.draws["quick"] if draws is None else draws)
    check_level(level)
    config = statement.config if config is None else config
    check_claims(statement, config)
    evidence = evaluate(
        statement, key, draws, config, batch=batch, mesh=mesh, precision=precision, memory=memory
    )
    verdict = assess(statement, evidence, config=config, level=level)
    return _confirmed(statement, config, key, Examined(verdict, evidence), precision)


def verify_until(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int,
    config: object = None,
    level: float = 0.01,
    stage: int = 64,
    mesh: Mesh | None = None,
    precision: str = "float64",
    memory: int | None = None,
) -> Verdict:
    """Draws until the statement is decided, at a level that holds whenever one stops.

    Whenever there are an eighth more draws, all so far are judged by confidence sequences and
    e-values (`theory.verification.statistics.sequences`). Extending a run of `verify` until it
    refutes would refute true statements more often than its level says; this does not. The draws
    are those of `verify`. They end when the statement is refuted, or when the interval of a mean
    has reached its resolution.

    Args:
      statement: a deterministic or probabilistic one, or one about a mean with declared bounds.
      key, config, level, mesh, precision, memory: as for `verify`.
      draws: most draws that are made; fewer if the memory holds no more, which the reason says.
      stage: draws that are made at a time, ≥ 1.

    Returns:
      The `Verdict`, with `anytime` set and the number of draws that were made.

    Raises:
      ValueError: as `verify` does, and for quantities without bounds.
    """
    return examine_until(
        statement, key=key, draws=draws, config=config, level=level, stage=stage, mesh=mesh,
        precision=precision, memory=memory,
    ).verdict  # fmt: skip


def examine_until(
    statement: Statement,
    *,
    key: jax.Array,
    draws: int,
    config: object = None,
    level: float = 0.01,
    stage: int = 64,
    mesh: Mesh | None = None,
    precision: str = "float64",
    memory: int | None = None,
) -> Examined:
    """As `verify_until`, whose arguments it takes, with what was measured in every draw."""
    check_statement(statement)
    draws, stage = check_integer("draws", draws), check_integer("stage", stage)
    check_level(level)
    config = statement.config if config is None else config
    check_claims(statement, config)
    outcomes = isinstance(statement.claim, ByOutcome)
    final = ("refuted",) if outcomes else ("refuted", "consistent")
    check_memory(memory)
    batch = None
    if memory is not None and mesh is None:
        first = min(stage, draws)
        fit = largest_batch(statement, key, first, config, limit=memory, precision=precision)
        batch = fit.batch

    def drawn(start: int) -> Evidence:
        count = min(stage, draws)  # one program for all stages
        found = evaluate(
            statement, key, count, config, batch=batch, mesh=mesh, precision=precision, start=start
        )
        return jax.tree.map(lambda part: part[: draws - start], found)

    verdict = evidence = None
    for evidence, ends in _looks(drawn, draws if statement.random else 1, memory):
        verdict = assess(statement, evidence, config=config, level=level, anytime=True)
        if verdict.verdict in final:
            break
        if ends:
            verdict = dataclasses.replace(verdict, reason=f"{verdict.reason}; {ends}")
    assert verdict is not None  # of one draw at least
    assert evidence is not None
    return _confirmed(statement, config, key, Examined(verdict, evidence), precision)


def _looks(
    drawn: Callable[[int], Evidence], draws: int, memory: int | None
) -> Iterator[tuple[Evidence, str]]:
    """All draws so far, whenever there are an eighth more than at the look before.

    So that K draws are judged at a cost of the order K: at each stage it would be K².

    Args:
      drawn: number of the first → the draws of one stage.
      draws: how many there are at most.
      memory: bytes that may be used.

    Yields:
      The `Evidence`, and why there is no more of it, "" before the last and where all were drawn.
    """
    parts: list[Evidence] = []
    made = judged = held = 0
    while made < draws:
        parts.append(drawn(made))
        size = len(jax.tree.leaves(parts[-1])[0])
        made += size
        held += sum(part.nbytes for part in jax.tree.leaves(parts[-1]))
        full = made < draws and memory is not None and COPIES * held * (1 + size / made) > memory
        if full or made == draws or made >= judged + judged // 8:
            judged = made
            parts = [jax.tree.map(lambda *values: np.concatenate(values), *parts)]
            yield parts[0], f"the memory holds no more than {made} draws" if full else ""
        if full:
            break


def assess(
    statement: Statement,
    evidence: Evidence,
    *,
    config: object = None,
    level: float = 0.01,
    anytime: bool = False,
) -> Verdict:
    """The verdict on a statement from evidence that `evaluate` collected.

    Args:
      statement: what was checked.
      evidence: of all draws.
      config: configuration that they were drawn with, the statement's default if None.
      level: false-alarm rate, as for `verify`.
      anytime: whether the level must hold although the number of draws was chosen by looking at
        them, as for `verify_until`.

    Returns:
      The `Verdict`.
    """
    config = statement.config if config is None else config
    check_level(level)
    return judge(
        statement.id,
        statement.claim,
        evidence,
        stages=statement.looks_at,
        first=statement.first,
        config=config,
        level=level,
        random=statement.random,
        anytime=anytime,
    )


def _confirmed(
    statement: Statement, config: object, key: jax.Array, found: Examined, precision: str
) -> Examined:
    """The same, but for counterexamples of a deterministic statement that do not stand."""
    verdict, evidence = found
    if isinstance(statement.claim, Deterministic) and verdict.verdict == "refuted":
        again = _looked_at_twice(statement, config, key, evidence, verdict, precision)
        return Examined(again, evidence)
    return found


SECOND_LOOKS = 5  # counterexamples that are looked at twice; one that stands is enough


def _looked_at_twice(
    statement: Statement,
    config: object,
    key: jax.Array,
    evidence: Evidence,
    verdict: Verdict,
    precision: str,
) -> Verdict:
    """The verdict with the counterexamples evaluated again, in disturbed arithmetic too.

    With errors that are the larger of stated and estimated one, one of them must still be one.
    """
    draws = verdict.draws
    assert evidence.conclusion is not None
    found = np.broadcast_to(outcome(evidence.hypotheses.values(), evidence.conclusion), draws)
    misses = np.flatnonzero(found == Outcome.MISS)[:SECOND_LOOKS]
    for index in map(int, misses):
        again = _second_look(statement, config, key, index, precision)
        assert again.conclusion is not None
        kind = np.ravel(outcome(again.hypotheses.values(), again.conclusion))[0]
        if int(kind) == Outcome.MISS:
            how = "with half of the digits and with perturbed roundings, too"
            return dataclasses.replace(
                verdict, reason=f"{verdict.reason}; draw {index} fails {how}"
            )
    first = int(misses[0])
    reason = f"the counterexample of draw {first} vanishes in disturbed arithmetic"
    return dataclasses.replace(verdict, verdict="inconclusive", reason=reason)


def _second_look(
    statement: Statement, config: object, key: jax.Array, index: int, precision: str
) -> Evidence:
    """One draw again, every error the larger of what is stated and what is estimated."""
    with arithmetic(precision):
        if statement.solve is None:
            again = compiled(_drawn_again, (0, 1))
            return jax.device_get(again(statement, config, key, index))
        sampled = jax.device_get(statement.sample(jax.random.fold_in(key, index), config))
        solved = statement.solved(sampled)
    return evaluate_instance(statement, solved, config, all_estimated=True, precision=precision)


def _drawn_again(
    statement: Statement, config: object, key: jax.Array, index: jax.Array, *, mesh: Mesh | None
) -> Evidence:
    evidence = drawn_evidence(statement, config, jax.random.fold_in(key, index), all_estimated=True)
    return jax.tree.map(lambda part: part[None], evidence)
