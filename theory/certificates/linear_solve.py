"""Linear systems solved with a proof: the solution comes with a bound on its own error."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, scaled_rows
from theory._types import AnyArray
from theory._validation import takes_arrays
from theory.margins import rounding_error

AT_ONCE = 2**28  # sums within blocks that are kept at a time: 1 GiB in float32


class InnerProducts(NamedTuple):
    """Inner products of two sets of points, and a bound on the rounding error of each.

    values, errors: (n, q).
    """

    values: Float[Array, "n q"]
    errors: Float[Array, "n q"]


@takes_arrays
def inner_products(x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"]) -> InnerProducts:
    """⟨x_j, z_k⟩, summed in √d blocks of √d coordinates, so that rounding grows like √d and not d.

    Sums over blocks wait for the sums within them: a compiler that merged both into one sum of d
    terms would keep its value in real numbers, but not the bound.

    Args:
      x: (n, d) points.
      z: (q, d) points.

    Returns:
      The `InnerProducts`; |error_jk| ≤ γ_{2√d}‖x_j‖‖z_k‖ by the Cauchy–Schwarz inequality, and the
      smallest normal number for every product that may underflow. The bound leaves room for the
      rounding of one more factor.
    """
    d = x.shape[1]
    block = math.isqrt(d - 1) + 1
    blocks = -(-d // block)

    def split(points: AnyArray) -> Array:
        padded = jnp.pad(points, ((0, 0), (0, blocks * block - d)))
        return padded.reshape(len(points), blocks, block)

    left, right = split(x), split(z)

    def by_blocks(rows: Array) -> Array:
        """⟨x_j, z_k⟩ of some x."""
        within = jnp.einsum("jbi,kbi->bjk", rows, right, precision=jax.lax.Precision.HIGHEST)
        return jnp.sum(jax.lax.optimization_barrier(within), axis=0)

    if blocks * len(x) * len(z) <= AT_ONCE:
        values = by_blocks(left)
    else:
        rows = max(1, AT_ONCE // (blocks * len(z)))
        values = jax.lax.map(lambda row: by_blocks(row[None])[0], left, batch_size=rows)
    scaled, powers = zip(scaled_rows(x), scaled_rows(z), strict=True)
    squares = [jnp.sum(split(part) ** 2, axis=2) for part in scaled]
    squares = jax.lax.optimization_barrier(squares)
    lengths = [
        jnp.sqrt(jnp.sum(part, axis=1)) * p[:, 0] for part, p in zip(squares, powers, strict=True)
    ]
    chain = block + blocks + 8  # the lengths are computed, too, and a factor multiplies
    errors = rounding_error(chain, lengths[0][:, None] * lengths[1][None, :])
    return InnerProducts(values, errors + 4 * d * jnp.finfo(x.dtype).tiny)


class Enclosure(NamedTuple):
    """An approximate solution of Av = b with a proven bound on its error.

    solution: (n,).
    error: bound on the error of every entry; infinite where A is too nearly singular to tell.
    """

    solution: Float[Array, " n"]
    error: Float[Array, ""]


@takes_arrays
@jax.default_matmul_precision("highest")
def enclosed_solution(
    system: Float[AnyArray, "n n"],
    right: Float[AnyArray, " n"],
    system_error: Float[AnyArray, "n n"] | float = 0.0,
    right_error: Float[AnyArray, " n"] | float = 0.0,
) -> Enclosure:
    """Solves Av = b for a symmetric positive definite A; A and b are known up to stated errors.

    With an approximate inverse C and β = ‖I − CA‖_∞ < 1, A is regular and
    ‖v − ṽ‖_∞ = ‖(CA)⁻¹C(b − Aṽ)‖_∞ ≤ max_j (|C||b − Aṽ|)_j/(1 − β), for any ṽ. Nothing is asked of
    C and ṽ, which come from a Cholesky factor that is not trusted; β and the residual b − Aṽ carry
    the rounding of their own computation and the errors of A and b.

    Args:
      system: (n, n) A.
      right: (n,) b.
      system_error: bound on |error of A|, entrywise.
      right_error: bound on |error of b|, entrywise.

    Returns:
      The `Enclosure`. Where there is no proof, its error is infinite and the solution is what the
      arithmetic gave, or zeros if that is not finite.

    Source:
      S. Rump, *Verification methods*, Acta Numerica 19 (2010), section 10.
    """
    n = len(right)
    lower = jnp.linalg.cholesky(system)
    inverse = jax.scipy.linalg.cho_solve((lower, True), jnp.eye(n, dtype=system.dtype))
    inverse = jnp.where(jnp.isfinite(inverse).all(), inverse, 0)
    size = jnp.abs(inverse)
    solution = inverse @ right
    solution = solution + inverse @ (right - system @ solution)  # one step of refinement
    identity = jnp.eye(n, dtype=system.dtype)
    uncertain = jnp.broadcast_to(jnp.asarray(system_error, system.dtype), system.shape)
    defect = jnp.abs(identity - inverse @ system) + size @ uncertain
    defect = defect + rounding_error(n + 2, size @ jnp.abs(system) + identity)
    beta = maximum(jnp.sum(defect, axis=1)) * (1 + rounding_error(2 * n, jnp.ones((), size.dtype)))
    residual = jnp.abs(right - system @ solution) + uncertain @ jnp.abs(solution) + right_error
    residual = residual + rounding_error(
        n + 2, jnp.abs(right) + jnp.abs(system) @ jnp.abs(solution)
    )
    proven = beta < 1
    slack = 1 + rounding_error(4 * n + 8, jnp.ones((), size.dtype))
    error = slack * maximum(size @ residual) / jnp.where(proven, 1 - beta, 1)
    known = proven & jnp.isfinite(error)
    usable = jnp.isfinite(solution).all()
    return Enclosure(jnp.where(usable, solution, 0), jnp.where(known, error, jnp.inf))


SQUARINGS = 30


def operator_norm(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """‖M‖ = lim ‖M^p‖_F^{1/p} of a symmetric matrix, p = 2^30 by squaring: to a factor n^{1/(2p)}.

    `_norm_error` bounds its error.

    Without LAPACK: several of its batched decompositions in one program have been seen to block
    each other for good on JAX's CPU thread pool.
    """

    def square(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        power, log_norm = state
        power = power @ power
        size = jnp.linalg.norm(power)
        return power / size, log_norm + jnp.log(size) * 0.5 ** (k + 1).astype(power.dtype)

    size = jnp.linalg.norm(matrix)
    scaled = matrix / jnp.where(size > 0, size, 1)
    _, log_norm = jax.lax.fori_loop(0, SQUARINGS, square, (scaled, jnp.zeros((), matrix.dtype)))
    return jnp.where(size > 0, size * jnp.exp(log_norm), 0)
