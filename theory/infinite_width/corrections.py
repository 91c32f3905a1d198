"""Leading corrections of finite width to the kernel and to the mean, for frozen readout (K24b).

f(z) = Σ_i a_i φ(⟨w_i, z⟩ + b_i) with w_i ~ N(0, I/d), b_i ~ N(0, 1) trained and a_i ~ N(0, 1/m)
frozen. Expectations over hidden weights that have no closed form are means over drawn neurons.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, Real
from theory._validation import (
    check_integer,
    check_labels,
    check_points,
    check_real,
    check_slope,
    takes_arrays,
)
from theory.infinite_width import kernels
from theory.networks import embedding
from theory.networks.network import leaky_relu_derivative


@takes_arrays
def kernel_variance(x: Float[AnyArray, "n d"], slope: Real) -> Float[Array, "n n"]:
    """m·Var Θ_m(x_j, x_k) = (3Φ_{γ²} − Φ_γ²)(⟨x_j, x_k⟩ + 1)² at initialization, at every width m.

    Θ_m is the mean of m independent A²φ'(h(x_j))φ'(h(x_k))(⟨x_j, x_k⟩ + 1) with A ~ N(0, 1), E A⁴
    is 3, and (φ'φ')² is the product of derivatives of the leaky ReLU with slope γ².

    Args:
      x: (n, d) points.
      slope: γ, in [0, 1).

    Returns:
      (n, n), entry by entry; its sum is m·E‖Θ_m − Θ‖²_F.

    Raises:
      ValueError: for a slope outside [0, 1).

    Source:
      Ours; explicit constant of J18, Theorem 1.
    """
    check_slope(slope)
    geometry = kernels.pairs(x, x)
    mean, square = geometry.derivative_kernel(slope), geometry.derivative_kernel(slope**2)
    return (3 * square - mean**2) * geometry.products**2


@takes_arrays
def kink_correction(
    key: Array,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    slope: Real,
    T: Real,
    neurons: int,
) -> Float[Array, ""]:
    """C = lim √m·(1/n) Σ_k y_k(f_∞ − E f_m)(x_k; T) under the identity loss, for (leaky) ReLU.

    C = (T²/2π) Σ_k E[D_k | h(x_k) = 0]/σ(x_k), D_k = (u₊ − u₋)²|u₊ + u₋|/c_k where u₊u₋ ≥ 0 and
    (|u₊|³ + |u₋|³)/c_k where not, c_k = ‖x_k‖² + 1, and u_± the speed of h(x_k) per unit of a on
    the two sides of its kink. Derived in docs/statements/ntk.md.

    Args:
      key: random key.
      x, y: (n, d) training points and (n,) labels ±1.
      slope: γ, in [0, 1).
      T: training time, learning rate × steps.
      neurons: drawn with h(x_k) = 0, for every k.

    Returns:
      An unbiased estimate of C.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    check_slope(slope)
    check_integer("neurons", neurons)
    check_real("T", T, low=0)
    n, d = x.shape
    points = embedding.embed(x)  # ⟨points_j, points_k⟩ is the covariance of h(x_j) and h(x_k)
    normal = jax.random.normal(key, (n, neurons, d + 1))
    sigma = jnp.linalg.norm(points, axis=1)
    units = points / sigma[:, None]
    along = jnp.einsum("kid,kd->ki", normal, units)
    h = (normal - along[:, :, None] * units[:, None, :]) @ points.T  # (k, neurons, j)
    products = embedding.biased_products(x, x)
    per_point = y[:, None] * products / n  # (j, k)
    active = leaky_relu_derivative(h, slope)
    weights = per_point * (1 - jnp.eye(n))
    others = jnp.einsum("kij,jk->ki", active, weights)
    own = jnp.diagonal(per_point)[:, None]
    above, below = others + own, others + slope * own
    towards = above * below < 0
    same = (above - below) ** 2 * jnp.abs(above + below)
    loss = jnp.where(towards, jnp.abs(above) ** 3 + jnp.abs(below) ** 3, same)
    mean = jnp.mean(loss, axis=1) / jnp.diagonal(products)
    return T**2 / (2 * math.pi) * jnp.sum(mean / sigma)


@takes_arrays
def smooth_correction(
    key: Array,
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    T: Real,
    steps: int,
    neurons: int,
) -> Float[Array, ""]:
    """C = lim m·(1/n) Σ_k y_k(f_∞ − E f_m)(x_k; T) under the identity loss, for φ = erf.

    With J = (1/n) Σ_k y_kφ(h(x_k)) of a neuron, g = ∇J and H = ∇²J in its weights and bias,
    gradient descent in K steps of T/K leaves J the coefficient of a³

      T³{[(K−1)(K−2)/(6K²) + (K−1)/(2K)]·‖Hg‖² + [(K−1)(2K−1)/(12K²) + 1/6]·∇³J[g, g, g]},

    which tends to T³J'''/6 along gradient flow, and C is −m²E a⁴ = −3 times its mean.

    Args:
      key: random key.
      x, y: (n, d) training points and (n,) labels ±1.
      T: training time, learning rate × steps.
      steps: K.
      neurons: drawn, each counting for both signs of a.

    Returns:
      An unbiased estimate of C.

    Raises:
      ValueError: for arguments outside their range.

    Source:
      Ours.
    """
    check_points("x", x)
    check_labels("y", y, len(x))
    check_integer("steps", steps)
    check_integer("neurons", neurons)
    check_real("T", T, low=0)
    n, d = x.shape
    h = jax.random.normal(key, (neurons, d + 1)) @ embedding.embed(x).T
    products = embedding.biased_products(x, x)
    first = (2 / math.sqrt(math.pi)) * jnp.exp(-(h**2))
    second, third = -2 * h * first, (4 * h**2 - 2) * first
    slopes = (first * y[None, :] / n) @ products  # ⟨g, (x_k, 1)⟩
    bend = second * y[None, :] / n * slopes  # Hg = Σ_k bend_k (x_k, 1)
    curvature = jnp.sum((bend @ products) * bend, axis=1)
    cubic = jnp.sum(third * y[None, :] / n * slopes**3, axis=1)
    for_curvature, for_cubic = _discrete(steps)
    return -3 * T**3 * jnp.mean(for_curvature * curvature + for_cubic * cubic)


def _discrete(steps: int) -> tuple[float, float]:
    """Factors of ‖Hg‖² and ∇³J[g, g, g] after K steps of 1/K; 2/3 and 1/3 for K → ∞."""
    k = steps
    curvature = (k - 1) * (k - 2) / (6 * k**2) + (k - 1) / (2 * k)
    return curvature, (k - 1) * (2 * k - 1) / (12 * k**2) + 1 / 6
