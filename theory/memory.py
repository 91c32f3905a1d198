"""How much memory an evaluation takes, and the batch of draws with which it fits."""

import math
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np

from theory import values
from theory._validation import check_integer
from theory.keys import with_generator
from theory.verification import (
    Statement,
    _batches,
    _check,
    _compiled,
    _evaluate,
    _level,
    _sample,
    arithmetic,
)


@with_generator
def memory_needed(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
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
        return max(_stages(statement, values.split(config, traced), key, draws, batch))


class Fit(NamedTuple):
    """A batch that fits into memory, and the bytes that an evaluation with it needs."""

    batch: int
    memory: int


@with_generator
def largest_batch(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
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
        return _fitted(statement, key, draws, values.split(config, traced), limit)


def _fitted(
    statement: Statement, key: jax.Array, draws: int, static: tuple[Any, Any], limit: int
) -> Fit:
    _, batch = _batches(draws, statement.batch)
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


def gib(size: float) -> str:
    """A number of bytes in words."""
    return f"{size / 2**30:.3g} GiB"


def _stages(
    statement: Statement,
    config: tuple[Any, Any],
    key: jax.Array,
    draws: int,
    batch: int,
    limit: float = math.inf,
) -> Iterator[int]:
    """Bytes that each compiled stage of an evaluation needs, in order; see `bytes_needed`."""
    level = _level(statement, draws)
    if statement.solve is None:
        run = _compiled(_evaluate, (0, 1, 4, 5), level=level)
        yield bytes_needed(run, statement, *config, key, draws, batch, limit=limit)
        return
    sample = _compiled(_sample, (0, 1, 5), level=level)
    check = _compiled(_check, (0, 2), level=level)
    _, batch = _batches(draws, batch)
    yield bytes_needed(sample, statement, *config, key, 0, batch, limit=limit)
    sampled = jax.device_get(sample(statement, *config, key, 0, batch))
    solved = statement.solve(jax.tree.map(lambda part: part[0], sampled))
    yield bytes_needed(check, statement, _stacked([solved] * batch), limit=limit)


def bytes_needed(function: Any, *arguments: Any, limit: float = math.inf) -> int:
    """Bytes of a compiled function; a lower bound where that alone is beyond the limit.

    The bound needs no compiler, which takes minutes over programs that no memory holds.

    Args:
      function: what `jax.jit` returned.
      arguments: those it is called with; called so later, it is not compiled again.
      limit: bytes that may be used.

    Returns:
      The compiler's account of temporary buffers, arguments and outputs, or `largest_array`.

    Raises:
      ValueError: if the backend gives no account of memory.
    """
    traced = function.trace(*arguments)
    if (least := largest_array(traced.jaxpr.jaxpr)) > limit:
        return least
    account = traced.lower().compile().memory_analysis()
    if account is None:
        backend = jax.default_backend()
        raise ValueError(f"memory cannot be estimated: {backend} gives no account of it")
    return (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
    )


# What XLA computes into memory of its own, whatever it fuses around it: random numbers and loops
# hold their whole state, sorting and factorizing need their operand as a whole.
IN_MEMORY = frozenset(
    ("random_bits", "while", "scan", "sort", "cumsum", "cholesky", "eigh", "svd", "qr", "lu")
)


def largest_array(jaxpr: Any) -> int:
    """Bytes of the largest array that a program has to hold, from shapes alone.

    Arrays that the compiler may never write down, being fused into what uses them, are not counted:
    the program needs at least this much memory, and usually a few times as much.

    Args:
      jaxpr: the program, a `jax.extend.core.Jaxpr`.
    """
    largest = max((_size(v.aval) for v in (*jaxpr.invars, *jaxpr.outvars)), default=0)
    for equation in jaxpr.eqns:
        if equation.primitive.name in IN_MEMORY:
            largest = max(largest, *(_size(v.aval) for v in equation.outvars))
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            largest = max(largest, largest_array(inner))
    return largest


def _size(array: Any) -> int:
    if jnp.issubdtype(array.dtype, jax.dtypes.extended):  # keys, of two 32-bit numbers each
        return 8 * math.prod(array.shape)
    return array.dtype.itemsize * math.prod(array.shape)


def _stacked(instances: list[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *instances)
