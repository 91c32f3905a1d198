"""How much memory an evaluation takes, and the batch of draws with which it fits."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from theory import values
from theory._validation import check_integer
from theory.keys import with_generator
from theory.verification import Statement, _batches, _check, _compiled, _evaluate, _sample


@with_generator
def memory_needed(
    statement: Statement,
    key: jax.Array,
    draws: int,
    config: Any = None,
    *,
    batch: int | None = None,
    traced: Collection[str] = (),
) -> int:
    """Bytes of device memory that `evaluate` takes with the same arguments.

    The compiler's own account: temporary buffers, arguments and outputs, the larger of the two
    stages where a statement solves on the host between them (what the solver takes is not known).
    `evaluate` then runs what was compiled here; nothing is compiled twice.

    Args:
      statement, key, draws, config, batch, traced: as for `evaluate`.

    Returns:
      The number of bytes.
    """
    config = statement.config if config is None else config
    batch = statement.batch if batch is None else check_integer("batch", batch)
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
) -> Fit:
    """The most draws at once, up to `statement.batch`, whose evaluation fits into memory.

    Compiles for the largest batch. If that needs more than the limit, the batch is scaled down in
    proportion and compiled again, until it fits.

    Args:
      statement, key, draws, config, traced: as for `evaluate`.
      limit: bytes that may be used, ≥ 1.

    Returns:
      The `Fit`.

    Raises:
      ValueError: if not even one draw at a time fits, with both numbers.
    """
    check_integer("limit", limit)
    config = statement.config if config is None else config
    _, batch = _batches(draws, statement.batch)
    while True:
        needed = 0
        for stage in _stages(statement, values.split(config, traced), key, draws, batch):
            needed = max(needed, stage)
            if needed > limit:  # before the next stage, which would run this one
                break
        else:
            return Fit(batch, needed)
        if batch == 1:
            raise ValueError(
                f"limit must be at least the {_gib(needed)} that {statement.id} needs with one "
                f"draw at a time, got {_gib(limit)}"
            )
        batch = max(1, min(batch - 1, batch * limit // needed))


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _stages(
    statement: Statement, config: tuple[Any, Any], key: jax.Array, draws: int, batch: int
) -> Iterator[int]:
    """Bytes that each compiled stage of an evaluation needs, in order."""
    if statement.solve is None:
        yield _bytes(_compiled(_evaluate, (0, 1, 4, 5)), statement, *config, key, draws, batch)
        return
    sample, check = _compiled(_sample, (0, 1, 5)), _compiled(_check, (0,))
    _, batch = _batches(draws, batch)
    yield _bytes(sample, statement, *config, key, 0, batch)
    sampled = jax.device_get(sample(statement, *config, key, 0, batch))
    solved = statement.solve(jax.tree.map(lambda part: part[0], sampled))
    yield _bytes(check, statement, _stacked([solved] * batch))


def _bytes(function: Any, *arguments: Any) -> int:
    account = function.lower(*arguments).compile().memory_analysis()
    if account is None:
        backend = jax.default_backend()
        raise ValueError(f"memory cannot be estimated: {backend} gives no account of it")
    return (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
    )


def _stacked(instances: list[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *instances)
