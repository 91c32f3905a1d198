"""Evidence about a statement: every condition of it on many draws, or on one instance."""

import functools
from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from theory import parallel, parameters
from theory._types import PyTree, Real
from theory._validation import check_integer, check_memory, shown
from theory.keys import with_generator
from theory.verification import canary
from theory.verification.distinct import fingerprint_on_host
from theory.verification.kinds import ByQuantity, Law
from theory.verification.memory import check_evidence_fits, fitting
from theory.verification.outcomes import premise
from theory.verification.programs import (
    MOST_DRAWS,
    _without_keys,
    arithmetic,
    check_instances,
    compiled,
    drawn_evidence,
    equal_batches,
    evaluate_draws,
    optimization_level,
    pieces,
    quantity_rounding,
    sample_draws,
    split_for_checks,
)
from theory.verification.statement import (
    Statement,
    check_config,
    check_statement,
)
from theory.verification.verdict import Evidence

# Draws on which the rounding of a quantity is estimated: of its mean only the size matters.
LOOKED_AT = 16


@with_generator
def evaluate(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: object = None,
    *,
    batch: int | None = None,
    mesh: Mesh | None = None,
    traced: Collection[str] = (),
    precision: str = "float64",
    start: int = 0,
    memory: int | None = None,
) -> Evidence:
    """Draws instances and checks every condition on each; `verify` judges the result.

    Draw i uses the key fold_in(key, i), so it is the same, to rounding, whatever the number of
    draws and on whatever device. Where a condition does not state its numerical error, the error
    is estimated by `theory.verification.rounding`, from the random key on: sampler and condition
    together.

    Args:
      statement: what to check.
      key: random key.
      draws: number of independent draws, ≥ 1; a statement without randomness is drawn once.
      config: configuration, the statement's default if None.
      batch: most draws evaluated at once on a device, the statement's own if None; it changes
        results by rounding at most.
      mesh: devices that share the draws, along all its axes (`theory.parallel.make_mesh`); it
        changes results by rounding at most. None: one device. If it spans several processes, all
        of them call this with the same arguments, and each solves the draws on its own devices.
      traced: parameters, from `traceable_parameters`, that are arguments of what is compiled:
        configurations that differ in nothing else are compiled once; it changes results by rounding
        at most.
      precision: "float64" or "float32", whatever JAX's own flags say.
      start: number of the first draw.
      memory: bytes that may be used; then no more draws are evaluated at once than fit. With
        several devices only what all draws show is compared with it.

    Returns:
      The `Evidence` of all draws, as numpy arrays, in every process.

    Raises:
      ValueError: for a wrong argument, a key of another generator than `keys.GENERATOR`, where a
        check returns something else than it should, or, with both numbers, for what does not fit
        into the memory.
      MiscompilationError: if the installed compiler computes wrong numbers, see `canary`.
    """
    canary.check(precision)
    check_statement(statement)
    config = statement.config if config is None else config
    check_config(config, statement.config)
    batch = statement.batch if batch is None else check_integer("batch", batch)
    draws = check_integer("draws", draws, high=MOST_DRAWS) if statement.random else 1
    check_memory(memory)
    if not isinstance(mesh, Mesh | None):
        raise ValueError(f"mesh must be one of `theory.parallel.make_mesh`, got {shown(mesh)}")
    with arithmetic(precision):
        if traced:  # values that Python refuses are refused where it sees them
            jax.eval_shape(functools.partial(_before_solving, statement, config), key)
        static = parameters.split(config, traced)
        if memory is not None and mesh is None:
            batch = fitting(statement, static, key, draws, batch, memory).batch
        elif memory is not None:
            check_evidence_fits(statement, static, key, draws, memory)
        in_pieces = _evaluate_drawn if statement.solve is None else _evaluate_solved
        evidence = in_pieces(statement, static, key, draws, batch, mesh, start)
        if isinstance(statement.claim, ByQuantity) and evidence.quantity_error is None:
            found = _rounding_of_quantity(statement, static, key, evidence, start)
            evidence = evidence._replace(quantity_error=found)
    return evidence._replace(  # jit sorts dictionaries by name
        hypotheses={name: evidence.hypotheses[name] for name in statement.hypotheses},
        measured={name: evidence.measured[name] for name in statement.measured},
    )


def _rounding_of_quantity(
    statement: Statement,
    static: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    evidence: Evidence,
    start: int,
) -> np.ndarray:
    """The estimated rounding of the quantity in a few draws, for all of them.

    Its mean, for what is claimed of a mean; of a law, which every draw is a part of, the largest,
    where it is known.
    """
    quantity = np.asarray(evidence.quantity)
    _, fails = premise(evidence.hypotheses.values())
    counted = np.flatnonzero(~np.broadcast_to(fails, len(quantity)))[:LOOKED_AT]
    if not len(counted):
        return np.zeros(quantity.shape)
    run = compiled(quantity_rounding, (0, 1), level=1)
    indices = start + np.resize(counted, LOOKED_AT)  # of one shape: compiled once
    errors = jax.device_get(run(statement, *static, key, indices))
    if isinstance(statement.claim, Law):
        return np.broadcast_to(np.fmax.reduce(errors, axis=0), quantity.shape)
    return np.broadcast_to(errors.mean(axis=0), quantity.shape)


def traceable_parameters(
    statement: Statement, config: object, names: Collection[str]
) -> tuple[str, ...]:
    """Which parameters `evaluate` can take as `traced`, found by trying, see `theory.parameters`.

    Args:
      statement: the statement.
      config: a configuration; the answer may depend on all but the values asked about.
      names: parameters to try.

    Returns:
      Those of the names; the others have to stay constants of what is compiled.
    """

    def function(key: jax.Array, config: object) -> PyTree:
        return _before_solving(statement, config, key)

    return parameters.traceable(function, config, names)


def _before_solving(statement: Statement, config: object, key: jax.Array) -> PyTree:
    """All that depends on the configuration: the instance, and without a solver the evidence."""
    if statement.solve:
        return statement.sample(key, config)
    return drawn_evidence(statement, config, key)


def _evaluate_drawn(
    statement: Statement,
    static: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    draws: int,
    largest: int,
    mesh: Mesh | None,
    first: int,
) -> Evidence:
    """Samples and checks piece by piece, the evidence of one on the devices at a time."""
    run = compiled(evaluate_draws, (0, 1, 4, 5), mesh, optimization_level(statement, draws))
    count, piece = pieces(draws)
    parts = []
    for start in range(0, draws, piece):
        evidence = parallel.gathered(run(statement, *static, key, piece, largest, first + start))
        kept = min(piece, draws - start)  # without padding
        parts.append(jax.tree.map(lambda part: part[:kept], evidence))  # noqa: B023
    return parts[0] if count == 1 else _joined(parts)


def _joined(parts: list[Evidence]) -> Evidence:
    return jax.tree.map(lambda *values: np.concatenate(values), *parts)


def _evaluate_solved(
    statement: Statement,
    config: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    draws: int,
    largest: int,
    mesh: Mesh | None,
    first: int,
) -> Evidence:
    """Samples, solves and checks batch by batch, so that only one is held at a time."""
    level = optimization_level(statement, draws)
    sample = compiled(sample_draws, (0, 1, 5), mesh, level)
    check = compiled(check_instances, (0, 1, 4), mesh, level)

    def solve(instance: PyTree) -> tuple[PyTree, tuple[np.ndarray, np.ndarray | None]]:
        known = fingerprint_on_host(instance), _without_keys(fingerprint_on_host, instance)
        return statement.solved(instance), known

    batches, batch = equal_batches(draws, largest, mesh)
    parts, split = [], None
    for start in range(0, batches * batch, batch):
        sampled = sample(statement, *config, key, first + start, batch)
        solved, known = parallel.map_on_host(mesh, solve, sampled, draws - start)
        identity, others = known if mesh is None else parallel.gathered(known)
        split = split or split_for_checks(statement, *config, solved)
        evidence = parallel.gathered(check(statement, *split, solved))
        parts.append(evidence._replace(identity=identity, beside_keys=others))
    return jax.tree.map(lambda part: part[:draws], _joined(parts))  # without padding


def evaluate_instance(
    statement: Statement,
    instance: PyTree,
    config: object = None,
    *,
    all_estimated: bool = False,
    precision: str = "float64",
) -> Evidence:
    """Checks one instance, wherever it comes from.

    Args:
      statement: what to check; its solver, if any, is not run.
      instance: a pytree of arrays, as the sampler returns it, or the solver where there is one.
      config: the configuration that the conditions see, the statement's default if None.
      all_estimated: whether errors that are stated are replaced by estimates where those are
        larger.
      precision: "float64" or "float32", whatever JAX's own flags say.

    Returns:
      The `Evidence` of one draw, as numpy arrays.
    """
    config = statement.config if config is None else config
    check_config(config, statement.config)
    with arithmetic(precision):
        rows = jax.tree.map(lambda part: jnp.asarray(part)[None], instance)
        check = compiled(check_instances, (0, 1, 4))
        return parallel.gathered(check(statement, config, {}, rows, all_estimated))
