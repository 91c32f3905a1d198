"""Infinite-width predictions for the network with frozen Gaussian readout (K24b, NTK).

Under the identity loss f(z; T) → f(z; 0) + T(f̂(z) + β(z)) as the width grows; under any loss
f(z; T) → f(z; 0) + (1/n) Σ_k y_k α_k Θ(x_k, z) with weights α_k(T) ∈ [0, T].
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import row_norms
from theory._types import AnyArray, Real
from theory._validation import takes_arrays, takes_numbers
from theory.infinite_width import lazy
from theory.infinite_width.kernels import Pairs, derivative_kernel, hidden_ntk, pairs
from theory.networks.embedding import biased_products


@takes_arrays
def kappa(x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"]) -> Float[Array, " q"]:
    """κ(z) = (1/n) Σ_k |⟨x_k, z⟩ + 1|: h_i(z) moves no faster than |a_i|κ(z) (K24b)."""
    return jnp.mean(jnp.abs(biased_products(x, z)), axis=0)


@takes_arrays
def product_sizes(x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"]) -> Float[Array, " q"]:
    """(1/n) Σ_k (|x_k|·|z| + 1), absolute values entry by entry: κ(z) before anything cancels.

    ⟨x_k, z⟩ + 1 is off by a few ε of |x_k|·|z| + 1, however small it is itself, and so is all that
    is made of it: κ(z), the limit and its bounds, and what the gradients add to h_i(z).
    """
    return jnp.mean(jnp.abs(x) @ jnp.abs(z).T + 1, axis=0)


@takes_arrays
def f_hat(
    x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], z: Float[AnyArray, "q d"], slope: Real
) -> Float[Array, " q"]:
    """f̂(z) = (1/n) Σ_k y_k Φ(x_k, z)⟨x_k, z⟩, what the weights learn per unit time (K24b)."""
    return jnp.matmul(y, derivative_kernel(x, z, slope) * (x @ z.T)) / len(x)


@takes_arrays
def beta(
    x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], z: Float[AnyArray, "q d"], slope: Real
) -> Float[Array, " q"]:
    """β(z) = (1/n) Σ_k y_k Φ(x_k, z), what the biases learn per unit time (K24b)."""
    return jnp.matmul(y, derivative_kernel(x, z, slope)) / len(x)


@takes_arrays
def signal(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    z: Float[AnyArray, "q d"],
    slope: Real,
    weights: Float[AnyArray, " n"] | Real = 1.0,
    d: int | None = None,
) -> Float[Array, " q"]:
    """k(z) = (1/n) Σ_k y_k α_k Θ(x_k, z); f̂(z) + β(z) with the weights α = 1.

    Args:
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points.
      slope: γ.
      weights: α, (n,) or one number; T·k(z) with α = 1 is the limit under the identity loss.
      d: dimension, where it is not the number of columns (`theory.data.subspace`).

    Returns:
      (q,) values; the infinite-width network is f(z; 0) + k(z) at the weights α(T).
    """
    return jnp.matmul(y * weights, hidden_ntk(x, z, slope, d=d)) / len(x)


@takes_arrays
def mean_gradients(
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: Real,
    weights: Float[AnyArray, " n"] | Real = 1.0,
    d: int | None = None,
) -> Float[Array, "n d"]:
    """q_k = (1/n) Σ_j y_j α_j Φ(x_j, x_k) x_j: what training adds to ∇f(x_k).

    With α = 1 it is added per unit time: ∇f(x_k; T) → ∇f(x_k; 0) + T q_k. Source: K24b.
    """
    return _mean_gradients(derivative_kernel(x, x, slope, d=d), x, y * weights)


def _mean_gradients(phi: Array, x: AnyArray, labels: AnyArray) -> Array:
    """The same from Φ(x_j, x_k) and y_j α_j."""
    return phi.T @ (labels[:, None] * x) / len(x)


@takes_arrays
def signal_gradients(
    x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], z: Float[AnyArray, "q d"], slope: Real
) -> Float[Array, "q d"]:
    """∇k(z) = (1/n) Σ_k y_k[Φ(x_k, z)x_k + (⟨x_k, z⟩ + 1)∇_zΦ(x_k, z)].

    What training adds to ∇f(z) per unit time as m → ∞ under the identity loss. The second term is
    that of the neurons that change their activation at z: few, but all in one sense. At
    z = x_k, where neurons may stick to the kink, it is an estimate and not the limit.

    Args:
      x, y: (n, d) training points and (n,) labels ±1.
      z: (q, d) query points; at z = x_k, where Φ(x_k, ·) has a conical peak, its own ∇_zΦ is 0.
      slope: γ.

    Returns:
      (q, d) gradients.
    """
    return _signal_gradients(pairs(x, z), x, y, z, slope)


def _signal_gradients(geometry: Pairs, x: AnyArray, y: AnyArray, z: AnyArray, slope: Real) -> Array:
    (n, d), theta = x.shape, geometry.theta
    apart = theta > 1e-6
    at_x, at_z = geometry.sigma_x[:, None], geometry.sigma_z[:, None]
    # (⟨x, z⟩ + 1)/(σ(x)σ(z)), of numbers that do not overflow
    product = (x / at_x) @ (z / at_z).T + (1 / at_x) * (1 / at_z).T
    pull = y[:, None] * product / jnp.where(apart, jnp.sin(theta), 1)
    pull = jnp.where(apart, pull, 0) * ((1 - slope) ** 2 / (2 * jnp.pi * d))
    # −∇θ = ∇cos θ/sin θ, and ∇cos θ = (x/(σ(x)σ(z)) − cos θ z/σ(z)²)/d.
    towards = pull.T @ x
    along = jnp.sum(pull * jnp.cos(theta) * at_x, axis=0)
    learned = geometry.derivative_kernel(slope).T @ (y[:, None] * x)
    return (learned + towards - along[:, None] * (z / at_z)) / n


@takes_numbers
def initial_gradient_variance(slope: Real) -> Real:
    """(1 + γ²)/2: E‖∇f(x; 0)‖², as ∇f(x; 0) has covariance ((1 + γ²)/2) I/d at any m and d."""
    return (1 + slope**2) / 2


@takes_numbers
def initial_excess_kurtosis(m: int, slope: Real) -> Real:
    """(3/m)(6(1 + γ⁴)/(1 + γ²)² − 1): excess kurtosis of f(x; 0) at width m; 15/m for the ReLU.

    For Gaussian readout, with and without biases, at every x but the origin of the embedding.
    """
    return 3 / m * (6 * (1 + slope**4) / (1 + slope**2) ** 2 - 1)


@takes_arrays
def cosine_law(
    learned: Float[AnyArray, "n d"], slope: Real, d: int | None = None
) -> Float[Array, " n"]:
    """c_k = ‖v_k‖/√(‖v_k‖² + (1 + γ²)/2): cosine of ∇f(x_k; T) with what training added to it.

    Args:
      learned: (n, d) v_k = T q_k (identity loss), or `mean_gradients` at the weights α.
      slope: γ.
      d: dimension; the law does not depend on it, `absolute_cosine_law` does.

    Returns:
      (n,) predicted cosine between a perturbation and its training-sample sum. Over
      initializations the spread is about (1 − c²)√(1 − c²/2)/√d; the law fails for small d, tiny T
      and T ≳ √m.
    """
    del d
    norm = row_norms(learned)
    return norm / _trained_length(norm, slope)


def _trained_length(norm: Array, slope: Real) -> Array:
    """√(‖v‖² + (1 + γ²)/2) for any size of ‖v‖."""
    return jnp.hypot(norm, jnp.full_like(norm, initial_gradient_variance(slope) ** 0.5))


@takes_arrays
def absolute_cosine_law(
    learned: Float[AnyArray, "n d"], slope: Real, d: int | None = None
) -> Float[Array, " n"]:
    """E|cos| where `cosine_law` is E cos: s√(2/π) e^{−c²/2s²} + c erf(c/(s√2)).

    The mean of the folded normal law of mean c and the spread s = (1 − c²)√(1 − c²/2)/√d over
    initializations. Where nothing is learned, c = 0, it is √(2/(πd)): chance is not 0.

    Arguments and result as in `cosine_law`; d is the number of columns if None.
    """
    c = cosine_law(learned, slope)
    s = (1 - c**2) * jnp.sqrt((1 - c**2 / 2) / (learned.shape[1] if d is None else d))
    ratio = c / jnp.maximum(s, jnp.finfo(c.dtype).tiny) / 2**0.5
    return s * (2 / jnp.pi) ** 0.5 * jnp.exp(-(ratio**2)) + c * jax.scipy.special.erf(ratio)


@takes_arrays
def cosine_law_tolerance(
    x: Float[AnyArray, "n d"], y: Float[AnyArray, " n"], m: int, slope: Real, time: Real
) -> Float[Array, " n"]:
    """How far the mean cosine may be from `cosine_law` at v_k = T q_k, to leading order.

    |c'_k − c_k| + c(1 − c²)/(2d) + √(1 − c²)·T√(3 E‖G‖²/m)/√(‖v_k‖² + (1 + γ²)/2): the gradient of
    the limit is T∇k(x_k) rather than v_k (c' its cosine); the noise has a length and a part along
    v_k; and the kernel fluctuates, with E‖G‖² = (1/n²) Σ_jl y_jy_lΦ(x_j, x_l)⟨x_j, x_l⟩.

    Args:
      x, y: (n, d) training points and (n,) labels ±1.
      m: width.
      slope: γ.
      time: T of the identity loss.

    Returns:
      (n,) tolerances.
    """
    (n, d), geometry = x.shape, pairs(x, x)
    phi = geometry.derivative_kernel(slope)
    learned = time * _mean_gradients(phi, x, y)
    limit = time * _signal_gradients(geometry, x, y, x, slope)
    norm = row_norms(learned)
    unit = learned / jnp.where(norm > 0, norm, 1)[:, None]
    corrected = jnp.sum(unit * (limit / _trained_length(row_norms(limit), slope)[:, None]), axis=1)
    cosine = cosine_law(learned, slope)
    mean_square = y @ (phi * (x @ x.T)) @ y / n**2
    fluctuation = time * jnp.sqrt(3 * mean_square / m) / _trained_length(norm, slope)
    sine = jnp.sqrt(1 - cosine**2)
    return jnp.abs(corrected - cosine) + cosine * sine**2 / (2 * d) + sine * fluctuation


@takes_numbers
def published_thresholds(
    n: int, d: Real, T_f: Real, T_g: Real, epsilon: Real, scenario: str
) -> tuple[Real, Real]:
    """1 + 1/T_f and 1/T_f + (√d/ε)(1/T_g + p), p = 1/√n in scenario a and d/√n in b."""
    labels = (1 if scenario == "a" else d) / n**0.5
    return 1 + 1 / T_f, 1 / T_f + d**0.5 / epsilon * (1 / T_g + labels)


@takes_arrays
def g_hat(
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    points: Float[Array, "n d"],
    z: Float[Array, "q d"],
    slope: Real,
) -> Float[Array, " q"]:
    """ĝ(z) = (1/n) Σ_k Φ(p_k, z)⟨q_k, z⟩, p_k the point r_k or x_k + r_k that g is trained on."""
    learned = lazy.mean_gradients(x, y, slope)
    return jnp.mean(derivative_kernel(points, z, slope) * (learned @ z.T), axis=0)
