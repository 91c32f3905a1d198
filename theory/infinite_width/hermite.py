"""Kernels of unit points as power series: Hermite coefficients ζ_k = E[σ(ξ)h_k(ξ)], ξ ~ N(0, 1).

h_k are the normalized Hermite polynomials of probabilists, E[h_j h_k] = 1[j = k]. Where ⟨x_i, x_i⟩
= 1, the kernel E_w[σ(⟨w, x_i⟩)σ(⟨w, x_j⟩)], w ~ N(0, I), is Σ_k ζ_k²⟨x_i, x_j⟩^k.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import check_choice, check_integer, check_slope, takes_arrays

ACTIVATIONS = ("relu", "sine")
SERIES = 40  # terms of E[sin²] = e⁻¹ Σ 1/k!; the first that is left out is below 1e-50


class Moments(NamedTuple):
    """Of an activation σ at ξ ~ N(0, 1).

    square: E σ² = Σ_k ζ_k².  fourth: E σ⁴.  derivative: E σ'² = Σ_k kζ_k².
    """

    square: Real
    fourth: Real
    derivative: Real


def moments(activation: str, slope: Real = 0.0) -> Moments:
    """E σ², E σ⁴ and E σ'² in closed form.

    Args:
      activation: "relu", max(h, γh); or "sine", sin h.
      slope: γ in [0, 1), of "relu".

    Raises:
      ValueError: for another activation or a slope outside [0, 1).
    """
    _check(activation, slope)
    if activation == "sine":  # E cos 2ξ = e^{−2}, E cos 4ξ = e^{−8}
        fourth = (3 - 4 * math.exp(-2) + math.exp(-8)) / 8
        return Moments((1 - math.exp(-2)) / 2, fourth, (1 + math.exp(-2)) / 2)
    return Moments((1 + slope**2) / 2, 3 * (1 + slope**4) / 2, (1 + slope**2) / 2)


def coefficients(activation: str, degree: int, slope: Real = 0.0) -> tuple[Real, ...]:
    """ζ_0, …, ζ_degree in closed form.

    Leaky ReLU: (1 − γ)/√(2π), (1 + γ)/2, and for even k ≥ 2, by E[σh_k] = E[σ''He_{k−2}]/√k!,
    (1 − γ)(−1)^{k/2−1}(k − 3)!!/√(2π k!); odd ones beyond the first vanish. sin: 0 for even k, and
    (−1)^{(k−1)/2} e^{−1/2}/√k! for odd ones.

    Args:
      activation, slope: as in `moments`.
      degree: ≥ 0.

    Returns:
      degree + 1 numbers.

    Raises:
      ValueError: as `moments`, and for a negative degree.
    """
    _check(activation, slope)
    check_integer("degree", degree, low=0)
    one = _of_sine if activation == "sine" else _of_relu
    return tuple(one(k, slope) for k in range(degree + 1))


def _of_relu(k: int, slope: Real) -> Real:
    if k == 1:
        return (1 + slope) / 2
    if k % 2:
        return 0.0 * slope
    below = math.prod(range(k - 3, 0, -2))  # (k − 3)!!, 1 for k = 0 and 2
    sign = -1 if k > 2 and (k // 2) % 2 == 0 else 1
    return (1 - slope) * sign * below / math.sqrt(2 * math.pi * math.factorial(k))


def _of_sine(k: int, slope: Real) -> Real:
    del slope
    return (-1) ** (k // 2) * math.exp(-0.5) / math.sqrt(math.factorial(k)) if k % 2 else 0.0


def tail(activation: str, degree: int, slope: Real = 0.0) -> Real:
    """σ²_{>ℓ} = Σ_{k>ℓ} ζ_k², ℓ = degree; arguments and errors as of `coefficients`.

    Of the ReLU as E σ² less the coefficients up to ℓ, as the series converges like ℓ^{−3/2}; of the
    sine, whose differences would cancel, as the series itself.
    """
    if activation == "sine":
        return sum(z**2 for z in coefficients(activation, degree + SERIES)[degree + 1 :])
    return moments(activation, slope).square - sum(
        z**2 for z in coefficients(activation, degree, slope)
    )


def by_quadrature(
    function: Callable[[np.ndarray], np.ndarray], degree: int, nodes: int = 200
) -> Float[np.ndarray, " k"]:
    """ζ_0, …, ζ_degree of any function that is smooth on either side of 0.

    By Gauss and Legendre on [−12, 0] and [0, 12]; e^{−72} is what the density has left beyond.

    Args:
      function: σ, of arrays.
      degree: ≥ 0, at most some dozens: h_k(12) grows.
      nodes: on either side.
    """
    points, weights = np.polynomial.legendre.leggauss(nodes)
    at = np.concatenate([6 * points - 6, 6 * points + 6])
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi) * 6 * np.concatenate([weights, weights])
    before, now = np.zeros_like(at), np.ones_like(at)
    found = []
    for k in range(degree + 1):  # √(k + 1)·h_{k+1} = ξh_k − √k·h_{k−1}
        found.append(float(np.sum(density * now * function(at))))
        before, now = now, (at * now - np.sqrt(k) * before) / np.sqrt(k + 1)
    return np.array(found)


@takes_arrays
def dual_kernel(
    cosines: Float[AnyArray, "n q"], activation: str, slope: Real = 0.0
) -> Float[Array, "n q"]:
    """Σ_k ζ_k²ρ^k = E[σ(u)σ(v)] of standard normal u, v with correlation ρ, in closed form.

    Leaky ReLU: γρ + (1 − γ)²(sin θ + (π − θ)ρ)/(2π), θ = arccos ρ. sin: e^{−1} sinh ρ.

    Args:
      cosines: (n, q) ρ in [−1, 1].
      activation, slope: as in `moments`.

    Returns:
      (n, q); what an error δ of ρ does to an entry is at most δ·E σ'².

    Raises:
      ValueError: as `moments`.

    Source:
      CS09 eq. 6 for the ReLU; E cos(u ∓ v) = e^{−1±ρ} for the sine.
    """
    _check(activation, slope)
    if activation == "sine":
        return jnp.multiply(math.exp(-1), jnp.sinh(cosines))
    inside = (1 - cosines) * (1 + cosines)
    sine = jnp.where(inside > 0, jnp.sqrt(jnp.where(inside > 0, inside, 1)), 0)
    theta = jnp.arctan2(sine, cosines)
    arc = (sine + (math.pi - theta) * cosines) / (2 * math.pi)
    return jnp.add(slope * cosines, (1 - slope) ** 2 * arc)


@takes_arrays
def truncated_kernel(
    cosines: Float[AnyArray, "n n"], activation: str, degree: int, slope: Real = 0.0
) -> Float[Array, "n n"]:
    """K_ℓ = Σ_{k≤ℓ} ζ_k²(XᵀX)^{⊙k} + σ²_{>ℓ}I, ℓ = degree; errors as of `coefficients`."""
    total = tail(activation, degree, slope) * jnp.eye(len(cosines), dtype=cosines.dtype)
    power = jnp.ones_like(cosines)
    for zeta in coefficients(activation, degree, slope):
        total, power = total + zeta**2 * power, power * cosines
    return total


def _check(activation: str, slope: Real) -> None:
    check_choice("activation", activation, ACTIVATIONS)
    check_slope(slope)
