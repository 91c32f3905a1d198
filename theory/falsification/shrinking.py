"""A counterexample made small: fewer points, dimensions and neurons, then simpler numbers."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from theory.falsification.candidates import Space, Variables
from theory.falsification.starts import rows
from theory.parameters import number_names

DIGITS = (0, 1, 2, 3, 4, 6, 8)  # after the point, in units of each array's size
SHARES = (0.0, 0.25, 0.5, 0.75, 0.99)  # of an integer, that are tried; the last is one less
STEPS = 40  # each makes the numbers simpler in one way


def smaller_settings(config: Any) -> Iterator[Any]:
    """Configurations with one integer smaller, the boldest first: to its least value, to a quarter.

    Integers that leave their range, or break a rule of the configuration, are left out.
    """
    whole = [name for name in number_names(config) if isinstance(getattr(config, name), int)]
    fields = [field for field in dataclasses.fields(config) if field.name in whole] if whole else []
    for share in SHARES:
        for field in fields:
            value = getattr(config, field.name)
            least = max(1, int(field.metadata.get("low") or 1))
            smaller = least if share == 0 else max(least, int(share * value))
            if smaller < value:
                try:
                    yield dataclasses.replace(config, **{field.name: smaller})
                except ValueError:
                    continue


def simpler(
    space: Space, key: Array, variables: Variables, stands: Callable[[Variables], bool]
) -> Variables:
    """The variables with as many numbers 0, or of few digits, as the counterexample allows.

    Args:
      space: what was searched.
      key: of everything that variables do not say.
      variables: a counterexample.
      stands: whether variables are one, looked at twice.

    Returns:
      A counterexample, too.
    """
    keys = jax.numpy.broadcast_to(key, (space.batch,))
    for _ in range(STEPS):
        found = _one_simpler(space, keys, variables, stands)
        if found is None:
            break
        variables = found
    return variables


def _one_simpler(
    space: Space, keys: Array, variables: Variables, stands: Callable[[Variables], bool]
) -> Variables | None:
    """The first simpler counterexample of those proposed."""
    weight = _weight(variables)
    for proposals in _in_batches(_proposals(variables), space.batch):
        missed = np.asarray(space.found(keys, proposals).miss)
        for i in np.flatnonzero(missed):
            one = jax.tree.map(lambda part: part[i], proposals)  # noqa: B023
            if _weight(one) < weight and stands(one):
                return one
    return None


def _proposals(variables: Variables) -> Iterator[Variables]:
    leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, variables))

    def with_leaf(j: int, leaf: np.ndarray) -> Variables:
        return jax.tree.unflatten(structure, [*leaves[:j], leaf, *leaves[j + 1 :]])

    for digits in DIGITS[:3]:
        yield jax.tree.unflatten(structure, [_rounded(leaf, digits) for leaf in leaves])
    for j, leaf in enumerate(leaves):
        if not leaf.size:
            continue
        yield with_leaf(j, np.zeros_like(leaf))
        for digits in DIGITS:
            yield with_leaf(j, _rounded(leaf, digits))
    for j, leaf in enumerate(leaves):
        if leaf.ndim > 1:
            for i in range(len(leaf)):
                changed = leaf.copy()
                changed[i] = 0
                yield with_leaf(j, changed)
        if leaf.size <= 400:
            for place in np.ndindex(leaf.shape):
                changed = leaf.copy()
                changed[place] = 0
                yield with_leaf(j, changed)


def _rounded(leaf: np.ndarray, digits: int) -> np.ndarray:
    largest = np.max(np.abs(leaf), initial=0)
    if not largest > 0:
        return leaf
    unit = 10.0 ** np.floor(np.log10(largest))
    return np.asarray(np.round(leaf / unit, digits) * unit)


def _weight(variables: Variables) -> int:
    """How much there is to read: digits of all numbers."""
    texts = (f"{v:.12g}" for leaf in jax.tree.leaves(variables) for v in np.ravel(leaf) if v != 0)
    return sum(len(text.strip("-0.")) + 1 for text in texts)


def _in_batches(proposals: Iterator[Variables], batch: int) -> Iterator[Variables]:
    group: list[Variables] = []
    for one in proposals:
        group.append(one)
        if len(group) == batch:
            yield jax.tree.map(lambda *parts: np.stack(parts), *group)
            group = []
    if group:
        stacked = jax.tree.map(lambda *parts: np.stack(parts), *group)
        yield rows(stacked, np.resize(np.arange(len(group)), batch))
