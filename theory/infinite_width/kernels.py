"""Kernels of two-layer networks: closed forms, finite-width versions, and neural-tangents' own.

Points are embedded as e(x) = (x/√d, 1) where the network has biases and x/√d where it has none, so
pre-activations at initialization are Gaussian with covariance ⟨e(x), e(z)⟩. Where points are given
in coordinates of a subspace (`theory.data.subspace`), d is not their number of columns and is
passed.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._scaling import maximum, power_of_two
from theory._types import AnyArray, Real
from theory._validation import check_slope, takes_arrays, takes_numbers
from theory.infinite_width import _neural_tangents
from theory.infinite_width._angles import angle
from theory.networks.embedding import biased_products, standard_deviation
from theory.networks.network import (
    ACTIVATIONS,
    Network,
    Params,
    leaky_relu_derivative,
    pre_activations,
)

Stax: TypeAlias = tuple[Callable, Callable, Callable]  # (init_fn, apply_fn, kernel_fn)


@takes_arrays
def derivative_kernel_at(theta: Float[AnyArray, "..."], slope: Real) -> Float[Array, "..."]:
    """Φ = γ + (1 − γ)²(π − θ)/(2π) of an angle."""
    return slope + (1 - slope) ** 2 * jnp.subtract(jnp.pi, theta) / (2 * jnp.pi)


@takes_arrays
def derivative_kernel(
    x: Float[AnyArray, "n d"],
    z: Float[AnyArray, "q d"],
    slope: Real,
    bias: bool = True,
    d: int | None = None,
) -> Float[Array, "n q"]:
    """Φ(x, z) = E[φ'(h(x))φ'(h(z))] = γ + (1 − γ)²(π − θ)/(2π), in [γ, (1 + γ²)/2].

    Args:
      x, z: (n, d), (q, d) points.
      slope: γ of the leaky ReLU, in [0, 1).
      bias: whether the network has biases.
      d: dimension, where it is not the number of columns.

    Returns:
      (n, q) kernel matrix.

    Raises:
      ValueError: for a slope outside [0, 1).

    Source:
      CS09 eq. 5 (arc-cosine kernel of order 0).
    """
    check_slope(slope)
    return derivative_kernel_at(angle(x, z, bias, d), slope)


class Pairs(NamedTuple):
    """How points x_j lie to points z_k: what kernels, and bounds on what they predict, are made of.

    theta: (n, q) θ(x_j, z_k).  products: (n, q) ⟨x_j, z_k⟩ + 1, without the 1 where there are no
    biases.  sigma_x, sigma_z: (n,), (q,) σ of either.
    """

    theta: Float[Array, "n q"]
    products: Float[Array, "n q"]
    sigma_x: Float[Array, " n"]
    sigma_z: Float[Array, " q"]

    def derivative_kernel(self, slope: Real) -> Float[Array, "n q"]:
        """Φ(x_j, z_k)."""
        return derivative_kernel_at(self.theta, slope)

    def hidden_ntk(self, slope: Real) -> Float[Array, "n q"]:
        """Θ(x_j, z_k)."""
        return self.derivative_kernel(slope) * self.products

    def nngp(self, slope: Real) -> Float[Array, "n q"]:
        """E[φ(h(x_j))φ(h(z_k))]."""
        return _nngp_at(self.theta, self.sigma_x, self.sigma_z, slope)


@takes_arrays
def pairs(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], bias: bool = True, d: int | None = None
) -> Pairs:
    """The `Pairs` of (n, d) points x and (q, d) points z, for what needs more than one part of it.

    Arguments as in `derivative_kernel`.
    """
    return Pairs(
        angle(x, z, bias, d),
        biased_products(x, z, bias),
        standard_deviation(x, bias, d),
        standard_deviation(z, bias, d),
    )


def _nngp_at(theta: Array, sigma_x: Array, sigma_z: Array, slope: Real) -> Array:
    arc = (jnp.sin(theta) + (jnp.pi - theta) * jnp.cos(theta)) / (2 * jnp.pi)
    scale = sigma_x[:, None] * sigma_z[None, :]
    return scale * (slope * jnp.cos(theta) + (1 - slope) ** 2 * arc)


@takes_arrays
def nngp(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], slope: Real, bias: bool = True
) -> Float[Array, "n q"]:
    """E[φ(h(x))φ(h(z))], the covariance of f(x; 0) and f(z; 0) at every width when a ~ N(0, 1/m).

    σ(x)σ(z)[γ cos θ + (1 − γ)²(sin θ + (π − θ) cos θ)/(2π)].

    Arguments, result and errors as in `derivative_kernel`. Source: CS09 eq. 6 (order 1).
    """
    check_slope(slope)
    sigma_x, sigma_z = standard_deviation(x, bias), standard_deviation(z, bias)
    return _nngp_at(angle(x, z, bias), sigma_x, sigma_z, slope)


@takes_arrays
def hidden_ntk(
    x: Float[AnyArray, "n d"],
    z: Float[AnyArray, "q d"],
    slope: Real,
    bias: bool = True,
    d: int | None = None,
) -> Float[Array, "n q"]:
    """Θ(x, z) = Φ(x, z)(⟨x, z⟩ + 1): the NTK of the hidden layer, readout frozen with variance 1/m.

    Without biases Φ(x, z)⟨x, z⟩. Arguments, result and errors as in `derivative_kernel`.

    Source:
      J18 for one hidden layer.
    """
    return derivative_kernel(x, z, slope, bias, d) * biased_products(x, z, bias)


@takes_arrays
def ntk(
    x: Float[AnyArray, "n d"],
    z: Float[AnyArray, "q d"],
    slope: Real,
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
    check_slope(slope)
    geometry = pairs(x, z, bias)
    return geometry.hidden_ntk(slope) + readout_rate * geometry.nngp(slope)


@takes_arrays
def finite_hidden_ntk(
    params: Params,
    x: Float[AnyArray, "n d"],
    z: Float[AnyArray, "q d"],
    slope: Real,
    bias: bool = True,
) -> Float[Array, "n q"]:
    """Θ_m(x, z) = Σ_i a_i² φ'(h_i(x)) φ'(h_i(z)) (⟨x, z⟩ + 1): the hidden NTK at finite width."""
    at_x = leaky_relu_derivative(pre_activations(params, x), slope)
    at_z = leaky_relu_derivative(pre_activations(params, z), slope)
    return _weighted(params.a, at_x, at_z, biased_products(x, z, bias))


def _weighted(a: Array, at_x: Array, at_z: Array, products: Array) -> Array:
    """Σ_i a_i² u_i(x) v_i(z) times the products, of readouts whose squares are no numbers too."""
    power = power_of_two(maximum(jnp.abs(a)))
    kernel = (at_x * (a / power)[None, :] ** 2) @ at_z.T
    return kernel * (products * power) * power


@takes_arrays
def erf_derivative_kernel(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], bias: bool = True
) -> Float[Array, "n q"]:
    """E[φ'(h(x))φ'(h(z))] = (4/π)/√((1 + 2q_xx)(1 + 2q_zz) − 4q_xz²) for φ = erf.

    q is the covariance ⟨e(x), e(z)⟩ of the pre-activations. The difference is never taken: with
    the cosine ρ of `_erf_cosine` the root is √(1 + 2q_xx)√(1 + 2q_zz)√(1 − ρ²). Source: C.
    Williams, Computing with infinite networks, NeurIPS 1996, whose eq. 11 this is differentiated
    in q_xz.
    """
    return _erf_derivative_at(*_erf_cosine(pairs(x, z, bias)))


@takes_arrays
def erf_nngp(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], bias: bool = True
) -> Float[Array, "n q"]:
    """E[φ(h(x))φ(h(z))] = (2/π) arcsin(2q_xz/√((1 + 2q_xx)(1 + 2q_zz))) for φ = erf.

    Arguments and source as in `erf_derivative_kernel`.
    """
    return _erf_nngp_at(*_erf_cosine(pairs(x, z, bias)))


def _erf_derivative_at(cosine: Array, sine: Array, length_x: Array, length_z: Array) -> Array:
    return (4 / jnp.pi) / (length_x * sine * length_z)  # length_x·sine ≥ 1 does not underflow


def _erf_nngp_at(cosine: Array, sine: Array, length_x: Array, length_z: Array) -> Array:
    return (2 / jnp.pi) * jnp.arctan2(cosine, sine)


def _erf_cosine(geometry: Pairs) -> tuple[Array, Array, Array, Array]:
    """ρ = 2q_xz/(l_x l_z), √(1 − ρ²), and l = √(1 + 2q) of x and of z.

    With s = √(2q/(1 + 2q)) and θ the angle of e(x), e(z): ρ = s_x s_z cos θ, and 1 − ρ² is
    1/(1 + 2q_xx) + s_x²/(1 + 2q_zz) + s_x² s_z² sin²θ, a sum of squares of any size.
    """
    theta = geometry.theta
    sigma_x = 2**0.5 * geometry.sigma_x[:, None]
    sigma_z = 2**0.5 * geometry.sigma_z[None, :]
    length_x, length_z = (jnp.hypot(sigma, jnp.ones_like(sigma)) for sigma in (sigma_x, sigma_z))
    share = sigma_x / length_x
    both = share * (sigma_z / length_z)
    rest = jnp.hypot(1 / length_x, share / length_z)
    return both * jnp.cos(theta), jnp.hypot(rest, both * jnp.sin(theta)), length_x, length_z


@takes_arrays
def network_ntk(
    network: Network, x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"]
) -> Float[Array, "n q"]:
    """The limit of `finite_ntk` at initialization: the NTK of all weights the network trains.

    E[φ'φ'](⟨x, z⟩ + 1), without the 1 where there are no biases, and where the readout is trained,
    at 1/m of the hidden layer's learning rate, E[φφ] in addition.

    Raises:
      ValueError: for networks without Gaussian readout of variance 1/m and hidden weights of
        variance 1/d, or which do not train the hidden weights.
    """
    if network.readout != "gaussian" or network.scale != 1.0 or "w" not in network.trained:
        raise ValueError(f"network must be `all_trained` or `frozen_readout`, got {network}")
    geometry = pairs(x, z, network.bias)
    if network.activation == "erf":
        cosine = _erf_cosine(geometry)
        hidden, readout = _erf_derivative_at(*cosine) * geometry.products, _erf_nngp_at(*cosine)
    else:
        hidden, readout = geometry.hidden_ntk(network.slope), geometry.nngp(network.slope)
    return hidden + readout if "a" in network.trained else hidden


@takes_arrays
def finite_ntk(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n d"],
    z: Float[AnyArray, "q d"],
    readout_scale: Real | None = None,
) -> Float[Array, "n q"]:
    """Θ_m(x, z) = Σ_i [a_i² φ'(h_i(x)) φ'(h_i(z)) (⟨x, z⟩ + 1) + s·φ(h_i(x)) φ(h_i(z))].

    The tangent kernel of the weights that the network trains, so without the second term for a
    frozen readout, and ⟨x, z⟩ in place of ⟨x, z⟩ + 1 without biases.

    Args:
      network: the parameterization.
      params: its weights.
      x, z: (n, d), (q, d) points.
      readout_scale: s, learning rate of the readout over that of the hidden weights; default 1/m.

    Returns:
      (n, q) kernel matrix.
    """
    value, derivative = ACTIVATIONS[network.activation]
    h_x, h_z = pre_activations(params, x), pre_activations(params, z)
    at_x, at_z = derivative(h_x, network.slope), derivative(h_z, network.slope)
    kernel = _weighted(params.a, at_x, at_z, biased_products(x, z, network.bias))
    if "a" not in network.trained:
        return kernel
    scale = 1 / len(params.a) if readout_scale is None else readout_scale
    return kernel + scale * (value(h_x, network.slope) @ value(h_z, network.slope).T)


@takes_numbers
def stax_network(slope: Real, bias: bool = True, readout: bool = False) -> Stax:
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


@takes_arrays
def derivative_kernel_by_neural_tangents(
    x: Float[AnyArray, "n d"], z: Float[AnyArray, "q d"], slope: Real
) -> Float[Array, "n q"]:
    """Φ = ((1+γ)/2)² + ((1−γ)/2)²·K, K the `nngp` of a Dense layer with biases followed by Sign."""
    check_slope(slope)
    stax = _neural_tangents.load().stax
    _, _, kernel_fn = stax.serial(stax.Dense(1, W_std=1.0, b_std=1.0), stax.Sign())
    return ((1 + slope) / 2) ** 2 + ((1 - slope) / 2) ** 2 * kernel_fn(x, z, "nngp")
