"""Powers of two that keep squares from overflowing and underflowing; scaling by them is exact."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray


def power_of_two(size: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """2^k with 2^k ≤ size < 2^{k+1}, k held to where 2^k and 2^{−k} are normal numbers; 1 for 0.

    A constant under differentiation: what is divided by it is multiplied by it again later.
    """
    _, exponent = jnp.frexp(jax.lax.stop_gradient(size))
    limit = jnp.finfo(size.dtype).maxexp - 3
    exponent = jnp.clip(exponent - 1, -limit, limit)
    return jnp.where(size > 0, jnp.ldexp(jnp.ones_like(size), exponent), 1)


def scaled_rows(v: Float[AnyArray, "n d"]) -> tuple[Float[Array, "n d"], Float[Array, "n 1"]]:
    """Every row over a power of two near its largest entry, and that power."""
    power = power_of_two(jnp.max(jnp.abs(v), axis=1, keepdims=True))
    return jnp.divide(v, power), power


def row_norms(v: Float[AnyArray, "n d"]) -> Float[Array, " n"]:
    """‖v_k‖ of every row, wherever it is a number of this precision."""
    scaled, power = scaled_rows(v)
    return jnp.linalg.norm(scaled, axis=1) * power[:, 0]


def whole_norm(v: Float[AnyArray, "..."]) -> Float[Array, ""]:
    """‖v‖ over all entries (Frobenius), wherever it is a number of this precision."""
    return row_norms(v.reshape(1, -1))[0]


def maximum(v: Float[AnyArray, "..."]) -> Float[Array, ""]:
    """The largest entry; NaN if any is, which XLA's own reduction of many entries may forget."""
    return jnp.where(jnp.any(jnp.isnan(v)), jnp.nan, jnp.max(v))


def minimum(v: Float[AnyArray, "..."]) -> Float[Array, ""]:
    """The smallest entry; NaN if any is."""
    return -maximum(-v)
