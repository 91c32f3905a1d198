"""Gradient flow by the classical method of Runge and Kutta, of any state."""

from collections.abc import Callable
from typing import TypeVar

import jax
from jaxtyping import Array

from theory._types import Real

State = TypeVar("State")


def runge_kutta(velocity: Callable[[State], State], state: State, step: Real | Array) -> State:
    """One step of u' = velocity(u), with an error of the order step⁵.

    u + (h/6)(k₁ + 2k₂ + 2k₃ + k₄) with k₁ = v(u), k₂ = v(u + hk₁/2), k₃ = v(u + hk₂/2) and
    k₄ = v(u + hk₃).

    Args:
      velocity: state → a tree of the same shapes.
      state: a tree of arrays, of NumPy's or JAX's, which stay what they are.
      step: h.

    Returns:
      The state after time h.
    """

    def moved(k: State, share: float) -> State:
        return jax.tree.map(lambda u, v: u + share * step * v, state, k)

    k1 = velocity(state)
    k2 = velocity(moved(k1, 0.5))
    k3 = velocity(moved(k2, 0.5))
    k4 = velocity(moved(k3, 1.0))
    return jax.tree.map(
        lambda u, a, b, c, d: u + step / 6 * (a + 2 * b + 2 * c + d), state, k1, k2, k3, k4
    )
