"""Adversarial perturbations: one gradient step, many projected ones, and predicted ones."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Integer, Real
from theory._validation import (
    check_choice,
    check_integer,
    check_labels,
    check_points,
    check_real,
    is_traced,
    takes_arrays,
    takes_numbers,
)
from theory.networks.network import Params, input_gradients, outputs

NORMS = ("l0", "l2", "linf")
BALLS = (*NORMS, "linf-max")


@takes_arrays
def gradient_noise(
    params: Params, x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], slope: Real
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
    x: Float[AnyArray, "n d"],
    target: Float[AnyArray, " n"],
    epsilon: Real,
    slope: Real,
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
    return epsilon * jnp.asarray(target)[:, None] * unit_rows(input_gradients(params, x, slope))


@takes_arrays
def unit_rows(v: Float[AnyArray, "n d"]) -> Float[Array, "n d"]:
    """Every row scaled to norm 1; rows that are zero stay zero."""
    v, _ = over_largest(v)
    norms = jnp.linalg.norm(v, axis=1, keepdims=True)
    return v / jnp.where(norms > 0, norms, 1)


@takes_arrays
def over_largest(v: Float[AnyArray, "n d"]) -> tuple[Float[Array, "n d"], Float[Array, "n 1"]]:
    """Every row over its largest |entry|, and that; 1 for rows that are zero.

    Squares of what it returns neither overflow nor underflow to a norm of 0.
    """
    largest = jnp.max(jnp.abs(v), axis=1, keepdims=True)
    largest = jnp.where(largest > 0, largest, 1)
    return jnp.divide(v, largest), largest


@takes_arrays
def geometry_inspired(
    q: Float[AnyArray, " d"],
    target: Float[AnyArray, " n"],
    epsilon: Real,
    norm: str = "l2",
    fraction: Real = 0.05,
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
    direction = ball(norm, fraction).steepest(jnp.asarray(q)[None, :])
    return epsilon * jnp.asarray(target)[:, None] * direction


class Ball(NamedTuple):
    """The perturbations of size ε at most, in some norm.

    steepest: (n, d) g → (n, d) the direction of a step, row by row: the point of the unit ball with
      the largest ⟨g, ·⟩, or another one.
    project: ((n, d) r, ε) → (n, d) the point of the ball of size ε that is closest to r in ℓ₂.
    """

    steepest: Callable[[Array], Array]
    project: Callable[[Array, Real], Array]


@takes_numbers
def ball(norm: str, fraction: Real = 0.05) -> Ball:
    """‖r‖₂ ≤ ε ("l2"), ‖r‖_∞ ≤ ε ("linf"), or ‖r‖_∞ ≤ ε on few coordinates only ("l0").

    "linf-max" is "linf" with steps along g/max|g| in place of sgn g, the attack of K24a's code.

    Args:
      norm: "l0", "l2", "linf" or "linf-max".
      fraction: share of the coordinates that ℓ₀ may change, in (0, 1]; ⌈fraction·d⌉ of them.

    Returns:
      The `Ball`.

    Raises:
      ValueError: if an argument is malformed.
    """
    check_choice("norm", norm, BALLS)
    check_real("fraction", fraction, low=0, high=1, open_low=True)

    def largest(v: Array) -> Array:
        """v with all but its ⌈fraction·d⌉ largest |entries| set to 0, row by row."""
        count = math.ceil(fraction * v.shape[1] * (1 - 1e-12))  # 0.07·100 = 7.000000000000001
        chosen = jax.lax.top_k(jnp.abs(v), count)[1]
        kept = jnp.put_along_axis(jnp.zeros(v.shape, bool), chosen, True, axis=1, inplace=False)
        return jnp.where(kept, v, 0)

    def shorten(r: Array, epsilon: Real) -> Array:
        scaled, largest = over_largest(r)
        norms = jnp.linalg.norm(scaled, axis=1, keepdims=True)
        return jnp.where(norms > epsilon / largest, epsilon * unit_rows(r), r)

    def clip(r: Array, epsilon: Real) -> Array:
        return jnp.clip(r, -epsilon, epsilon)

    return {
        "l2": Ball(unit_rows, shorten),
        "linf": Ball(jnp.sign, clip),
        "linf-max": Ball(lambda g: over_largest(g)[0], clip),
        "l0": Ball(lambda g: jnp.sign(largest(g)), lambda r, epsilon: clip(largest(r), epsilon)),
    }[norm]


@takes_arrays
def projected_gradient(
    gradient: Callable[[Float[Array, "n d"]], Float[Array, "n d"]],
    x: Float[AnyArray, "n d"],
    epsilon: Real,
    norm: str | Ball = "l2",
    *,
    steps: Integer = 100,
    step_size: Real | None = None,
    fraction: Real = 0.05,
    box: tuple[float, float] | None = None,
) -> Float[Array, "n d"]:
    """Projected gradient ascent from r = 0: r ← Π_ε(r + η v(g)), g the gradients at x + r.

    v(g) = g/‖g‖ (ℓ₂), sgn g (ℓ∞), or sgn g on the largest |g| coordinates only (ℓ₀), and Π_ε the
    projection on the ball of size ε. Rows are independent of one another. Steps are taken in units
    of ε, so that no size overflows.

    Args:
      gradient: (n, d) points → (n, d) gradients of what is to grow, one row a point. To move
        f towards labels y', `lambda z: target[:, None] * input_gradients(params, z, slope)`.
      x: (n, d) points; integers become floats.
      epsilon: size ε > 0, in units of x; may be traced.
      norm: "l0", "l2", "linf" or "linf-max", as in `ball`, or another `Ball`, whose projection is
        asked for ε = 1.
      steps: number of steps ≥ 1; may be traced.
      step_size: η > 0, in units of x; default ε/5. One step of size ε is `ball(norm).steepest`.
      fraction: of "l0", as in `ball`.
      box: (low, high), between which the coordinates of x + r are kept after every projection.

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
    if step_size is not None:
        check_real("step_size", step_size, low=0, open_low=True)
    steepest, project = ball(norm, fraction) if isinstance(norm, str) else norm
    inside = _inside(x, box)
    # A step that leaves the ball by so much ends where every longer one does, to rounding.
    most = float(jnp.finfo(x.dtype).max) ** 0.25
    stride = 0.2 if step_size is None else jnp.minimum(step_size / epsilon, most)

    def step(_: Array, u: Array) -> Array:
        u = project(u + stride * steepest(gradient(jnp.add(x, epsilon * u))), 1.0)
        return u if box is None else inside(epsilon * u) / epsilon

    return epsilon * jax.lax.fori_loop(0, steps, step, jnp.zeros_like(x))


@takes_arrays
def growing_support(
    gradient: Callable[[Float[Array, "n d"]], Float[Array, "n d"]],
    x: Float[AnyArray, "n d"],
    *,
    steps: Integer,
    step_size: Real = 0.3,
    box: tuple[float, float] | None = None,
) -> Float[Array, "n d"]:
    """The ℓ₀ attack of K24a's code: one coordinate more a step, and all chosen ones move.

    A step adds the coordinate with the largest |g| among those not chosen yet, then moves every
    chosen one by η g_i/max|g|, the maximum over the chosen: by η at most. Nothing else limits r but
    the box.

    Args:
      gradient: as in `projected_gradient`.
      x: (n, d) points; integers become floats.
      steps: how many coordinates are chosen, 1 ≤ steps ≤ d; may be traced.
      step_size: η > 0, in units of x.
      box: as in `projected_gradient`.

    Returns:
      (n, d) perturbations r, at most `steps` coordinates of a row different from 0.

    Raises:
      ValueError: if an argument is malformed.

    Source:
      K24a, official code.
    """
    check_points("x", x)
    check_real("step_size", step_size, low=0, open_low=True)
    if not isinstance(steps, jax.Array):
        check_integer("steps", steps, high=x.shape[1])
    inside = _inside(x, box)
    rows = jnp.arange(len(x))

    def step(_: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        r, chosen = state
        g = gradient(jnp.add(x, r))
        best = jnp.argmax(jnp.where(chosen, -1, jnp.abs(g)), axis=1)
        chosen = chosen.at[rows, best].set(True)
        r = r + step_size * over_largest(jnp.where(chosen, g, 0))[0]
        return inside(r), chosen

    start = jnp.zeros_like(x), jnp.zeros(x.shape, bool)
    return jax.lax.fori_loop(0, steps, step, start)[0]


def _inside(x: AnyArray, box: tuple[float, float] | None) -> Callable[[Array], Array]:
    """r → the perturbation that keeps x + r in the box; ValueError unless x is in it."""
    if box is None:
        return lambda r: r
    low, high = box
    check_real("box[1]", high, low=check_real("box[0]", low), open_low=True)
    if not is_traced(x) and not bool(jnp.all((x >= low) & (x <= high))):
        raise ValueError(
            f"x must lie in the box [{low:g}, {high:g}], got entries from {float(jnp.min(x)):g} to "
            f"{float(jnp.max(x)):g}"
        )
    return lambda r: jnp.clip(x + r, low, high) - x
