"""Gradient steps through the margins, many candidates at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from theory.falsification.candidates import Found, Space, Variables

STEPS = 60  # in one program
RATES = (0.003, 0.5)  # of the candidates, spread evenly on a logarithmic scale
WEIGHT = 10.0  # of what hypotheses lack, in medians, against the conclusion's


class Descended(NamedTuple):
    """The nearest that each candidate came, and how near.  variables: (candidates, …)."""

    variables: Variables
    found: Found


def descend(space: Space, keys: Array, variables: Variables) -> Descended:
    """Adam on the conclusion's margin plus a penalty for what hypotheses lack.

    Args:
      space: what is searched; `space.scales` are known and `space.smooth` is true.
      keys, variables: (space.batch,) candidates.

    Returns:
      Of each candidate the nearest of its path, the start included.
    """
    space.evaluations += STEPS * len(keys)
    if not hasattr(space, "descent"):
        space.descent = space.compiled(jax.vmap(_path(space), (0, 0, 0, None)))  # pyright: ignore
    rates = np.geomspace(*RATES, len(keys))
    return space.descent(keys, variables, rates, space.scales)  # pyright: ignore


def _path(space: Space) -> Any:
    adam = optax.scale_by_adam(b1=0.8, b2=0.95)

    def loss(variables: Variables, key: Array, scales: Array) -> tuple[Array, Found]:
        found = space.judged(key, variables, scales)
        return found.margin + WEIGHT * found.violated, found

    slope = jax.grad(loss, has_aux=True)

    def path(key: Array, start: Variables, rate: Float[Array, ""], scales: Array) -> Descended:
        sizes = jax.tree.map(lambda v: jnp.sqrt(jnp.mean(v**2)) + 1e-3, start)

        def step(state: Any, _: None) -> tuple[Any, None]:
            variables, memory, best = state
            gradient, found = slope(variables, key, scales)
            best = _nearer(best, Descended(variables, found))
            # In units of each array's size, so that one rate serves points of any norm.
            gradient = jax.tree.map(lambda g, s: jnp.nan_to_num(g * s), gradient, sizes)
            with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
                update, memory = adam.update(gradient, memory)
            variables = jax.tree.map(lambda v, u, s: v - rate * s * u, variables, update, sizes)
            return (variables, memory, best), None

        first = Descended(start, space.judged(key, start, scales))
        state = (start, adam.init(start), first)
        (last, _, best), _ = jax.lax.scan(step, state, length=STEPS)
        return _nearer(best, Descended(last, space.judged(key, last, scales)))

    return path


def _nearer(one: Descended, other: Descended) -> Descended:
    better = other.found.miss & ~one.found.miss
    better |= (other.found.miss == one.found.miss) & (other.found.objective < one.found.objective)
    return jax.tree.map(lambda a, b: jnp.where(better, b, a), one, other)
