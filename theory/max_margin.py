"""Infinite training time: the max-margin limit of leaky networks with fixed signs (F23, K24a)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._validation import check_labels, check_points, check_slope
from theory.networks import Params, leaky_relu, pre_activations


class NearOrthogonality(NamedTuple):
    """Both sides of γ³R_min⁴/(3nR_max²) ≥ p_max, in units of ‖x‖²."""

    threshold: Float[Array, ""]
    p_max: Float[Array, ""]


def near_orthogonality(x: Float[Array, "n d"], slope: float) -> NearOrthogonality:
    """The data-tier hypothesis of the family, γ³R_min⁴/(3nR_max²) ≥ p_max = max_{j≠k}|⟨x_j, x_k⟩|.

    Args:
      x: (n, d) training points.
      slope: γ in (0, 1).

    Returns:
      The threshold on the left and p_max on the right (0 for n = 1).

    Raises:
      ValueError: if x is malformed or the slope is outside (0, 1).

    Source:
      K24a Theorem 3.2 on F23 Theorem 3.2.
    """
    check_points("x", x)
    check_slope(slope, open_low=True)
    gram = jnp.abs(x @ x.T)
    squared = jnp.diagonal(gram)
    p_max = jnp.max(jnp.where(jnp.eye(len(x), dtype=bool), 0.0, gram))
    threshold = slope**3 * jnp.min(squared) ** 2 / (3 * len(x) * jnp.max(squared))
    return NearOrthogonality(threshold, p_max)


class MaxMarginLimit(NamedTuple):
    """Solution of the KKT system in which every sample is a support vector.

    multipliers: (n,) λ.
    multiplier_error: bound on the numerical error of every λ_k; infinite if H is too near singular.
    u_plus, u_minus: (d,) √m times the limit of the weights of neurons with a_i > 0, a_i < 0.
    normal: (d,) q = Σ_k λ_k y_k x_k, normal of the decision boundary.
    """

    multipliers: Float[Array, " n"]
    multiplier_error: Float[Array, ""]
    u_plus: Float[Array, " d"]
    u_minus: Float[Array, " d"]
    normal: Float[Array, " d"]


def max_margin_limit(x: Float[Array, "n d"], y: Float[Array, " n"], slope: float) -> MaxMarginLimit:
    """The closed form of the limit: H λ = 2·1, then u± and the boundary normal q.

    H_jk = (1 + γ²)⟨x_j, x_k⟩ for equal labels and −2γ⟨x_j, x_k⟩ for opposite ones;
    u₊ = Σ_{y=+}λx − γΣ_{y=−}λx, u₋ = Σ_{y=−}λx − γΣ_{y=+}λx, u₊ − u₋ = (1 + γ)q.

    Args:
      x: (n, d) training points.
      y: (n,) labels ±1.
      slope: γ in (0, 1).

    Returns:
      A `MaxMarginLimit`. It is a KKT point only where `kkt_margins` are positive. Where H is
      singular the error is infinite and the rest means nothing.

    Raises:
      ValueError: if x, y or the slope is malformed.

    Source:
      Ours, from F23's KKT conditions.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    check_slope(slope, open_low=True)
    gram = x @ x.T
    system = jnp.where(y[:, None] == y[None, :], 1 + slope**2, -2 * slope) * gram
    multipliers = jnp.linalg.solve(system, jnp.full(len(x), 2.0, x.dtype))
    # Forward error of a backward-stable solve: ‖H⁻¹‖·(rounding of H and of the elimination)·‖λ‖.
    # The computed σ_min(H) is as uncertain as H: it may be twice the true one, or say nothing.
    eps = jnp.finfo(x.dtype).eps
    backward = (x.shape[1] + 3 * len(x)) * eps * jnp.linalg.norm(jnp.abs(x) @ jnp.abs(x).T)
    smallest = jnp.min(jnp.linalg.svd(system, compute_uv=False))
    error = 2 * backward / smallest * jnp.linalg.norm(multipliers)
    error = jnp.where(smallest > 2 * backward, error, jnp.inf)
    positive = jnp.where(y > 0, multipliers, 0)
    negative = jnp.where(y < 0, multipliers, 0)
    return MaxMarginLimit(
        multipliers,
        error,
        (positive - slope * negative) @ x,
        (negative - slope * positive) @ x,
        (multipliers * y) @ x,
    )


def limit_output(limit: MaxMarginLimit, z: Float[Array, "q d"], slope: float) -> Float[Array, " q"]:
    """f(z; ∞) = ½(φ(⟨u₊, z⟩) − φ(⟨u₋, z⟩)), scaled so that its margin on the training set is 1."""
    return (leaky_relu(z @ limit.u_plus, slope) - leaky_relu(z @ limit.u_minus, slope)) / 2


class KKTMargins(NamedTuple):
    """What must be positive for the closed form to be a KKT point, each (n,).

    multipliers: λ_k.  active: y_k⟨u₊, x_k⟩.  inactive: −y_k⟨u₋, x_k⟩.
    """

    multipliers: Float[Array, " n"]
    active: Float[Array, " n"]
    inactive: Float[Array, " n"]


def kkt_margins(limit: MaxMarginLimit, x: Float[Array, "n d"], y: Float[Array, " n"]) -> KKTMargins:
    """The certificate that the closed form is *a* KKT point; another may exist and be reached.

    Margins y_k f(x_k) = 1 hold by construction of λ when these signs do.
    """
    return KKTMargins(limit.multipliers, y * (x @ limit.u_plus), -y * (x @ limit.u_minus))


def global_margins(
    limit: MaxMarginLimit, x: Float[Array, "n d"], y: Float[Array, " n"], slope: float
) -> Float[Array, " n"]:
    """2⟨u_{y_k}, x_k⟩ − (1 − γ) Σ_{j: y_j = y_k} λ_j max(⟨x_j, x_k⟩, 0), (n,).

    If these and `kkt_margins` are positive, the closed form is the unique global max-margin
    solution. Training may still stop at another KKT point.
    """
    own = jnp.where(y > 0, x @ limit.u_plus, x @ limit.u_minus)
    same = jnp.where(y[:, None] == y[None, :], jnp.maximum(x @ x.T, 0), 0)
    return 2 * own - (1 - slope) * same @ limit.multipliers


def inside_cone(params: Params, x: Float[Array, "n d"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """min_{i,k} a_i y_k⟨w_i, x_k⟩/(|a_i|‖w_i‖‖x_k‖): positive once training has reached the cone.

    Inside it every sample activates the neurons of its own sign and the problem is convex: gradient
    flow that stays inside converges to the closed form if that lies in the cone as well. Being
    inside at one time does not prove that it stays (docs/statements/orthogonal.md).
    """
    h = pre_activations(params, x)
    lengths = jnp.linalg.norm(x, axis=1)[:, None] * jnp.linalg.norm(params.w, axis=1)[None, :]
    return jnp.min(
        jnp.sign(params.a)[None, :] * y[:, None] * h / jnp.where(lengths > 0, lengths, 1)
    )


class MultiplierRange(NamedTuple):
    """Bounds that near-orthogonality puts on every λ_k, in units of 1/‖x‖²."""

    low: Float[Array, ""]
    high: Float[Array, ""]


def multiplier_range(x: Float[Array, "n d"], slope: float) -> MultiplierRange:
    """(1/(2R_max²), 3/(2γ²R_min²)). Source: K24a Theorem 3.2 on F23."""
    squared = jnp.sum(x**2, axis=1)
    return MultiplierRange(1 / (2 * jnp.max(squared)), 3 / (2 * slope**2 * jnp.min(squared)))


def sharp_multiplier_range(x: Float[Array, "n d"], slope: float) -> MultiplierRange:
    """(1+γ²)R_min²λ_max ≤ 2/(1 − γ³/3) and (1+γ²)R_max²λ_k ≥ 2 − (2γ³/3)/(1 − γ³/3) (ours)."""
    squared = jnp.sum(x**2, axis=1)
    shrink = 1 - slope**3 / 3
    return MultiplierRange(
        (2 - (2 * slope**3 / 3) / shrink) / ((1 + slope**2) * jnp.max(squared)),
        2 / (shrink * (1 + slope**2) * jnp.min(squared)),
    )


def same_span(
    x: Float[Array, "n d"], z: Float[Array, "q d"]
) -> tuple[Float[Array, "n e"], Float[Array, "q e"]]:
    """Coordinates of both point sets in an orthonormal basis of their span, e = min(d, n + q).

    Inner products are unchanged, and a rotation-invariant initialization has the same law there:
    training in ℝ^e is training in ℝ^d at a fraction of the cost when d ≫ n + q.
    """
    both = jnp.concatenate([x, z])
    if both.shape[1] <= len(both):
        return x, z
    triangle = jnp.linalg.qr(both.T, mode="r").T
    return triangle[: len(x)], triangle[len(x) :]
