"""How much memory an evaluation takes, and the batch of draws with which it fits."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.extend.core
import numpy as np

from theory import parameters
from theory._types import PyTree, Real
from theory._validation import check_integer
from theory.compilation import bytes_needed, gib
from theory.keys import with_generator
from theory.verification.evaluation import arithmetic
from theory.verification.programs import (
    check_instances,
    compiled,
    equal_batches,
    evaluate_draws,
    optimization_level,
    sample_draws,
    split_for_checks,
)
from theory.verification.statement import Statement


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


class Fit(NamedTuple):
    """A batch that fits into memory, and the bytes that an evaluation with it needs."""

    batch: int
    memory: int


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
      ValueError: if not even one draw at a time fits, with both numbers.
    """
    check_integer("limit", limit)
    config = statement.config if config is None else config
    with arithmetic(precision):
        return _fitted(statement, key, draws, parameters.split(config, traced), limit)


def _fitted(
    statement: Statement,
    key: jax.Array,
    draws: int,
    static: tuple[object, Mapping[str, Real]],
    limit: int,
) -> Fit:
    _, batch = equal_batches(draws, statement.batch)
    while True:
        needed = 0
        for stage in _stages(statement, static, key, draws, batch, limit):
            needed = max(needed, stage)
            if needed > limit:  # before the next stage, which would run this one
                break
        else:
            return Fit(batch, needed)
        if batch == 1:
            raise ValueError(
                f"{statement.id} needs at least {gib(needed)} of memory with one draw at a time, "
                f"and {gib(limit)} may be used"
            )
        batch = max(1, min(batch - 1, batch * limit // needed))


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
        run = compiled(evaluate_draws, (0, 1, 4, 5), level=level)
        yield bytes_needed(run, statement, *config, key, draws, batch, limit=limit)
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
