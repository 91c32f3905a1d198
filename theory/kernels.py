"""Kernels of two-layer networks: closed forms, finite-width versions, and neural-tangents' own.

Points are embedded as e(x) = (x/√d, 1) where the network has biases and x/√d where it has none, so
pre-activations at initialization are Gaussian with covariance ⟨e(x), e(z)⟩.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import _neural_tangents
from theory._validation import check_slope
from theory.networks import Params, leaky_relu_derivative, pre_activations


def embed(x: Float[Array, "n d"], bias: bool = True) -> Float[Array, "n e"]:
    """e(x) = (x/√d, 1), or x/√d without biases."""
    scaled = x / x.shape[1] ** 0.5
    return jnp.concatenate([scaled, jnp.ones_like(x[:, :1])], axis=1) if bias else scaled


def standard_deviation(x: Float[Array, "n d"], bias: bool = True) -> Float[Array, " n"]:
    """σ(x) = ‖e(x)‖, the standard deviation of a pre-activation: √(‖x‖²/d + 1) with biases."""
    return jnp.linalg.norm(embed(x, bias), axis=1)


def angle(x: Float[Array, "n d"], z: Float[Array, "q d"], bias: bool = True) -> Float[Array, "n q"]:
    """θ(x, z), the angle between e(x) and e(z), in radians in [0, π].

    θ = 2·atan2(‖u − v‖, ‖u + v‖) with the unit vectors u, v along e(x), e(z), accurate to rounding
    at every angle; arccos of the cosine loses half the digits near 0 and π. A point embedded at
    the origin is at angle π/2 to every other.
    """

    def unit(points: Array) -> Array:
        embedded = embed(points, bias)
        norms = jnp.linalg.norm(embedded, axis=1, keepdims=True)
        return embedded / jnp.where(norms > 0, norms, 1)

    u = unit(x)

    def to_all(v: Array) -> Array:  # one query against all points: O(n d) memory
        return 2 * jnp.arctan2(
            jnp.linalg.norm(u - v[None, :], axis=1), jnp.linalg.norm(u + v[None, :], axis=1)
        )

    return jax.lax.map(to_all, unit(z), batch_size=16).T


def derivative_kernel(
    x: Float[Array, "n d"], z: Float[Array, "q d"], slope: float, bias: bool = True
) -> Float[Array, "n q"]:
    """Φ(x, z) = E[φ'(h(x))φ'(h(z))] = γ + (1 − γ)²(π − θ)/(2π), in [γ, (1 + γ²)/2].

    Args:
      x, z: (n, d), (q, d) points.
      slope: γ of the leaky ReLU, in [0, 1).
      bias: whether the network has biases.

    Returns:
      (n, q) kernel matrix.

    Raises:
      ValueError: for a slope outside [0, 1).

    Source:
      CS09 eq. 5 (arc-cosine kernel of order 0).
    """
    check_slope(slope)
    return slope + (1 - slope) ** 2 * (jnp.pi - angle(x, z, bias)) / (2 * jnp.pi)


def nngp(
    x: Float[Array, "n d"], z: Float[Array, "q d"], slope: float, bias: bool = True
) -> Float[Array, "n q"]:
    """E[φ(h(x))φ(h(z))], the covariance of f(x; 0) and f(z; 0) at every width when a ~ N(0, 1/m).

    σ(x)σ(z)[γ cos θ + (1 − γ)²(sin θ + (π − θ) cos θ)/(2π)].

    Arguments, result and errors as in `derivative_kernel`. Source: CS09 eq. 6 (order 1).
    """
    check_slope(slope)
    theta = angle(x, z, bias)
    arc = (jnp.sin(theta) + (jnp.pi - theta) * jnp.cos(theta)) / (2 * jnp.pi)
    scale = standard_deviation(x, bias)[:, None] * standard_deviation(z, bias)[None, :]
    return scale * (slope * jnp.cos(theta) + (1 - slope) ** 2 * arc)


def inner_products(
    x: Float[Array, "n d"], z: Float[Array, "q d"], bias: bool = True
) -> Float[Array, "n q"]:
    """⟨x, z⟩ + 1 with biases, ⟨x, z⟩ without: the NTK of the hidden layer before activation."""
    return x @ z.T + float(bias)


def hidden_ntk(
    x: Float[Array, "n d"], z: Float[Array, "q d"], slope: float, bias: bool = True
) -> Float[Array, "n q"]:
    """Θ(x, z) = Φ(x, z)(⟨x, z⟩ + 1): the NTK of the hidden layer, readout frozen with variance 1/m.

    Without biases Φ(x, z)⟨x, z⟩. Arguments, result and errors as in `derivative_kernel`.

    Source:
      J18 for one hidden layer.
    """
    return derivative_kernel(x, z, slope, bias) * inner_products(x, z, bias)


def ntk(
    x: Float[Array, "n d"],
    z: Float[Array, "q d"],
    slope: float,
    bias: bool = True,
    readout_rate: float = 1.0,
) -> Float[Array, "n q"]:
    """The NTK with both layers trained: Θ(x, z) + c·E[φ(h(x))φ(h(z))].

    Args:
      readout_rate: c = m × (learning rate of the readout)/(learning rate of the hidden layer).
        With equal rates c = m and the kernel diverges with the width; c = 1 is the limit when the
        readout learns at 1/m of the rate.

    Other arguments, result and errors as in `derivative_kernel`. Source: J18.
    """
    return hidden_ntk(x, z, slope, bias) + readout_rate * nngp(x, z, slope, bias)


def finite_hidden_ntk(
    params: Params, x: Float[Array, "n d"], z: Float[Array, "q d"], slope: float, bias: bool = True
) -> Float[Array, "n q"]:
    """Θ_m(x, z) = Σ_i a_i² φ'(h_i(x)) φ'(h_i(z)) (⟨x, z⟩ + 1): the hidden NTK at finite width."""
    at_x = leaky_relu_derivative(pre_activations(params, x), slope)
    at_z = leaky_relu_derivative(pre_activations(params, z), slope)
    return (at_x * params.a[None, :] ** 2) @ at_z.T * inner_products(x, z, bias)


def stax_network(slope: float, bias: bool = True, readout: bool = False) -> Any:
    """The same network in neural-tangents: (init_fn, apply_fn, kernel_fn) from `stax.serial`.

    Without `readout` the network ends at the activation, and the `ntk` of its `kernel_fn` is
    `hidden_ntk` and the `nngp` is `nngp`. With it a readout layer in the NTK parameterization
    follows, and the `ntk` is `ntk` at readout_rate 1.
    """
    check_slope(slope)
    stax = _neural_tangents.load().stax
    b_std = 1.0 if bias else None
    layers = [
        stax.Dense(1, W_std=1.0, b_std=b_std, parameterization="standard"),
        stax.ABRelu(slope, 1.0),
    ]
    if readout:
        layers.append(stax.Dense(1, W_std=1.0, b_std=None, parameterization="ntk"))
    return stax.serial(*layers)


def derivative_kernel_by_neural_tangents(
    x: Float[Array, "n d"], z: Float[Array, "q d"], slope: float
) -> Float[Array, "n q"]:
    """Φ = ((1+γ)/2)² + ((1−γ)/2)²·K, K the `nngp` of a Dense layer with biases followed by Sign."""
    check_slope(slope)
    stax = _neural_tangents.load().stax
    _, _, kernel_fn = stax.serial(stax.Dense(1, W_std=1.0, b_std=1.0), stax.Sign())
    return ((1 + slope) / 2) ** 2 + ((1 - slope) / 2) ** 2 * kernel_fn(x, z, "nngp")
