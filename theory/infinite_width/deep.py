"""Kernels of networks of any depth at the critical variance, and how far they come with depth.

Bias-free leaky ReLU, σ_w² = 2/(1 + γ²): E|x^ℓ|²/n is the same in every layer, and all that changes
is the angle between two points.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import check_integer, check_real, check_slope, takes_arrays, takes_numbers
from theory.infinite_width._angles import angle
from theory.networks.network import leaky_relu


class Angles(NamedTuple):
    """Two points after some layers.

    theta: their angle.  ntk: Θ(x, x') over the mean square of the points, all layers trained.
    """

    theta: Float[Array, "..."]
    ntk: Float[Array, "..."]


@takes_numbers
def kink(slope: Real) -> Real:
    """c = (1 − γ)²/(1 + γ²), by which a layer bends angles: 1 for ReLU, 0 for a linear layer."""
    return (1 - slope) ** 2 / (1 + slope**2)


@takes_arrays
def next_angles(at: Angles, slope: Real) -> Angles:
    """One more hidden layer: cos θ' = cos θ + c(sin θ − θ cos θ)/π, Θ' = cos θ' + Θ(1 − cθ/π).

    c is `kink(slope)`. θ' by its half, sin²(θ'/2) = sin²(θ/2) − c(sin θ − θ cos θ)/(2π), which
    loses no digits where θ is small.

    Args:
      at: `Angles` of any shape, θ in [0, π].
      slope: γ in [0, 1).

    Returns:
      The `Angles` after the layer.

    Source: Cho and Saul 2009, eq. 5 and 6; Jacot et al. 2018, Theorem 1.
    """
    theta = jnp.asarray(at.theta)
    c = kink(slope)
    grown = sine_excess(theta)
    half = jnp.maximum(jnp.sin(theta / 2) ** 2 - c * grown / (2 * jnp.pi), 0)
    below = 2 * jnp.arcsin(jnp.sqrt(half))
    return Angles(below, (1 - 2 * half) + at.ntk * (1 - c * theta / jnp.pi))


@takes_arrays
def sine_excess(theta: Float[AnyArray, "..."]) -> Float[Array, "..."]:
    """sin θ − θ cos θ = θ³/3 − θ⁵/30 + θ⁷/840 − …, by the series below ½."""
    theta = jnp.asarray(theta)
    square, term, total = theta**2, theta**3 / 3, jnp.zeros_like(theta)
    for k in range(1, 9):  # the term of θ^{2k+1} is 2k/(2k + 1)!, of alternating sign
        total = total + term
        term = -term * square * (k + 1) / (k * (2 * k + 2) * (2 * k + 3))
    return jnp.where(jnp.abs(theta) < 0.5, total, jnp.sin(theta) - theta * jnp.cos(theta))


@takes_arrays
def ntk_at_depths(
    theta: Float[AnyArray, "..."], depths: tuple[int, ...], slope: Real
) -> Float[Array, "depths ..."]:
    """Θ_L(x, x')/(L + 1) over the mean square of the points: 1 on the diagonal.

    Args:
      theta: angles between points.
      depths: increasing numbers L ≥ 1 of hidden layers.
      slope: γ in [0, 1).

    Returns:
      One array of angles' shape for every depth.

    Raises:
      ValueError: for depths that do not increase, or a slope out of its range.
    """
    check_slope(slope)
    for k, depth in enumerate(depths):
        check_integer(f"depths[{k}]", depth, low=1 if k == 0 else depths[k - 1] + 1)
    theta = jnp.asarray(theta)
    at, done, found = Angles(theta, jnp.cos(theta)), 0, []
    for depth in depths:
        at = jax.lax.fori_loop(done, depth, lambda _, a: next_angles(a, slope), at)
        found.append(at.ntk / (depth + 1))
        done = depth
    return jnp.stack(found)


@takes_arrays
def limit_ntk(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], depths: tuple[int, ...], slope: Real
) -> Float[Array, "depths n q"]:
    """Θ_L(x, z) = |x||z|/d · (L + 1) · `ntk_at_depths` of their angle, for points of any length.

    Args:
      x, z: (n, d), (q, d) points.
      depths: increasing numbers L ≥ 1 of hidden layers.
      slope: γ in [0, 1).

    Returns:
      One (n, q) matrix for every depth, what `theory.networks.deep_tangents.deep_ntk` approaches.

    Raises:
      ValueError: for depths that do not increase, or a slope out of its range.

    Source: Jacot et al. 2018, Theorem 1.
    """
    x, z = jnp.asarray(x), jnp.asarray(z)
    found = ntk_at_depths(angle(x, z, bias=False), depths, slope)
    lengths = jnp.linalg.norm(x, axis=1)[:, None] * jnp.linalg.norm(z, axis=1)[None, :]
    layers = jnp.asarray(depths, x.dtype)[:, None, None] + 1
    return layers * (lengths / x.shape[1])[None] * found


@takes_numbers
def fourth_moment_excess(slope: float) -> float:
    """b = 6(1 + γ⁴)/(1 + γ²)² − 1, the variance of 2φ(ξ)²/(1 + γ²), ξ ~ N(0, 1): 5 for ReLU.

    γ in [0, 1), or a ValueError. Source: ours, docs/statements/deep.md.
    """
    return 6 * (1 + slope**4) / (1 + slope**2) ** 2 - 1


def _check_widths(widths: tuple[int, ...]) -> None:
    for number, n in enumerate(widths):
        check_integer(f"widths[{number}]", n)


@takes_numbers
def mean_square_moment(widths: tuple[int, ...], slope: float) -> float:
    """E q_L² = Π_ℓ (1 + b/n_ℓ), q_L the mean square of the last activations over its mean.

    Args:
      widths: n_1, …, n_L, positive.
      slope: γ in [0, 1).

    Raises:
      ValueError: for arguments out of their ranges.

    Source: ours, docs/statements/deep.md.
    """
    _check_widths(widths)
    return float(np.prod(1 + fourth_moment_excess(slope) / np.array(widths, float)))


@takes_arrays
def sample_mean_squares(
    key: Array, widths: tuple[int, ...], slope: Real, draws: int
) -> Float[Array, " draws"]:
    """q_L of networks whose weights are never drawn: Π_ℓ (1/n_ℓ) Σ_i 2φ(ξ_{ℓi})²/(1 + γ²).

    Args:
      key: random key.
      widths: n_1, …, n_L, positive.
      slope: γ in [0, 1).
      draws: how many, ≥ 1.

    Returns:
      (draws,), in the default precision.

    Raises:
      ValueError: for arguments out of their ranges.

    Source: ours, docs/statements/deep.md.
    """
    _check_widths(widths)
    check_integer("draws", draws)
    found = jnp.ones(draws)
    for k, n in zip(jax.random.split(key, len(widths)), widths, strict=True):
        xi = jax.random.normal(k, (draws, n))
        square = leaky_relu(xi, slope) ** 2
        found = found * jnp.mean(2 * square / (1 + slope**2), axis=1)
    return found


@takes_numbers
def ntk_second_moment(widths: tuple[int, ...], slope: float) -> float:
    """E Θ(x, x)²/(E Θ(x, x))² of a finite network, all layers trained.

    Π_ℓ(1 + b/n_ℓ)·(⅓ + ⅔(L + 1)⁻² Σ_{j,k=0}^{L} Π_{min(j,k)<ℓ≤max(j,k)} (n_ℓ − 1)/(n_ℓ + b)), b as
    in `fourth_moment_excess`, exactly, at every width and point.

    Args:
      widths: n_1, …, n_L, positive.
      slope: γ in [0, 1).

    Raises:
      ValueError: for arguments out of their ranges.

    Source: ours, docs/statements/deep.md.
    """
    q = mean_square_moment(widths, slope)
    b = fourth_moment_excess(slope)
    to_k, pairs = 1.0, 1.0  # Σ_{j≤k} of the products up to k, and Σ over pairs up to k
    for n in widths:
        to_k = 1 + (n - 1) / (n + b) * to_k
        pairs += 2 * to_k - 1
    return q * (1 + 2 * pairs / (len(widths) + 1) ** 2) / 3


@takes_numbers
def ntk_second_moment_on_ray(ratio: float, slope: float) -> float:
    """What `ntk_second_moment` goes to where L and n grow with L/n = β: e^{bβ}(⅓ + ⅔g((b + 1)β)).

    g(x) = 2(e^{−x} − 1 + x)/x², which falls from 1 to 0: between e^{bβ}/3 and e^{bβ}.

    Args:
      ratio: β > 0.
      slope: γ in [0, 1).

    Raises:
      ValueError: for arguments out of their ranges.

    Source: ours, docs/statements/deep.md.
    """
    check_real("ratio", ratio, low=0, open_low=True)
    b = fourth_moment_excess(slope)
    x = (b + 1) * ratio
    # Below 10⁻⁴ the series, of which x³/30 is left out: the difference would lose half the digits.
    g = 1 - x / 3 + x**2 / 12 if x < 1e-4 else 2 * (math.expm1(-x) + x) / x**2
    return math.exp(b * ratio) * (1 + 2 * g) / 3
