"""Adversarial perturbations: one gradient step, and those that a theorem predicts."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import check_choice, check_labels, check_points, check_real
from theory.networks import Params, input_gradients, outputs

NORMS = ("l0", "l2", "linf")


def gradient_noise(
    params: Params, x: Float[Array, "n d"], y: Float[Array, " n"], slope: float
) -> Float[Array, "n d"]:
    """r_k = −(1 − s(y_k f(x_k))) y_k ∇f(x_k), one gradient step on −log s(y f(x)), s the sigmoid.

    Args:
      params: network weights.
      x: (n, d) points.
      y: (n,) labels ±1.
      slope: γ.

    Returns:
      (n, d) noises. 1 − s underflows for confident networks: decide signs with y_k∇f(x_k).

    Raises:
      ValueError: if x or y is malformed.

    Source:
      Z23 section 3.
    """
    check_points("x", x, d=params.w.shape[1])
    check_labels("y", y, len(x))
    doubt = jax.nn.sigmoid(-y * outputs(params, x, slope))
    return -(doubt * y)[:, None] * input_gradients(params, x, slope)


def gradient_perturbations(
    params: Params,
    x: Float[Array, "n d"],
    target: Float[Array, " n"],
    epsilon: float,
    slope: float,
) -> Float[Array, "n d"]:
    """r_k = ε y'_k ∇f(x_k)/‖∇f(x_k)‖, towards the target labels y'.

    Args:
      params: network weights.
      x: (n, d) points.
      target: (n,) labels y' = ±1.
      epsilon: size ε > 0, in units of x.
      slope: γ.

    Returns:
      (n, d) perturbations of norm ε (zero where the gradient is zero).

    Raises:
      ValueError: if x, target or epsilon is malformed.

    Source:
      K24b.
    """
    check_points("x", x, d=params.w.shape[1])
    check_labels("target", target, len(x))
    check_real("epsilon", epsilon, low=0, open_low=True)
    return epsilon * target[:, None] * unit_rows(input_gradients(params, x, slope))


def unit_rows(v: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Every row scaled to norm 1; rows that are zero stay zero."""
    norms = jnp.linalg.norm(v, axis=1, keepdims=True)
    return v / jnp.where(norms > 0, norms, 1)


def geometry_inspired(
    q: Float[Array, " d"],
    target: Float[Array, " n"],
    epsilon: float,
    norm: str = "l2",
    fraction: float = 0.05,
) -> Float[Array, "n d"]:
    """ε y'_k v(q): v = q/‖q‖ (ℓ₂), sgn q (ℓ∞), or sgn q on the largest |q| coordinates only (ℓ₀).

    Args:
      q: (d,) Σ_k λ_k y_k x_k, normal of the limiting decision boundary.
      target: (n,) labels y' = ±1.
      epsilon: size ε > 0, in units of x.
      norm: "l0", "l2" or "linf".
      fraction: share of the coordinates that ℓ₀ may change, in (0, 1]; ⌈fraction·d⌉ of them.

    Returns:
      (n, d) perturbations.

    Raises:
      ValueError: if an argument is malformed.

    Source:
      K24a section 4.
    """
    check_points("q", q[None, :])
    check_labels("target", target, len(target))
    check_real("epsilon", epsilon, low=0, open_low=True)
    check_real("fraction", fraction, low=0, high=1, open_low=True)
    check_choice("norm", norm, NORMS)
    if norm == "l2":
        direction = unit_rows(q[None, :])[0]
    elif norm == "linf":
        direction = jnp.sign(q)
    else:
        count = math.ceil(fraction * len(q) * (1 - 1e-12))  # 0.07·100 rounds to 7.000000000000001
        chosen = jax.lax.top_k(jnp.abs(q), count)[1]
        direction = jnp.zeros_like(q).at[chosen].set(jnp.sign(q[chosen]))
    return epsilon * target[:, None] * direction[None, :]
