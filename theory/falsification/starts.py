"""Where searches begin: drawn instances, and degenerate ones made of them."""

import jax
import numpy as np
from jaxtyping import Array

from theory.data.degenerate import DEGENERATE, degenerate
from theory.falsification.candidates import Variables

LARGEST_SCORE = 8.0  # of a normal number that float64 draws


def degenerate_starts(variables: Variables, rng: np.random.Generator) -> Variables:
    """(candidates,) drawn variables, each with one array or all of them made degenerate.

    Args:
      variables: with an axis of candidates in front.
      rng: what chooses; candidate i has the i-th kind of `DEGENERATE`, and over again.
    """
    leaves, structure = jax.tree.flatten(variables)
    changed = [np.array(leaf) for leaf in leaves]
    if not changed:
        return variables
    kinds = list(DEGENERATE)
    for i in range(len(changed[0])):
        kind = kinds[i % len(kinds)]
        chosen = rng.integers(-1, len(changed))  # −1: all
        for j, array in enumerate(changed):
            if chosen in (-1, j) and array[i].size:
                array[i] = degenerate(kind, array[i], rng)
    direct = len(variables.direct)
    kept = changed[:direct] + [np.clip(c, -LARGEST_SCORE, LARGEST_SCORE) for c in changed[direct:]]
    return jax.tree.unflatten(structure, kept)


def rows(variables: Variables, indices: np.ndarray) -> Variables:
    """Some candidates."""
    return jax.tree.map(lambda part: np.asarray(part)[indices], variables)


def joined(parts: list[tuple[Array, Variables]]) -> tuple[Array, Variables]:
    """Keys and variables of several groups of candidates, one after the other."""
    keys = jax.numpy.concatenate([keys for keys, _ in parts])
    both = [variables for _, variables in parts]
    return keys, jax.tree.map(lambda *values: np.concatenate(values), *both)
