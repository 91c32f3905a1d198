"""Rounding errors of trained networks and of their limits, and margins that use them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import Real
from theory.infinite_width import lazy
from theory.margins import Margin, margin, rounding_error
from theory.networks.network import Params, pre_activations


def largest_movement(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: Real
) -> Float[Array, "q m"]:
    """T|a_i|κ(z), the most that h_i(z) can move (`lazy.movement`)."""
    return time * jnp.abs(params.a)[None, :] * lazy.kappa(x, z)[:, None]


def pre_activation_rounding(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: Real, steps: int
) -> Float[Array, "q m"]:
    """First-order bound on the rounding error of h_i(z) after `steps` updates of the weights.

    Every update rounds each weight once, in either sense, and h sums d + 1 products. What the
    gradients add went through sums over n samples and d coordinates, of terms that come to at most
    T|a_i| times `lazy.product_sizes`; by so much |z|·|w_i| + |b_i| can be larger between the
    first and the last step than at `params`, which may be those of either.
    """
    n, d = x.shape
    size = jnp.abs(z) @ jnp.abs(params.w).T + jnp.abs(params.b)[None, :]
    moved = time * jnp.abs(params.a)[None, :] * lazy.product_sizes(x, z)[:, None]
    return rounding_error(d + 4 + 2 * steps, size + moved) + rounding_error(n + d + 8, moved)


def output_rounding(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], time: Real, steps: int
) -> Float[Array, " q"]:
    """First-order bound on the rounding error of f(z) after `steps` updates of the weights."""
    h = pre_activations(params, z)
    carried = pre_activation_rounding(params, x, z, time, steps) @ jnp.abs(params.a)
    return carried + rounding_error(h.shape[1] + 2, jnp.abs(h) @ jnp.abs(params.a))


def limit_rounding(
    x: Float[Array, "n d"], z: Float[Array, "q d"], time: Real, steps: int = 0
) -> Float[Array, " q"]:
    """Bound on the rounding error of k_α(z), α ≤ T: a sum over n samples and d coordinates.

    Φ ≤ 1 is off by 3(d + 12)ε/2π and ⟨x_k, z⟩ + 1 by (d + 1)ε/2 of |x_k|·|z| + 1. Weights α that
    were summed over steps carry one rounding a step more.
    """
    n, d = x.shape
    return rounding_error(n + d + 8 + steps, time * lazy.product_sizes(x, z))


def bound_rounding(
    bound: Float[Array, " q"], x: Float[Array, "n d"], z: Float[Array, "q d"], time: Real
) -> Float[Array, " q"]:
    """First-order bound on the rounding error of the parts of B(z), of `infinite_width.bounds`.

    They are sums of T|⟨x_k, z⟩ + 1|/n and of reaches made of them, times factors of a few units
    at most that went through some fifty roundings.
    """
    return rounding_error(64 + 4 * x.shape[1], bound + time * lazy.product_sizes(x, z))


def same_sign(u: Array, v: Array, u_error: Real, v_error: Real) -> Margin:
    """sgn u = sgn v, with the margin sgn(uv)·min(|u|, |v|)."""
    value = jnp.sign(u) * jnp.sign(v) * jnp.minimum(jnp.abs(u), jnp.abs(v))
    return margin(value, jnp.maximum(u_error, v_error))
