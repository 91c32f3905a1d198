"""Training the readout alone: ascent on the smoothed margin, with steps that grow with the norm."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray
from theory._validation import check_integer, takes_arrays

LARGEST = 1e100  # sharpness beyond which the softmax is the minimum in any precision


class Ascent(NamedTuple):
    """What t steps leave.

    best: max_{s<t} min_i z_iᵀa(s)/β(s).  inverses: Σ_{s<t} 1/β(s).  log_norm: log β(t).
    end: (m,) √m·a(t)/β(t), of norm 1 at most.
    """

    best: Float[Array, ""]
    inverses: Float[Array, ""]
    log_norm: Float[Array, ""]
    end: Float[Array, " m"]


@takes_arrays
def normalized_ascent(z: Float[AnyArray, "n m"], steps: int) -> Ascent:
    """r ← r + ηm∇F(r) on F(r) = −log((1/n)Σ_i exp(−(1/m)Σ_j z_ij r_j)), r(0) = 0.

    a = r/m, β(t) = max{1, max_{s≤t} √m‖a(s)‖₂} and η(t) = β(t)√2/(‖z‖_∞√(t + 1)). In ū = √m·a/β
    a step adds √2/(‖z‖_∞√(t + 1)) Σ_i p_i z_i/√m, p ∝ exp(−z_iᵀa), and what leaves the unit ball is
    put back on it: β, which grows like exp(√t), is kept as its logarithm.

    Args:
      z: (n, m) y_iσ(b_j + x_iᵀc_j), not all 0.
      steps: t ≥ 1.

    Returns:
      The `Ascent`.

    Raises:
      ValueError: for a number of steps below 1.

    Source:
      Chizat and Bach 2020, Proposition 7.
    """
    check_integer("steps", steps)
    features = z / math.sqrt(z.shape[1])
    largest = jnp.max(jnp.abs(z))
    pace = math.sqrt(2) / jnp.where(largest > 0, largest, 1)

    def step(s: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        u, log_norm, best, inverses = state
        margins = features @ u
        least = jnp.min(margins)
        sharpness = jnp.exp(jnp.minimum(log_norm, _log_largest(u)))
        p = jax.nn.softmax(-sharpness * (margins - least))
        moved = u + pace / jnp.sqrt(s + 1.0).astype(u.dtype) * (p @ features)
        size = jnp.sqrt(jnp.sum(moved**2))
        outside = jnp.maximum(size, 1)
        return (
            moved / outside,
            log_norm + jnp.log(outside),
            jnp.maximum(best, least),
            inverses + jnp.exp(-log_norm),
        )

    zero = jnp.zeros((), features.dtype)
    start = (jnp.zeros_like(features[0]), zero, zero - jnp.inf, zero)
    u, log_norm, best, inverses = jax.lax.fori_loop(0, steps, step, start)
    return Ascent(best, inverses, log_norm, u)


def _log_largest(like: Array) -> float:
    """In single precision 1e100 is no number."""
    return math.log(min(LARGEST, float(jnp.finfo(like.dtype).max) ** 0.5))
