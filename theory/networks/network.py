"""Two-layer networks f(x) = Σ_i a_i φ(⟨w_i, x⟩ + b_i) in the parameterizations of the papers."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._kinds import boolean, shown
from theory._pytrees import register_dataclass
from theory._types import AnyArray, Integer, Real
from theory._validation import (
    LARGEST,
    check_choice,
    check_integer,
    check_real,
    check_slope,
    is_traced,
    takes_arrays,
)


class Params(NamedTuple):
    """Weights of a two-layer network of width m on ℝ^d.

    w: (m, d) hidden weights.  b: (m,) hidden biases (zero where there are none).  a: (m,) readout.
    """

    w: Float[Array, "m d"]
    b: Float[Array, " m"]
    a: Float[Array, " m"]


class Activation(NamedTuple):
    """φ(h, γ) and φ'(h, γ), elementwise; the slope γ is the leaky ReLU's."""

    value: Callable[[Array, Real], Array]
    derivative: Callable[[Array, Real], Array]


ACTIVATIONS: dict[str, Activation] = {
    "leaky relu": Activation(
        lambda h, slope: leaky_relu(h, slope), lambda h, slope: leaky_relu_derivative(h, slope)
    ),
    "erf": Activation(
        lambda h, slope: jax.lax.erf(h),
        lambda h, slope: (2 / math.sqrt(math.pi)) * jnp.exp(-(h**2)),
    ),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A parameterization: activation, initial law, and which weights are trained.

    A pytree of the slope and the scale: one compilation serves every value of them.

    Attributes:
      slope: γ of the leaky ReLU φ(h) = max(h, γh), 0 ≤ γ < 1; γ = 0 is the ReLU.
      bias: whether there are biases, b_i ~ N(0, 1).
      readout: "gaussian", a_i ~ N(0, 1/m), or "signs", +1/√m for the first half and −1/√m for the
        second (m even).
      trained: names of the trained weights, a subset of ("w", "b", "a").
      scale: factor on the standard deviation 1/√d of the hidden weights.
      activation: "leaky relu", or "erf", which is smooth (and has no use for the slope).

    Raises:
      ValueError: for a slope outside [0, 1), a negative scale, an unknown readout or activation,
        and trained weights of other names.
    """

    slope: Real
    bias: bool
    readout: str
    trained: tuple[str, ...]
    scale: Real = 1.0
    activation: str = "leaky relu"

    def __post_init__(self) -> None:
        check_slope(self.slope)
        check_real("scale", self.scale, low=0)
        boolean("bias", self.bias)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("readout", self.readout, ("gaussian", "signs"))
        if not isinstance(self.trained, tuple) or not set(self.trained) <= set(Params._fields):
            raise ValueError(
                f"trained must be a tuple of names among w, b, a, got {shown(self.trained)}"
            )


register_dataclass(Network, lambda _: ("slope", "scale"))


def all_trained(slope: Real = 0.0) -> Network:
    """Z23: w_ij ~ N(0, 1/d), a_i ~ N(0, 1/m), no bias, all weights trained."""
    return Network(slope, bias=False, readout="gaussian", trained=("w", "a"))


def fixed_signs(slope: Real, scale: Real = 1e-3) -> Network:
    """K24a: a_i = ±1/√m frozen, no bias, small hidden weights trained; 0 < γ < 1."""
    check_slope(slope, open_low=True)
    return Network(slope, bias=False, readout="signs", trained=("w",), scale=scale)


def frozen_readout(slope: Real = 0.0, activation: str = "leaky relu") -> Network:
    """K24b: w_ij ~ N(0, 1/d), b_i ~ N(0, 1) trained, a_i ~ N(0, 1/m) frozen."""
    trained = ("w", "b")
    return Network(slope, bias=True, readout="gaussian", trained=trained, activation=activation)


@takes_arrays
def init(network: Network, key: Array, m: int, d: int) -> Params:
    """Draws the initial weights of a network of width m on ℝ^d.

    Raises:
      ValueError: if m or d is not a positive integer, or m is odd where the readout has halves.
    """
    halves = network.readout == "signs"
    check_integer("m", m, low=2 if halves else 1, high=LARGEST, even=halves)
    check_integer("d", d, high=LARGEST)
    normal = jax.random.normal(key, (m, d + 2))  # one call: each costs a second to compile
    return from_normal(network, normal, m)


@takes_arrays
def from_normal(network: Network, normal: Float[AnyArray, "rows e"], m: int) -> Params:
    """Weights made of standard normal numbers, d + 2 for each neuron of a network of width m."""
    rows, d = len(normal), normal.shape[1] - 2
    w = normal[:, :d] * (network.scale / d**0.5)
    b = normal[:, d] if network.bias else jnp.zeros(rows)
    if network.readout == "signs":
        a = jnp.where(jnp.arange(rows) < m // 2, 1.0, -1.0) / m**0.5
    else:
        a = normal[:, d + 1] / m**0.5
    return Params(jnp.asarray(w), jnp.asarray(b), jnp.asarray(a))


@takes_arrays
def split_widths(params: Params, widths: Sequence[int]) -> list[Params]:
    """Independent networks of the given widths from the neurons of one with Gaussian readout.

    Args:
      params: initial weights of width m = sum(widths).
      widths: the widths.

    Returns:
      One `Params` a width, its readout rescaled by √(m/width) to the variance 1/width.

    Raises:
      ValueError: if a width is not positive or they do not add up to m.
    """
    m = len(params.a)
    if sum(widths) != m or any(k < 1 for k in widths):
        raise ValueError(f"widths must be positive and add up to the width {m}, got {list(widths)}")
    ends = list(itertools.accumulate(widths))
    return [
        Params(params.w[e - k : e], params.b[e - k : e], params.a[e - k : e] * (m / k) ** 0.5)
        for e, k in zip(ends, widths, strict=True)
    ]


@takes_arrays
def pad_widths(params: Params, widths: Sequence[int]) -> Params:
    """`split_widths` as one `Params` with a leading axis, for `vmap` over widths.

    Neurons with w = 0, b = 0, a = 0 fill every network up to the largest width. They contribute
    nothing to outputs or kernels, and their gradients vanish under activations with φ(0) = 0: they
    stay what they are in training.

    Args and Raises: as in `split_widths`.

    Returns:
      w: (widths, max(widths), d).  b, a: (widths, max(widths)).
    """
    most = max(widths, default=0)

    def fill(weights: Array) -> Array:
        rows = [(0, most - len(weights))] + [(0, 0)] * (weights.ndim - 1)
        return jnp.pad(weights, rows)

    networks = [jax.tree.map(fill, network) for network in split_widths(params, widths)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *networks)


@takes_arrays
def narrowed(params: Params, m: Integer) -> Params:
    """The first m neurons, with a readout of variance 1/m, in arrays of the same size.

    The other neurons are zero: they add nothing to outputs, gradients and kernels, and stay so in
    training. Networks of all widths up to len(a) thus share one program.

    Args:
      params: initial weights with a Gaussian readout of variance 1/len(a).
      m: width, 1 ≤ m ≤ len(a); may be traced.

    Returns:
      `Params` of the same shapes.

    Raises:
      ValueError: for another width, unless it is traced.
    """
    width = len(params.a)
    if not is_traced(m):
        check_integer("m", m, high=width)
    used = jnp.arange(width) < m
    return Params(
        jnp.where(used[:, None], params.w, 0),
        jnp.where(used, params.b, 0),
        jnp.where(used, params.a * (width / m) ** 0.5, 0),
    )


@takes_arrays
def leaky_relu(h: Float[AnyArray, "..."], slope: Real) -> Float[Array, "..."]:
    """φ(h) = h for h ≥ 0, γh for h < 0."""
    return jnp.where(h >= 0, h, slope * h)


@takes_arrays
def leaky_relu_derivative(h: Float[AnyArray, "..."], slope: Real) -> Float[Array, "..."]:
    """φ'(h) = 1 for h ≥ 0, γ for h < 0."""
    return jnp.where(h >= 0, jnp.ones_like(h), jnp.full_like(h, slope))


@takes_arrays
def pre_activations(params: Params, x: Float[AnyArray, "n d"]) -> Float[Array, "n m"]:
    """h_i(x) = ⟨w_i, x⟩ + b_i for every point and neuron."""
    return jnp.matmul(x, params.w.T) + params.b[None, :]


@takes_arrays
def outputs(params: Params, x: Float[AnyArray, "n d"], slope: Real) -> Float[Array, " n"]:
    """f(x) = Σ_i a_i φ(h_i(x)) for every point, φ the leaky ReLU."""
    return leaky_relu(pre_activations(params, x), slope) @ params.a


@takes_arrays
def apply(network: Network, params: Params, x: Float[AnyArray, "n d"]) -> Float[Array, " n"]:
    """f(x) = Σ_i a_i φ(h_i(x)) for every point, φ the network's own activation."""
    value = ACTIVATIONS[network.activation].value
    return value(pre_activations(params, x), network.slope) @ params.a


@takes_arrays
def input_gradients(params: Params, x: Float[AnyArray, "n d"], slope: Real) -> Float[Array, "n d"]:
    """∇f(x) = Σ_i a_i φ'(h_i(x)) w_i for every point."""
    return (leaky_relu_derivative(pre_activations(params, x), slope) * params.a[None, :]) @ params.w
