"""Gaussian points with one direction of larger variance, in coordinates of their span."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import Real
from theory._validation import check_integer, check_real, takes_numbers


@takes_numbers
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
    check_real("d", d, low=n, open_low=True)
    check_real("variance", variance, low=0, open_low=True)
    key_normal, key_length = jax.random.split(key)
    normal = jax.random.normal(key_normal, (n, n + 1))
    freedom = jnp.asarray(d, float) - 1 - jnp.arange(n, dtype=float)
    lengths = jnp.sqrt(jax.random.chisquare(key_length, freedom))
    rest = jnp.tril(normal[:, 1:], -1) + jnp.diag(lengths)
    first = jnp.sqrt(jnp.asarray(variance, float)) * normal[:, :1]
    return jnp.concatenate([first, rest], axis=1)
