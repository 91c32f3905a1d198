"""Infinite training time: the max-margin limit of leaky networks with fixed signs (F23, K24a)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from theory._scaling import maximum, minimum, power_of_two, scaled_rows
from theory._types import AnyArray, PositiveReal, PyTree, Real
from theory._validation import (
    as_host_reals,
    check_labels,
    check_points,
    check_real,
    check_slope,
    takes_arrays,
)
from theory.certificates.linear_solve import enclosed_solution, inner_products
from theory.margins import Margin, margin, rounding_error
from theory.networks.network import (
    Params,
    leaky_relu,
    pre_activations,
)


class NearOrthogonality(NamedTuple):
    """Both sides of γ³R_min⁴/(3nR_max²) ≥ p_max, in units of R_max²: pure numbers."""

    threshold: Float[Array, ""]
    p_max: Float[Array, ""]


@takes_arrays
@jax.default_matmul_precision("highest")
def near_orthogonality(x: Float[AnyArray, "n d"], slope: PositiveReal) -> NearOrthogonality:
    """The family's hypothesis on the data, γ³R_min⁴/(3nR_max²) ≥ p_max = max_{j≠k}|⟨x_j, x_k⟩|.

    Args:
      x: (n, d) training points.
      slope: γ in (0, 1).

    Returns:
      The threshold on the left and p_max on the right (0 for n = 1), over R_max². They are taken
      on points scaled by a power of two: R_min⁴ overflows where the products are still numbers.

    Raises:
      ValueError: if x is malformed or the slope is outside (0, 1).

    Source:
      K24a Theorem 3.2 on F23 Theorem 3.2.
    """
    check_points("x", x)
    x = x / power_of_two(jnp.max(jnp.abs(x)))
    gram = jnp.abs(x @ x.T)
    squared = jnp.diagonal(gram)
    largest = jnp.where(jnp.all(squared == 0), 1, maximum(squared))
    p_max = maximum(jnp.where(jnp.eye(len(x), dtype=bool), 0, gram)) / largest
    threshold = slope**3 * (minimum(squared) / largest) ** 2 / (3 * len(x))
    return NearOrthogonality(threshold, p_max)


class MaxMarginLimit(NamedTuple):
    """Solution of the KKT system in which the active samples are the support vectors.

    multipliers: (n,) λ, 0 off the active set.
    multiplier_error: bound on the numerical error of every λ_k; infinite if H is too near singular.
    u_plus, u_minus: (d,) √m times the limit of the weights of neurons with a_i > 0, a_i < 0.
    normal: (d,) q, normal of the decision boundary; Σ_k λ_k y_k x_k for halves of either sign.
    active: (n,) the active set A.
    slack: (n,) ½(Hλ)_k − 1, by how much margins exceed 1 inside the cone; 0 on the active set.
    response_error: bound on the numerical error of every ⟨u±, x_k⟩ and of the slack.
    """

    multipliers: Float[Array, " n"]
    multiplier_error: Float[Array, ""]
    u_plus: Float[Array, " d"]
    u_minus: Float[Array, " d"]
    normal: Float[Array, " d"]
    active: Bool[Array, " n"]
    slack: Float[Array, " n"]
    response_error: Float[Array, ""]


@takes_arrays
def gram_factors(
    y: Float[AnyArray, " n"], slope: Real, positive: Real = 0.5
) -> Float[Array, "n n"]:
    """H_jk/⟨x_j, x_k⟩: 2(α + βγ²) for labels + +, 2(β + αγ²) for − −, −2γ for opposite ones.

    Args:
      y: (n,) labels ±1.
      slope: γ in [0, 1).
      positive: α in (0, 1), the share of neurons with a_i > 0; β = 1 − α. At α = ½ equal labels
        have 1 + γ².

    Returns:
      (n, n) factors of the inner products in H.

    Raises:
      ValueError: if labels, slope or share are malformed.

    Source:
      Ours, from F23's KKT conditions.
    """
    check_labels("y", y, len(y))
    check_slope(slope)
    _check_positive(positive)
    own = _of_equal_labels(y, slope, positive)
    return jnp.where(y[:, None] == y[None, :], own[:, None], -2 * slope)


def _of_equal_labels(y: AnyArray, slope: Real, positive: Real) -> Any:
    """2(α + βγ²) where y is 1, 2(β + αγ²) where it is −1, in arrays of NumPy or JAX."""
    return 1 + slope**2 + (2 * positive - 1) * (1 - slope**2) * y


def _check_positive(positive: Real) -> None:
    """ValueError unless a share of neurons lies in (0, 1)."""
    check_real("positive", positive, low=0, high=1, open_low=True, open_high=True)


@takes_arrays
@jax.default_matmul_precision("highest")
def max_margin_limit(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: PositiveReal,
    active: Bool[AnyArray, " n"] | None = None,
    positive: Real = 0.5,
) -> MaxMarginLimit:
    """The closed form of the limit: H_AA λ_A = 2·1, then u± and the boundary normal q.

    With α the share of neurons with a_i > 0 and β = 1 − α, H_jk is 2(α + βγ²)⟨x_j, x_k⟩ for labels
    + +, 2(β + αγ²)⟨x_j, x_k⟩ for − − and −2γ⟨x_j, x_k⟩ for opposite ones;
    u₊ = Σ_{y=+}λx − γΣ_{y=−}λx, u₋ = Σ_{y=−}λx − γΣ_{y=+}λx, αu₊ − βu₋ = ½(1 + γ)q. For halves of
    either sign, α = ½, H has 1 + γ² and −2γ, and q = Σ_k λ_k y_k x_k.

    Args:
      x: (n, d) training points.
      y: (n,) labels ±1.
      slope: γ in (0, 1).
      active: (n,) the support vectors A, all samples by default; `support_vectors` proposes them.
      positive: α in (0, 1), the share m₁/m of neurons with a_i = +1/√m; the others have −1/√m.

    Returns:
      A `MaxMarginLimit`. It is a KKT point only where `kkt_margins` are positive. Where H_AA is
      too near singular to tell, the errors are infinite and nothing is claimed of the rest.

    Raises:
      ValueError: if x, y, the slope or the share is malformed.

    Source:
      Ours, from F23's KKT conditions.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    _check_positive(positive)
    active = jnp.ones(len(x), bool) if active is None else jnp.asarray(active)
    gram = inner_products(x, x)
    factor = gram_factors(y, slope, positive)
    system, system_error = factor * gram.values, jnp.abs(factor) * gram.errors
    inside = active[:, None] & active[None, :]
    solved = enclosed_solution(
        jnp.where(inside, system, jnp.eye(len(x), dtype=x.dtype)),
        jnp.where(active, jnp.asarray(2, x.dtype), 0),
        jnp.where(inside, system_error, 0),
    )
    multipliers = jnp.where(active, solved.solution, 0)
    slack = jnp.where(active, 0, system @ multipliers / 2 - 1)
    # Of Σ_j c_j λ_j⟨x_j, x_k⟩ with |c_j| ≤ 1, computed through H, or through u and then x.
    size, lengths = jnp.abs(multipliers), jnp.sqrt(jnp.diagonal(gram.values))
    off = jnp.where(active, solved.error, 0)  # multipliers off the active set are exactly 0
    response_error = maximum(
        jnp.abs(gram.values) @ off
        + gram.errors @ (size + off)
        + rounding_error(x.shape[1] + len(x) + 8, 1 + lengths * (lengths @ size))
    )
    plus = jnp.where(y > 0, multipliers, 0)
    minus = jnp.where(y < 0, multipliers, 0)
    return MaxMarginLimit(
        multipliers,
        solved.error,
        (plus - slope * minus) @ x,
        (minus - slope * plus) @ x,
        (multipliers * y * (1 + (2 * positive - 1) * (1 - slope) / (1 + slope) * y)) @ x,
        active,
        slack,
        jnp.where(jnp.isfinite(response_error), response_error, jnp.inf),
    )


def support_vectors(x: np.ndarray, y: np.ndarray, slope: Real, positive: Real = 0.5) -> np.ndarray:
    """Which multipliers of min ½λᵀHλ − 2·Σλ over λ ≥ 0 are positive; on the host.

    With H = LLᵀ that is min ‖Lᵀλ − L⁻¹(2·1)‖ over λ ≥ 0, a problem of nonnegative least squares.
    The answer is a proposal: `max_margin_limit(…, active)` and `kkt_margins` prove or reject it.

    Args:
      x: (n, d) training points.
      y: (n,) labels ±1.
      slope: γ in (0, 1).
      positive: α in (0, 1), the share of neurons with a_i > 0.

    Returns:
      (n,) the active set; all samples where H is singular, of which nothing can then be proven.
    """
    from scipy import optimize  # slow to import

    x, y = as_host_reals("x", x), as_host_reals("y", y)
    _check_positive(positive)
    own = _of_equal_labels(y, slope, positive)
    factor = np.where(y[:, None] == y[None, :], own[:, None], -2 * slope)
    try:
        lower = np.linalg.cholesky(factor * (x @ x.T))
    except np.linalg.LinAlgError:
        return np.ones(len(x), bool)
    multipliers, _ = optimize.nnls(lower.T, np.linalg.solve(lower, np.full(len(x), 2.0)))
    return multipliers > 0


@takes_arrays
def limit_output(
    limit: MaxMarginLimit, z: Float[AnyArray, "q d"], slope: Real, positive: Real = 0.5
) -> Float[Array, " q"]:
    """f(z; ∞) = αφ(⟨u₊, z⟩) − βφ(⟨u₋, z⟩), scaled so that its margin on the training set is 1.

    positive: α, the share of neurons with a_i > 0; β = 1 − α.
    """
    _check_positive(positive)
    plus, minus = (leaky_relu(z @ u, slope) for u in (limit.u_plus, limit.u_minus))
    return positive * plus - (1 - positive) * minus


class KKTMargins(NamedTuple):
    """What must be positive for the closed form to be a KKT point, each (n,).

    multipliers: λ_k on the active set, and the slack y_k f(x_k) − 1 off it.
    active: y_k⟨u₊, x_k⟩.  inactive: −y_k⟨u₋, x_k⟩.
    """

    multipliers: Float[Array, " n"]
    active: Float[Array, " n"]
    inactive: Float[Array, " n"]


@takes_arrays
@jax.default_matmul_precision("highest")
def kkt_margins(
    limit: MaxMarginLimit, x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"]
) -> KKTMargins:
    """The certificate that the closed form is *a* KKT point; another may exist and be reached.

    Margins y_k f(x_k) = ½(Hλ)_k, which is 1 on the active set, when these signs hold, whatever
    the share of neurons with a_i > 0. A slack of 0 would do; asking for more makes the certificate
    decidable.
    """
    multipliers = jnp.where(limit.active, limit.multipliers, limit.slack)
    return KKTMargins(
        multipliers, jnp.multiply(y, x @ limit.u_plus), jnp.multiply(-y, x @ limit.u_minus)
    )


@takes_arrays
@jax.default_matmul_precision("highest")
def global_margins(
    limit: MaxMarginLimit, x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], slope: Real
) -> Float[Array, " n"]:
    """2⟨u_{y_k}, x_k⟩ − (1 − γ) Σ_{j: y_j = y_k} λ_j max(⟨x_j, x_k⟩, 0), (n,).

    If these and `kkt_margins` are positive, the closed form is the unique global max-margin
    solution. Training may still stop at another KKT point.
    """
    own = jnp.where(y > 0, x @ limit.u_plus, x @ limit.u_minus)
    same = jnp.where(y[:, None] == y[None, :], jnp.maximum(x @ x.T, 0), 0)
    return 2 * own - (1 - slope) * same @ limit.multipliers


@takes_arrays
@jax.default_matmul_precision("highest")
def inside_cone(
    params: Params, x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"]
) -> Float[Array, ""]:
    """min_{i,k} a_i y_k⟨w_i, x_k⟩/(|a_i|‖w_i‖‖x_k‖): positive once training has reached the cone.

    Inside it every sample activates the neurons of its own sign and the problem is convex: gradient
    flow that stays inside converges to the closed form if that lies in the cone as well. Being
    inside at one time does not prove that it stays (docs/statements/orthogonal.md).
    """
    x, (w, _) = scaled_rows(x)[0], scaled_rows(params.w)
    h = pre_activations(Params(w, params.b, params.a), x)
    lengths = jnp.linalg.norm(x, axis=1)[:, None] * jnp.linalg.norm(w, axis=1)[None, :]
    return minimum(
        jnp.sign(params.a)[None, :] * y[:, None] * h / jnp.where(lengths > 0, lengths, 1)
    )


class MultiplierRange(NamedTuple):
    """Bounds that near-orthogonality puts on every λ_k, in units of 1/‖x‖²."""

    low: Float[Array, ""]
    high: Float[Array, ""]


@takes_arrays
def multiplier_range(x: Float[AnyArray, "n d"], slope: PositiveReal) -> MultiplierRange:
    """(1/(2R_max²), 3/(2γ²R_min²)). Source: K24a Theorem 3.2 on F23."""
    squared = jnp.sum(x**2, axis=1)
    return MultiplierRange(1 / (2 * maximum(squared)), 3 / (2 * slope**2 * minimum(squared)))


@takes_arrays
def sharp_multiplier_range(x: Float[AnyArray, "n d"], slope: PositiveReal) -> MultiplierRange:
    """(1+γ²)R_min²λ_max ≤ 2/(1 − γ³/3) and (1+γ²)R_max²λ_k ≥ 2 − (2γ³/3)/(1 − γ³/3) (ours)."""
    squared = jnp.sum(x**2, axis=1)
    shrink = 1 - slope**3 / 3
    return MultiplierRange(
        (2 - (2 * slope**3 / 3) / shrink) / ((1 + slope**2) * maximum(squared)),
        2 / (shrink * (1 + slope**2) * minimum(squared)),
    )


@takes_arrays
def same_span(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"]
) -> tuple[Float[Array, "n e"], Float[Array, "q e"]]:
    """Coordinates of both point sets in an orthonormal basis of their span, e = min(d, n + q).

    Inner products are unchanged, and a rotation-invariant initialization has the same law there:
    training in ℝ^e is training in ℝ^d at a fraction of the cost when d ≫ n + q.
    """
    both = jnp.concatenate([x, z])
    if both.shape[1] <= len(both):
        return jnp.asarray(x), jnp.asarray(z)
    triangle = jnp.linalg.qr(both.T, mode="r").T
    return triangle[: len(x)], triangle[len(x) :]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Solved:
    """Training points and the closed form of the limit on them; further axes in front under vmap.

    x: (n, d).  y: (n,).  limit: the closed form.  slope: γ.  positive: share of neurons with
    a_i > 0.
    """

    x: PyTree  # JAX also puts shapes and placeholders in their places
    y: PyTree
    limit: PyTree
    slope: Real = dataclasses.field(metadata={"static": True})
    positive: Real = dataclasses.field(default=0.5, metadata={"static": True})


def solve(
    x: Array,
    y: Array,
    slope: Real,
    active: Bool[Array, " n"] | None = None,
    positive: Real = 0.5,
) -> Solved:
    """The closed form beside its data."""
    return Solved(x, y, max_margin_limit(x, y, slope, active, positive), slope, positive)


def kkt_certificate(instance: Solved) -> Margin:
    """λ_k > 0 on the active set, slack off it, and the sign pattern of u±, as pure numbers."""
    limit = instance.limit
    parts = kkt_margins(limit, instance.x, instance.y)
    largest = jnp.max(jnp.sum(instance.x**2, axis=1))
    scale = jnp.where(limit.active, largest, 1)
    error = jnp.where(limit.active, limit.multiplier_error * largest, limit.response_error)
    response = jnp.broadcast_to(limit.response_error, error.shape)
    values = jnp.stack([parts.multipliers * scale, parts.active, parts.inactive])
    return margin(values, jnp.stack([error, response, response])).all()
