"""Networks Σ_i c_i erf⟨θ_i, x⟩ on Gaussian inputs: population risk and its flow in closed form."""

import math
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray
from theory._validation import check_integer, check_real, takes_arrays
from theory.networks.flow import runge_kutta

Some = TypeVar("Some")  # arrays of NumPy's or of JAX's


def correlation(inner: Some, own: Some, other: Some) -> Some:
    """2⟨u, v⟩/√((1 + 2|u|²)(1 + 2|v|²)), whose arcsine times 2/π is E[erf⟨u, x⟩ erf⟨v, x⟩].

    Args:
      inner: ⟨u, v⟩.
      own, other: |u|² and |v|², broadcastable to it.

    Source:
      C. Williams, Computing with infinite networks (1997), x ~ N(0, I).
    """
    return 2 * inner / ((1 + 2 * own) * (1 + 2 * other)) ** 0.5  # pyright: ignore[reportOperatorIssue]


def slope_in_product(inner: Some, own: Some, other: Some) -> Some:
    """(4/π)/√((1 + 2|u|²)(1 + 2|v|²) − 4⟨u, v⟩²), derivative of that moment in ⟨u, v⟩.

    With S this number, the gradient in u is S·(v − (2⟨u, v⟩/(1 + 2|u|²))u).

    Args:
      inner: ⟨u, v⟩.
      own, other: |u|² and |v|², broadcastable to it.
    """
    both = (1 + 2 * own) * (1 + 2 * other)  # pyright: ignore[reportOperatorIssue]
    return 4 / math.pi / (both - 4 * inner**2) ** 0.5  # pyright: ignore[reportOperatorIssue]


@takes_arrays
def population_risk(
    theta: Float[AnyArray, "m d"], coefficients: Float[AnyArray, " m"]
) -> Float[Array, ""]:
    """E(Σ_i c_i erf⟨θ_i, x⟩)², x ~ N(0, I): of a student less its teacher the squared loss.

    Args:
      theta: (m, d) weights, students and teachers.
      coefficients: (m,) 1/N of each of N students, minus what the teachers have.

    Returns:
      Σ_ij c_ic_j (2/π) arcsin(2⟨θ_i, θ_j⟩/√((1 + 2|θ_i|²)(1 + 2|θ_j|²))).
    """
    theta, coefficients = jnp.asarray(theta), jnp.asarray(coefficients)
    inner = theta @ theta.T
    square = jnp.sum(theta**2, axis=1)
    angles = jnp.arcsin(correlation(inner, square[:, None], square[None, :]))
    return 2 / math.pi * coefficients @ angles @ coefficients


@takes_arrays
def population_flow(
    theta: Float[AnyArray, "m d"],
    teacher: Float[AnyArray, " d"],
    weights: Float[AnyArray, " m"],
    time: float,
    steps: int,
) -> Float[Array, " times"]:
    """Risks along gradient flow of f = Σ_i w_i erf⟨θ_i, x⟩ on E(f − erf⟨θ*, x⟩)², x ~ N(0, I).

    θ_i' = −(1/w_i)∂R/∂θ_i: of N neurons of weight 1/N what N times the gradient is, so that
    times do not depend on N. A neuron of weight 0 moves in the field of the others.

    Args:
      theta: (m, d) initial weights.
      teacher: (d,) θ*.
      weights: (m,) w ≥ 0.
      time: T > 0.
      steps: K ≥ 1 steps of `runge_kutta`.

    Returns:
      (K + 1,) R at the times 0, T/K, …, T.

    Raises:
      ValueError: for a number of steps below 1 or a time that is not positive.

    Source:
      Mei et al. 2019, the descent of Theorem 1 in the limit ε → 0, in which its noise vanishes.
    """
    check_integer("steps", steps)
    check_real("time", time, low=0.0, open_low=True)
    coefficients = jnp.append(weights, -1.0)

    def velocity(moving: Array) -> Array:
        every = jnp.concatenate([moving, teacher[None, :]])
        inner, square = moving @ every.T, jnp.sum(every**2, axis=1)
        own = square[:-1, None]
        pull = coefficients[None, :] * slope_in_product(inner, own, square[None, :])
        back = 2 * jnp.sum(pull * inner, axis=1, keepdims=True) / (1 + 2 * own)
        return -2 * (pull @ every - back * moving)

    def risk(moving: Array) -> Array:
        return population_risk(jnp.concatenate([moving, teacher[None, :]]), coefficients)

    def step(moving: Array, _: None) -> tuple[Array, Array]:
        return runge_kutta(velocity, moving, time / steps), risk(moving)

    end, risks = jax.lax.scan(step, jnp.asarray(theta), None, length=steps)
    return jnp.append(risks, risk(end))
