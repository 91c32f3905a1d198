"""The potential that diagonal networks minimize, its dual, and least norms, each with a proof.

Q_α(β) = α² Σ_i q(β_i/α²), q(z) = 2 − √(4 + z²) + z·arcsinh(z/2), q'(z) = arcsinh(z/2): quadratic
where α² ≫ |β_i| and |β_i| log(1/α²) where α² ≪ |β_i|. β minimizes it under Xβ = y exactly if
arcsinh(β_i/(2α²)) = (Xᵀν)_i for some ν. Everything takes log α, as α² may be below all floats.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._scaling import maximum
from theory._types import AnyArray, Real
from theory._validation import takes_arrays
from theory.certificates.eigenvalues import Enclosed, smallest_eigenvalue
from theory.certificates.linear_solve import enclosed_solution, inner_products
from theory.margins import rounding_error

LARGEST = 300.0  # log α up to which α² is a number
SMALLEST = -1e4  # log α from which eleven digits of β = 2α² sinh τ are left
ITERATIONS = 60  # of Newton's method for one α; it takes about ten
STRIDE = 2.0  # by which log(1/α) grows from one α to the next


@takes_arrays
def at_dual(tau: Float[AnyArray, " d"], log_alpha: Real | Array) -> Float[Array, " d"]:
    """β_i = 2α² sinh τ_i, the β with arcsinh(β_i/(2α²)) = τ_i."""
    size, scale = jnp.abs(tau), 2 * jnp.asarray(log_alpha, tau.dtype)
    large = jnp.exp(scale + size) - jnp.exp(scale - size)
    small = 2 * jnp.exp(scale) * jnp.sinh(jnp.minimum(size, 1.0))
    return jnp.sign(tau) * jnp.where(size < 1, small, large)


@takes_arrays
def dual_of(beta: Float[AnyArray, " d"], log_alpha: Real | Array) -> Float[Array, " d"]:
    """arcsinh(β_i/(2α²)) = sgn(β_i)·log((|β_i| + √(β_i² + 4α⁴))/(2α²)), the gradient of Q_α."""
    log_alpha = jnp.asarray(log_alpha, beta.dtype)
    size, twice = jnp.abs(beta), 2 * jnp.exp(2 * log_alpha)
    large = size > twice  # log(z/2 + …) keeps its digits there, arcsinh(z/2) elsewhere
    whole = jnp.where(large, size + jnp.sqrt(size**2 + twice**2), 2.0)
    small = jnp.arcsinh(jnp.where(large, 0, size) / jnp.where(twice > 0, twice, 1))
    return jnp.multiply(jnp.sign(beta), jnp.where(large, jnp.log(whole / 2) - 2 * log_alpha, small))


@takes_arrays
def potential(beta: Float[AnyArray, " d"], log_alpha: Real | Array) -> Float[Array, ""]:
    """Q_α(β) = Σ_i β_i·arcsinh(β_i/(2α²)) − β_i²/(2α² + √(4α⁴ + β_i²)).

    Source: Woodworth et al. 2020, Theorem 1; the second term is √(4α⁴ + β²) − 2α².
    """
    twice = 2 * jnp.exp(2 * jnp.asarray(log_alpha, beta.dtype))
    below = twice + jnp.sqrt(twice**2 + beta**2)
    square = beta**2 / jnp.where(below > 0, below, 1)
    return jnp.sum(beta * dual_of(beta, log_alpha) - square)


@takes_arrays
def dual_bound(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    nu: Float[AnyArray, " n"],
    log_alpha: Real | Array,
) -> Float[Array, ""]:
    """yᵀν − 2α²Σ_i(cosh(Xᵀν)_i − 1) ≤ min Q_α(β) over Xβ = y, for every ν: weak duality.

    2α²(cosh τ − 1) = β_τ²/(2α² + √(4α⁴ + β_τ²)) with β_τ = 2α² sinh τ.
    """
    beta = at_dual(nu @ x, log_alpha)
    twice = 2 * jnp.exp(2 * jnp.asarray(log_alpha, beta.dtype))
    below = twice + jnp.sqrt(twice**2 + beta**2)
    return jnp.dot(y, nu) - jnp.sum(beta**2 / jnp.where(below > 0, below, 1))


def dual_solution(x: np.ndarray, y: np.ndarray, log_alpha: float) -> Float[np.ndarray, " n"]:
    """ν with X·2α² sinh(Xᵀν) = y, by Newton's method along falling α; on the host.

    The dual Σ_i 2α² cosh(Xᵀν)_i − yᵀν is convex, and its Hessian changes by the factor e^s at most
    where Xᵀν moves by s: steps that move it by 1 at most make it fall. A proposal: `dual_bound`,
    or that 2α² sinh(Xᵀν) is the exact minimizer for the labels X·2α² sinh(Xᵀν), proves it.

    Args:
      x: (n, d) X of rank n.
      y: (n,) labels.
      log_alpha: log α.

    Returns:
      (n,) ν; what has been reached where it does not converge, NaN for log α > 300, of which α² is
      no number, and for log α < −10⁴, which would take thousands of steps.
    """
    if not SMALLEST <= log_alpha <= LARGEST:  # NaN, too
        return np.full(len(y), np.nan)
    inverse = np.linalg.pinv(x @ x.T)
    least = inverse @ y
    start = 0.5 * np.log(max(float(np.linalg.norm(x.T @ least)), np.finfo(float).tiny))
    log_now = max(float(log_alpha), start)
    nu = least / (2 * np.exp(2 * log_now))
    while True:
        nu = _newton(x, y, log_now, nu)
        if log_now <= log_alpha:
            return nu
        following = max(float(log_alpha), log_now - STRIDE)
        # Where β is large τ = log|β| − 2 log α grows by as much as −2 log α does.
        tau = nu @ x
        moved = tau + np.sign(tau) * np.minimum(2 * (log_now - following), np.abs(tau))
        nu, log_now = inverse @ (x @ moved), following


def _newton(x: np.ndarray, y: np.ndarray, log_alpha: float, nu: np.ndarray) -> np.ndarray:
    twice = 2 * np.exp(2 * log_alpha)
    # β = exp(2 log α + |τ|): the exponent is a difference of numbers of the size of |log α|.
    digits = max(1e-14, 2e-15 * abs(log_alpha))
    for _ in range(ITERATIONS):
        tau = nu @ x
        grown, shrunk = (
            np.exp(np.minimum(2 * log_alpha + size, 700.0)) for size in (np.abs(tau), -np.abs(tau))
        )
        beta = np.sign(tau) * (grown - shrunk)
        residual = x @ beta - y
        if np.abs(residual).max() <= digits * max(float(np.abs(y).max()), twice):
            break
        hessian = (x * (grown + shrunk)) @ x.T
        step = np.linalg.lstsq(hessian, residual, rcond=None)[0]
        nu = nu - step / max(1.0, float(np.abs(step @ x).max()))
    return nu


def least_l1(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(β, μ) of min ‖β‖₁ over Xβ = y and of its dual max yᵀμ over ‖Xᵀμ‖_∞ ≤ 1; on the host.

    By linear programming; `l1_bounds` proves what they are worth.

    Args:
      x: (n, d) X.
      y: (n,) labels.

    Returns:
      β (d,) and μ (n,); zeros where the solver fails.
    """
    from scipy import optimize  # slow to import

    n, d = x.shape
    found = optimize.linprog(
        np.ones(2 * d), A_eq=np.hstack([x, -x]), b_eq=y, bounds=(0, None), method="highs"
    )
    if found.status != 0:
        return np.zeros(d), np.zeros(n)
    return found.x[:d] - found.x[d:], np.asarray(found.eqlin.marginals)


class Labels(NamedTuple):
    """Labels and bounds on their errors, each (n,)."""

    values: Float[Array, " n"]
    errors: Float[Array, " n"]


class Bounds(NamedTuple):
    """Certified lower and upper bounds on one number."""

    low: Float[Array, ""]
    high: Float[Array, ""]


@takes_arrays
def l1_bounds(
    x: Float[AnyArray, "n d"],
    y: Labels,
    beta: Float[AnyArray, " d"],
    mu: Float[AnyArray, " n"],
) -> Bounds:
    """yᵀμ/‖Xᵀμ‖_∞ ≤ min ‖β‖₁ over Xβ = y ≤ ‖β̃‖₁ + √d‖y − Xβ̃‖₂/√λ_min(XXᵀ), for any β̃ and μ.

    The last term mends what β̃ leaves of the labels, by the shortest vector that does.
    """
    (n, d), gram = x.shape, inner_products(x, x)
    length = maximum(jnp.abs(mu @ x) + rounding_error(n + 4, jnp.abs(mu) @ jnp.abs(x)))
    worth = y.values @ mu - y.errors @ jnp.abs(mu)
    worth = worth - rounding_error(n + 8, jnp.abs(y.values) @ jnp.abs(mu))
    low = jnp.where(worth > 0, worth / jnp.where(length > 0, length, 1), 0)
    left = jnp.abs(y.values - x @ beta) + y.errors
    left = left + rounding_error(d + 4, jnp.abs(x) @ jnp.abs(beta) + jnp.abs(y.values))
    smallest = smallest_eigenvalue(gram.values, gram.errors)
    surely = smallest.value - smallest.error
    mend = jnp.sqrt(d * jnp.sum(left**2) / jnp.where(surely > 0, surely, 1))
    mend = jnp.where(surely > 0, mend, jnp.inf)
    size = jnp.sum(jnp.abs(beta))
    return Bounds(low, size + 2 * mend + rounding_error(d + 8, size))


@takes_arrays
def least_l2_square(x: Float[AnyArray, "n d"], y: Labels) -> Enclosed:
    """min ‖β‖₂² over Xβ = y, which is yᵀ(XXᵀ)⁻¹y, with a bound on its error."""
    gram = inner_products(x, x)
    solved = enclosed_solution(gram.values, y.values, gram.errors, y.errors)
    size = jnp.abs(y.values)
    error = jnp.sum(size + y.errors) * solved.error + y.errors @ jnp.abs(solved.solution)
    error = error + rounding_error(len(size) + 8, size @ jnp.abs(solved.solution))
    return Enclosed(y.values @ solved.solution, error)
