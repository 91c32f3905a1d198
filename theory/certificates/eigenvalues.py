"""The smallest eigenvalue and the norm of a symmetric matrix, with bounds on their errors."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum
from theory._types import AnyArray
from theory._validation import takes_arrays
from theory.certificates.linear_solve import SQUARINGS, inner_products, operator_norm
from theory.margins import rounding_error


class Enclosed(NamedTuple):
    """A number and a bound on its numerical error."""

    value: Float[Array, ""]
    error: Float[Array, ""]


@takes_arrays
def enclosed_norm(
    matrix: Float[AnyArray, "n n"], entry_error: Float[AnyArray, "n n"] | float = 0.0
) -> Enclosed:
    """‖M‖ of a symmetric matrix that is known up to stated errors of its entries.

    Squaring overestimates by the factor n^{2^{−31}} at most, and rounds 2n times in the k-th step,
    of which the root 2^{−k} remains; errors E of the entries move it by ‖E‖ ≤ ‖E‖_F (Weyl).

    Args:
      matrix: (n, n) M.
      entry_error: bound on |error of M|, entrywise.

    Returns:
      The `Enclosed` norm.
    """
    n, norm = len(matrix), operator_norm(jnp.asarray(matrix))
    entries = jnp.broadcast_to(jnp.asarray(entry_error, norm.dtype), matrix.shape)
    # A bound in real numbers, of the limit that squaring does not reach.
    short = norm * (2 * math.log(max(n, 2)) / 2**SQUARINGS)
    error = jnp.sqrt(jnp.sum(entries**2)) * (1 + rounding_error(2 * n + 8, 1.0))
    return Enclosed(norm, short + error + rounding_error(4 * n + SQUARINGS + 8, norm))


@takes_arrays
def smallest_eigenvalue(
    matrix: Float[AnyArray, "n n"], entry_error: Float[AnyArray, "n n"] | float = 0.0
) -> Enclosed:
    """λ_min(M) = c − ‖cI − M‖ with c = max_i Σ_j|M_ij| ≥ λ_max(M); arguments as `enclosed_norm`.

    No decomposition is trusted. The error is relative to c, not to λ_min.
    """
    n = len(matrix)
    most = maximum(jnp.sum(jnp.abs(matrix), axis=1))
    shifted = most * jnp.eye(n, dtype=matrix.dtype) - matrix
    norm = enclosed_norm(shifted, entry_error)
    # c is below the row sum by its rounding, and what is taken from the diagonal rounds.
    return Enclosed(most - norm.value, norm.error + rounding_error(2 * n + 8, most))


class Cosines(NamedTuple):
    """Inner products of points scaled to norm 1, 1 on the diagonal, and bounds on their errors.

    values, errors: (n, n).
    """

    values: Float[Array, "n n"]
    errors: Float[Array, "n n"]


@takes_arrays
def cosines(x: Float[AnyArray, "n d"]) -> Cosines:
    """⟨x_i, x_j⟩/(‖x_i‖‖x_j‖); NaN where a point is 0.

    Args:
      x: (n, d) points of any norms.
    """
    gram = inner_products(x, x)
    squares = jnp.diagonal(gram.values)
    lengths = jnp.sqrt(squares)
    scale = lengths[:, None] * lengths[None, :]
    relative = jnp.diagonal(gram.errors) / squares
    # Of first order, twice: errors of the product, of both norms, and four roundings.
    error = 2 * (gram.errors / scale + (relative[:, None] + relative[None, :]) / 2)
    error = error + rounding_error(8, 1.0)
    same = jnp.eye(len(x), dtype=bool)
    known = jnp.isfinite(lengths) & (lengths > 0)
    one = jnp.where(known, 1.0, jnp.nan)[:, None].astype(squares.dtype)
    return Cosines(
        jnp.where(same, one, jnp.clip(gram.values / scale, -1, 1)), jnp.where(same, 0, error)
    )
