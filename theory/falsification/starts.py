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


def cropped(
    variables: Variables, shapes: Variables, count: int, rng: np.random.Generator
) -> Variables | None:
    """Parts of one candidate as candidates for a smaller setting.

    Args:
      variables: one candidate.
      shapes: of one in the smaller setting.
      count: how many parts.
      rng: what chooses them; axes of one length lose the same places.

    Returns:
      (count, …) candidates; None where the smaller ones are no parts.
    """
    large, structure = jax.tree.flatten(jax.tree.map(np.asarray, variables))
    small = [leaf.shape for leaf in jax.tree.leaves(shapes)]
    pairs = list(zip(large, small, strict=False))
    fits = all(
        leaf.ndim == len(shape) and all(s <= n for s, n in zip(shape, leaf.shape, strict=True))
        for leaf, shape in pairs
    )
    if len(large) != len(small) or not fits or not large:
        return None
    found = []
    for _ in range(count):
        kept: dict[tuple[int, int], np.ndarray] = {}
        parts = []
        for leaf, shape in pairs:
            part = leaf
            for axis, sizes in enumerate(zip(leaf.shape, shape, strict=True)):
                if sizes not in kept:
                    kept[sizes] = np.sort(rng.permutation(sizes[0])[: sizes[1]])
                part = np.take(part, kept[sizes], axis=axis)
            parts.append(part)
        found.append(jax.tree.unflatten(structure, parts))
    return jax.tree.map(lambda *values: np.stack(values), *found)


def rows(variables: Variables, indices: np.ndarray) -> Variables:
    """Some candidates."""
    return jax.tree.map(lambda part: np.asarray(part)[indices], variables)


def joined(parts: list[tuple[Array, Variables]]) -> tuple[Array, Variables]:
    """Keys and variables of several groups of candidates, one after the other."""
    keys = jax.numpy.concatenate([keys for keys, _ in parts])
    both = [variables for _, variables in parts]
    return keys, jax.tree.map(lambda *values: np.concatenate(values), *both)
