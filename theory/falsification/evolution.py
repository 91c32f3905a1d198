"""Evolution strategies, for margins without useful derivatives."""

from collections.abc import Iterator

import jax
import numpy as np
from jaxtyping import Array

from theory.falsification.candidates import Found, Space, Variables

LARGEST_FULL = 150  # variables up to which a full covariance is learned
LARGEST = 5000  # variables up to which evolution is tried at all


def evolve(
    space: Space, key: Array, start: Variables, seed: int
) -> Iterator[tuple[Array, Variables, Found]]:
    """Generations of candidates around a start, for ever.

    Source: N. Hansen, The CMA evolution strategy: a tutorial (2016); beyond `LARGEST_FULL`
    variables R. Ros and N. Hansen's separable form (2008).

    Args:
      space: what is searched.
      key: of everything that variables do not say.
      start: one candidate.
      seed: of the strategy.

    Yields:
      Keys, (space.batch,) candidates and how near they are; nothing for more than `LARGEST`
      variables, or none.
    """
    import cmaes  # slow to import

    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, start))
    sizes = [leaf.size for leaf in leaves]
    if not 0 < sum(sizes) <= LARGEST:
        return
    units = np.concatenate([
        np.full(leaf.size, np.sqrt(np.mean(leaf**2)) + 1e-3) for leaf in leaves if leaf.size
    ])  # fmt: skip
    mean = np.concatenate([leaf.ravel() for leaf in leaves]) / units
    kind = cmaes.CMA if len(mean) <= LARGEST_FULL else cmaes.SepCMA
    strategy = kind(mean, 0.5, seed=seed, population_size=space.batch)
    keys = jax.numpy.broadcast_to(key, (space.batch,))
    while not strategy.should_stop():
        asked = np.stack([strategy.ask() for _ in range(space.batch)])
        parts = np.split(asked * units, np.cumsum(sizes)[:-1], axis=1)
        shaped = [p.reshape(-1, *leaf.shape) for p, leaf in zip(parts, leaves, strict=True)]
        candidates = jax.tree.unflatten(structure, shaped)
        found = space.found(keys, candidates)
        yield keys, candidates, found
        objective = np.asarray(found.objective)
        objective = np.where(np.isfinite(objective), objective, 1e300)
        strategy.tell(list(zip(asked, objective, strict=True)))
