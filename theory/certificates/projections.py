"""Orthogonal projections with a bound on their numerical error."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import whole_norm
from theory._types import AnyArray
from theory._validation import takes_arrays
from theory.margins import rounding_error


class Residual(NamedTuple):
    """What a projection leaves of a vector.

    value: (d,) approximation v of Π⊥u.  error: bound on ‖v − Π⊥u‖; infinite where the points are
    linearly dependent up to rounding.
    """

    value: Float[Array, " d"]
    error: Float[Array, ""]


@takes_arrays
def project_out(u: Float[AnyArray, " d"], x: Float[AnyArray, "n d"]) -> Residual:
    """Π⊥u, the part of u orthogonal to all rows of x, and a bound on its error.

    v is computed by QR, but the bound believes nothing about QR. For any v, any c with
    e = u − v − xᵀc and any (n, d) matrix Y with ‖Yxᵀ − 1‖ < 1,

        ‖v − Π⊥u‖ ≤ ‖xv‖·‖Y‖/(1 − ‖Yxᵀ − 1‖) + ‖e‖,

    since v − Π⊥u = Πv − Π⊥e, and the fraction bounds 1/σ_min(x). Every term is computed, in the
    Frobenius norm, and its own rounding added.

    Args:
      u: (d,) the vector.
      x: (n, d) points, n ≤ d, taken as exact.

    Returns:
      The `Residual`.

    Raises:
      ValueError: if n > d.
    """
    n, d = x.shape
    if n > d:
        raise ValueError(f"x must have at most d = {d} rows to be projected out, got {n}")
    basis, triangle = jnp.linalg.qr(x.T)
    inverse = jax.scipy.linalg.solve_triangular(triangle, basis.T)
    v = u - basis @ (basis.T @ u)
    v = v - basis @ (basis.T @ v)

    coefficients = inverse @ (u - v)
    rest = jnp.abs(u - v - coefficients @ x) + rounding_error(
        n + 4, jnp.abs(u) + jnp.abs(v) + jnp.abs(coefficients) @ jnp.abs(x)
    )
    overlap = jnp.abs(x @ v) + rounding_error(d + 2, jnp.abs(x) @ jnp.abs(v))
    identity = jnp.eye(n)
    defect = jnp.abs(inverse @ x.T - identity) + rounding_error(
        d + 2, jnp.abs(inverse) @ jnp.abs(x).T + identity
    )
    defect = whole_norm(defect)
    independent = defect < 0.5
    inverse_norm = whole_norm(inverse) / jnp.where(independent, 1 - defect, 1.0)
    error = whole_norm(overlap) * inverse_norm + whole_norm(rest)
    error = error + rounding_error(n * d + 8, error)  # of the norms and of this line
    known = independent & jnp.isfinite(error)
    return Residual(jnp.where(known, v, 0.0), jnp.where(known, error, jnp.inf))
