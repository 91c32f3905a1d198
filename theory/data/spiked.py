"""Gaussian points with one direction of larger variance, in coordinates of their span."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import check_integer, check_real, takes_arrays


@takes_arrays
def spiked_gaussian(key: Array, n: int, d: Real, variance: Real) -> Float[Array, "n k"]:
    """n points of N(0, diag(v, 1, …, 1)) in ℝ^d, in n + 1 coordinates with the same inner products.

    The first coordinate is the points' own, √v g. What is left of them in the other d − 1 has a
    Wishart Gram matrix, whose Cholesky factor (Bartlett) has normal entries below its diagonal and
    the roots of χ² variables of d − 1, …, d − n degrees of freedom on it: its rows are drawn in
    place of the points, however large d is.

    Args:
      key: random key.
      n: number of points.
      d: dimension, above n.
      variance: v > 0.

    Returns:
      (n, n + 1) coordinates: all that depends on the first coordinates and on inner products has
      the law that it has for points of ℝ^d.

    Raises:
      ValueError: if d is not above n, or the variance is not positive.

    Source:
      M. Bartlett, *Proc. R. Soc. Edinburgh* 53 (1933), for the factor.
    """
    check_integer("n", n)
    check_real("d, above n,", d, low=n, open_low=True)
    check_real("variance", variance, low=0, open_low=True)
    key_normal, key_uniform = jax.random.split(key)
    # One call of either law for all: each costs a tenth of a second to compile.
    normal = jax.random.normal(key_normal, (n, n + 1 + PROPOSALS))
    uniform = jax.random.uniform(key_uniform, (n, 1 + PROPOSALS))
    freedom = jnp.asarray(d, float) - 1 - jnp.arange(n, dtype=float)
    lengths = jnp.sqrt(chi_square(freedom, normal[:, n + 1 :], uniform))
    rest = jnp.tril(normal[:, 1 : n + 1], -1) + jnp.diag(lengths)
    first = jnp.sqrt(jnp.asarray(variance, float)) * normal[:, :1]
    return jnp.concatenate([first, rest], axis=1)


PROPOSALS = 16  # each accepted with probability above 0.95: none is in less than 1 of 10²⁰ cases


@takes_arrays
def chi_square(
    freedom: Float[AnyArray, " n"], normal: Float[AnyArray, "n p"], uniform: Float[AnyArray, "n q"]
) -> Float[Array, " n"]:
    """χ² variables of ν degrees of freedom, by the first of some proposals that rejection takes.

    A proposal is νv with v = (1 + z/√(9a))³ and a = ν/2 − ⅓, taken if log u < z²/2 + a(1 − v +
    log v); below two degrees it is one of ν + 2, times U^{2/ν}. JAX's own sampler draws one number
    after another on CPUs, a millisecond for a few.

    Args:
      freedom: (n,) ν > 0.
      normal: (n, p) standard normal numbers z, one for each proposal.
      uniform: (n, p + 1) numbers in [0, 1): U, then u.

    Returns:
      (n,) the variables; where no proposal is taken, the first of them.

    Source:
      G. Marsaglia, W. Tsang, *ACM Trans. Math. Software* 26 (2000).
    """
    shape = freedom / 2
    small = shape < 1
    a = jnp.where(small, shape + 1, shape) - 1 / 3
    root = 1 + normal / jnp.sqrt(9 * a)[:, None]
    safe = jnp.where(root > 0, root, 1)
    room = normal**2 / 2 + a[:, None] * (1 - safe**3 + 3 * jnp.log(safe))
    taken = (jnp.log(uniform[:, 1:]) < room) & (root > 0)
    first = jnp.argmax(taken, axis=1)
    chosen = jnp.take_along_axis(safe**3, first[:, None], axis=1)[:, 0]
    return 2 * a * chosen * jnp.where(small, uniform[:, 0] ** (1 / shape), 1)
