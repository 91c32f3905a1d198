"""Networks α·h and their linearization in the initial weights, trained side by side."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import check_integer, check_real, takes_arrays
from theory.networks.flow import runge_kutta


class Pair(NamedTuple):
    """theta: (m, d) weights.  linear: (n,) outputs of the linearized network."""

    theta: Float[Array, "m d"]
    linear: Float[Array, " n"]


class Outputs(NamedTuple):
    """(K + 1, n) outputs at the times 0, T/K, …, T, of the network and of its linearization."""

    network: Float[Array, "times n"]
    linear: Float[Array, "times n"]


@takes_arrays
def train_beside_linearization(
    theta: Float[AnyArray, "m d"],
    signs: Float[AnyArray, " m"],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    scale: Real | Array,
    time: Real | Array,
    steps: int,
) -> Outputs:
    """Gradient flow of f = α(h − h₀), h = (1/m)Σ_i a_i tanh⟨θ_i, x⟩, and of its linearization.

    θ' = −(m/α²)∇(1/2n)‖f − y‖² moves outputs by −(1/n)K(f − y), K = mJJᵀ of h at the weights: the
    linearized network, f̄' = −(1/n)K₀(f̄ − y), does not depend on α. h₀ is h of the initial weights,
    so that both start at 0.

    Args:
      theta: (m, d) initial weights.
      signs: (m,) a.
      x, y: (n, d) points and (n,) labels.
      scale: α > 0.
      time: T > 0.
      steps: K ≥ 1 steps of `runge_kutta`.

    Returns:
      The `Outputs`.

    Raises:
      ValueError: for a number of steps below 1, or a time or scale that is not positive.

    Source:
      Chizat et al. 2019, with h − h₀ for h; Mei et al. 2019, Theorem 8.
    """
    check_integer("steps", steps)
    check_real("time", time, low=0.0, open_low=True)
    check_real("scale", scale, low=0.0, open_low=True)
    theta, signs, x, y = (jnp.asarray(part) for part in (theta, signs, x, y))
    m, n = len(theta), len(x)

    start = jnp.tanh(theta @ x.T)
    first = signs[:, None] * (1 - start**2)
    kernel = (first.T @ first) * (x @ x.T) / m

    def output(features: Array) -> Array:
        return scale / m * signs @ (features - start)

    def velocity(now: Pair) -> Pair:
        features = jnp.tanh(now.theta @ x.T)
        residual = output(features) - y
        back = signs[:, None] * (1 - features**2) * residual[None, :]
        return Pair(-(back @ x) / (n * scale), -kernel @ (now.linear - y) / n)

    def step(now: Pair, _: None) -> tuple[Pair, Outputs]:
        moved = runge_kutta(velocity, now, time / steps)
        return moved, Outputs(output(jnp.tanh(moved.theta @ x.T)), moved.linear)

    _, path = jax.lax.scan(step, Pair(theta, jnp.zeros_like(y)), None, length=steps)
    return Outputs(*(jnp.concatenate([jnp.zeros_like(y)[None], part]) for part in path))
