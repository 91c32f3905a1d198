"""Adversarial perturbations: one gradient step, many projected ones, and predicted ones."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import (
    check_choice,
    check_integer,
    check_labels,
    check_points,
    check_real,
    takes_arrays,
)
from theory.networks import Params, input_gradients, outputs

NORMS = ("l0", "l2", "linf")


@takes_arrays
def gradient_noise(
    params: Params, x: Float[Array, "n d"], y: Float[Array, " n"], slope: Any
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


@takes_arrays
def gradient_perturbations(
    params: Params,
    x: Float[Array, "n d"],
    target: Float[Array, " n"],
    epsilon: Any,
    slope: Any,
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


@takes_arrays
def unit_rows(v: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Every row scaled to norm 1; rows that are zero stay zero."""
    largest = jnp.max(jnp.abs(v), axis=1, keepdims=True)
    v = v / jnp.where(largest > 0, largest, 1)  # squares of small numbers would underflow
    norms = jnp.linalg.norm(v, axis=1, keepdims=True)
    return v / jnp.where(norms > 0, norms, 1)


@takes_arrays
def geometry_inspired(
    q: Float[Array, " d"],
    target: Float[Array, " n"],
    epsilon: Any,
    norm: str = "l2",
    fraction: Any = 0.05,
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
    direction = ball(norm, fraction).steepest(q[None, :])
    return epsilon * target[:, None] * direction


class Ball(NamedTuple):
    """The perturbations of size ε at most, in some norm.

    steepest: (n, d) g → (n, d) the point of the unit ball with the largest ⟨g, ·⟩, row by row.
    project: ((n, d) r, ε) → (n, d) the point of the ball of size ε that is closest to r in ℓ₂.
    """

    steepest: Callable[[Array], Array]
    project: Callable[[Array, Any], Array]


def ball(norm: str, fraction: Any = 0.05) -> Ball:
    """‖r‖₂ ≤ ε ("l2"), ‖r‖_∞ ≤ ε ("linf"), or ‖r‖_∞ ≤ ε on few coordinates only ("l0").

    Args:
      norm: "l0", "l2" or "linf".
      fraction: share of the coordinates that ℓ₀ may change, in (0, 1]; ⌈fraction·d⌉ of them.

    Returns:
      The `Ball`.

    Raises:
      ValueError: if an argument is malformed.
    """
    check_choice("norm", norm, NORMS)
    check_real("fraction", fraction, low=0, high=1, open_low=True)

    def largest(v: Array) -> Array:
        """v with all but its ⌈fraction·d⌉ largest |entries| set to 0, row by row."""
        count = math.ceil(fraction * v.shape[1] * (1 - 1e-12))  # 0.07·100 = 7.000000000000001
        chosen = jax.lax.top_k(jnp.abs(v), count)[1]
        kept = jnp.put_along_axis(jnp.zeros(v.shape, bool), chosen, True, axis=1, inplace=False)
        return jnp.where(kept, v, 0)

    def shorten(r: Array, epsilon: Any) -> Array:
        norms = jnp.linalg.norm(r, axis=1, keepdims=True)
        return r * jnp.where(norms > epsilon, epsilon / jnp.where(norms > 0, norms, 1), 1)

    def clip(r: Array, epsilon: Any) -> Array:
        return jnp.clip(r, -epsilon, epsilon)

    return {
        "l2": Ball(unit_rows, shorten),
        "linf": Ball(jnp.sign, clip),
        "l0": Ball(lambda g: jnp.sign(largest(g)), lambda r, epsilon: clip(largest(r), epsilon)),
    }[norm]


@takes_arrays
def projected_gradient(
    gradient: Callable[[Float[Array, "n d"]], Float[Array, "n d"]],
    x: Float[Array, "n d"],
    epsilon: Any,
    norm: str | Ball = "l2",
    *,
    steps: Any = 100,
    step_size: Any = None,
    fraction: Any = 0.05,
) -> Float[Array, "n d"]:
    """Projected gradient ascent from r = 0: r ← Π_ε(r + η v(g)), g the gradients at x + r.

    v(g) = g/‖g‖ (ℓ₂), sgn g (ℓ∞), or sgn g on the largest |g| coordinates only (ℓ₀), and Π_ε the
    projection on the ball of size ε. Rows are independent of one another.

    Args:
      gradient: (n, d) points → (n, d) gradients of what is to grow, one row a point. To move
        f towards labels y', `lambda z: target[:, None] * input_gradients(params, z, slope)`.
      x: (n, d) points.
      epsilon: size ε > 0, in units of x; may be traced.
      norm: "l0", "l2" or "linf", or another `Ball`.
      steps: number of steps ≥ 1; may be traced.
      step_size: η > 0, in units of x; default ε/5. One step of size ε is `ball(norm).steepest`.
      fraction: of "l0", as in `ball`.

    Returns:
      (n, d) perturbations r, x + r the perturbed points. Rows whose gradient is zero stay at 0.

    Raises:
      ValueError: if an argument is malformed.

    Source:
      A. Madry et al., *Towards Deep Learning Models Resistant to Adversarial Attacks*, ICLR 2018.
    """
    check_points("x", x)
    check_real("epsilon", epsilon, low=0, open_low=True)
    if not isinstance(steps, jax.Array):
        check_integer("steps", steps)
    if step_size is None:
        step_size = epsilon / 5
    check_real("step_size", step_size, low=0, open_low=True)
    steepest, project = ball(norm, fraction) if isinstance(norm, str) else norm

    def step(_: Any, r: Array) -> Array:
        return project(r + step_size * steepest(gradient(x + r)), epsilon)

    return jax.lax.fori_loop(0, steps, step, jnp.zeros_like(x))
