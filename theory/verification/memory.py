"""How much memory an evaluation takes, and the batch of draws with which it fits."""

import math
from collections.abc import Collection, Iterator, Mapping

import jax
import numpy as np

from theory import parameters
from theory._types import PyTree, Real
from theory._validation import check_integer
from theory.compilation import Fit, bytes_needed, check_fits, largest_fit
from theory.keys import with_generator
from theory.verification.programs import (
    arithmetic,
    check_instances,
    compiled,
    drawn_evidence,
    equal_batches,
    evaluate_draws,
    optimization_level,
    pieces,
    sample_draws,
    split_for_checks,
)
from theory.verification.statement import Statement

# What judging holds at once: the evidence in pieces and as a whole, outcomes, and fingerprints in
# order. Measured over 2·10⁶ draws: 2.4 to 3.2 times the evidence.
COPIES = 3.2


@with_generator
def memory_needed(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: object = None,
    *,
    batch: int | None = None,
    traced: Collection[str] = (),
    precision: str = "float64",
) -> int:
    """Bytes of device memory that `evaluate` takes with the same arguments.

    The compiler's own account: temporary buffers, arguments and outputs, the larger of the two
    stages where a statement solves on the host between them (what the solver takes is not known).
    `evaluate` then runs what was compiled here; nothing is compiled twice.

    Args:
      statement, key, draws, config, batch, traced, precision: as for `evaluate`.

    Returns:
      The number of bytes.
    """
    config = statement.config if config is None else config
    batch = statement.batch if batch is None else check_integer("batch", batch)
    with arithmetic(precision):
        return max(_stages(statement, parameters.split(config, traced), key, draws, batch))


@with_generator
def largest_batch(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: object = None,
    *,
    limit: int,
    traced: Collection[str] = (),
    precision: str = "float64",
) -> Fit:
    """The most draws at once, up to `statement.batch`, whose evaluation fits into memory.

    Compiles for the largest batch. If that needs more than the limit, the batch is scaled down in
    proportion and compiled again, until it fits. Batches that cannot fit by the shapes of their
    arrays alone are not compiled.

    Args:
      statement, key, draws, config, traced, precision: as for `evaluate`.
      limit: bytes that may be used, ≥ 1.

    Returns:
      The `Fit`.

    Raises:
      ValueError: if not even one draw at a time fits, or what is known of all draws does not, with
        both numbers.
    """
    check_integer("limit", limit)
    config = statement.config if config is None else config
    with arithmetic(precision):
        return fitting(
            statement, parameters.split(config, traced), key, draws, statement.batch, limit
        )


def fitting(
    statement: Statement,
    static: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    draws: int,
    most: int,
    limit: int,
) -> Fit:
    """The same for a configuration that is split, and another batch at most."""
    check_evidence_fits(statement, static, key, draws, limit)

    def needed(batch: int) -> int:
        largest = 0
        for stage in _stages(statement, static, key, draws, batch, limit):
            largest = max(largest, stage)
            if largest > limit:  # before the next stage, which would run this one
                break
        return largest

    _, batch = equal_batches(draws, most)
    return largest_fit(statement.id, batch, limit, needed, "with one draw at a time")


def check_evidence_fits(
    statement: Statement,
    static: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    draws: int,
    limit: float,
) -> None:
    """ValueError unless the evidence of all draws, on which the verdict is judged, fits."""
    if pieces(draws)[0] == 1:  # a few megabytes
        return
    if statement.solve is None:
        evidence = jax.eval_shape(
            lambda key: drawn_evidence(statement, parameters.filled(*static), key), key
        )
        each = sum(part.size * part.dtype.itemsize for part in jax.tree.leaves(evidence))
    else:  # value, error and ratio of every condition, and a fingerprint
        each = 8 + 24 * len([*statement.hypotheses, *statement.measured])
    check_fits(statement.id, COPIES * draws * each, limit, f"for what {draws} draws show")


def _stages(
    statement: Statement,
    config: tuple[object, Mapping[str, Real]],
    key: jax.Array,
    draws: int,
    batch: int,
    limit: float = math.inf,
) -> Iterator[int]:
    """Bytes that each compiled stage of an evaluation needs, in order; see `bytes_needed`."""
    level = optimization_level(statement, draws)
    if statement.solve is None:
        _, piece = pieces(draws)
        run = compiled(evaluate_draws, (0, 1, 4, 5), level=level)
        yield bytes_needed(run, statement, *config, key, piece, batch, 0, limit=limit)
        return
    sample = compiled(sample_draws, (0, 1, 5), level=level)
    check = compiled(check_instances, (0, 1, 4), level=level)
    _, batch = equal_batches(draws, batch)
    yield bytes_needed(sample, statement, *config, key, 0, batch, limit=limit)
    sampled = jax.device_get(sample(statement, *config, key, 0, batch))
    solved = statement.solved(jax.tree.map(lambda part: part[0], sampled))
    rows = _stacked([solved] * batch)
    split = split_for_checks(statement, *config, rows)
    yield bytes_needed(check, statement, *split, rows, limit=limit)


def _stacked(instances: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *parts: np.stack(parts), *instances)
