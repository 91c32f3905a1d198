"""Networks of any depth as pure functions: with and without biases and residual branches."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray
from theory._validation import check_choice, check_integer, check_real, check_slope, takes_arrays
from theory.networks.network import leaky_relu

PARAMETERIZATIONS = ("ntk", "standard")


class Layer(NamedTuple):
    """One dense layer.  w: (out, in).  b: (out,) zero without biases."""

    w: Float[Array, "out in"]
    b: Float[Array, " out"]


@dataclasses.dataclass(frozen=True)
class DeepNetwork:
    """f(x) = ⟨a, x^L⟩/√n_L, x^ℓ = φ(h^ℓ), h^ℓ = σ_w W^ℓ x^{ℓ−1}/√n_{ℓ−1} + σ_b b^ℓ, x⁰ = x.

    With residual branches all widths are n, x⁰ = W⁰x/√d, and x^ℓ = x^{ℓ−1} + V^ℓ φ(h^ℓ)/√n: the
    branch ends in a layer of its own.

    Attributes:
      widths: (n_1, …, n_L), L ≥ 1.
      slope: γ of the leaky ReLU φ, in [0, 1).
      weight: σ_w > 0.  bias: σ_b ≥ 0.
      parameterization: "ntk", the weights are N(0, 1) and the factors stand in f; "standard", the
        weights have the factors in their law. Both have the same law at initialization.
      residual: whether there are residual branches.

    Raises:
      ValueError: for values out of these ranges, or residual branches between different widths.
    """

    widths: tuple[int, ...]
    slope: float = 0.0
    weight: float = 2**0.5
    bias: float = 0.0
    parameterization: str = "ntk"
    residual: bool = False

    @classmethod
    def critical(cls, widths: tuple[int, ...], slope: float = 0.0) -> "DeepNetwork":
        """Without biases, σ_w² = 2/(1 + γ²): E|x^ℓ|²/n_ℓ is the same in every layer."""
        return cls(widths, slope, (2 / (1 + slope**2)) ** 0.5)

    def __post_init__(self) -> None:
        if not self.widths:
            raise ValueError("widths must be at least one, got ()")
        for number, n in enumerate(self.widths):
            check_integer(f"widths[{number}]", n)
        check_slope(self.slope)
        check_real("weight", self.weight, low=0, open_low=True)
        check_real("bias", self.bias, low=0)
        check_choice("parameterization", self.parameterization, PARAMETERIZATIONS)
        if self.residual and len(set(self.widths)) > 1:
            raise ValueError(f"widths must be equal with residual branches, got {self.widths}")

    def shapes(self, d: int) -> list[tuple[int, int]]:
        """(out, in) of every layer, in the order of `Layer`s."""
        n, deep = self.widths[0], len(self.widths)
        if self.residual:
            return [(n, d), *[(n, n)] * (2 * deep), (1, n)]
        return list(zip((*self.widths, 1), (d, *self.widths), strict=True))

    def scales(self) -> list[tuple[float, float]]:
        """(σ_w, σ_b) of every layer."""
        inner, plain = (self.weight, self.bias), (1.0, 0.0)
        if self.residual:
            return [plain, *[inner, plain] * len(self.widths), plain]
        return [*[inner] * len(self.widths), plain]


@takes_arrays
def init_deep(network: DeepNetwork, key: Array, d: int) -> list[Layer]:
    """Initial weights of all layers.

    Args:
      network: widths and parameterization.
      key: random key.
      d: dimension of the points, ≥ 1.

    Returns:
      One `Layer` of `network.shapes(d)` after the other, the readout last.

    Raises:
      ValueError: if d is no positive integer.
    """
    shapes = network.shapes(check_integer("d", d))
    numbers = jax.random.normal(key, (sum(out * (into + 1) for out, into in shapes),))
    layers, start = [], 0
    for (out, into), (weight, bias) in zip(shapes, network.scales(), strict=True):
        part = numbers[start : start + out * (into + 1)].reshape(out, into + 1)
        start += out * (into + 1)
        ntk = network.parameterization == "ntk"
        w = part[:, :into] * (1.0 if ntk else weight / into**0.5)
        layers.append(Layer(w, part[:, into] * (float(bias > 0) if ntk else bias)))
    return layers


def _check_layers(network: DeepNetwork, layers: list[Layer], x: AnyArray) -> None:
    wanted, got = network.shapes(x.shape[1]), [layer.w.shape for layer in layers]
    if wanted != got:
        raise ValueError(
            f"layers must have the shapes {wanted} for points of dimension {x.shape[1]}, got {got}"
        )


def _dense(layer: Layer, x: Array, scale: tuple[float, float], ntk: bool) -> Array:
    weight, bias = (scale[0] / layer.w.shape[1] ** 0.5, scale[1]) if ntk else (1.0, 1.0)
    return weight * (x @ layer.w.T) + bias * layer.b[None, :]


class Forward(NamedTuple):
    """f: (n,) outputs.  seen: what every layer is given, (n, in)."""

    seen: list[Float[Array, "n _"]]
    f: Float[Array, " n"]


@takes_arrays
def forward(
    network: DeepNetwork,
    layers: list[Layer],
    x: Float[AnyArray, "n d"],
    shifts: list[Array] | None = None,
) -> Forward:
    """f(x), and what every layer is given on the way.

    Args:
      network, layers, x: as for `last_activations`.
      shifts: (n, out) for each layer, added to what it returns: derivatives in them are those in
        the pre-activations.

    Returns:
      A `Forward`.

    Raises:
      ValueError: as `last_activations`.
    """
    _check_layers(network, layers, x)
    ntk, scales = network.parameterization == "ntk", network.scales()
    seen: list[Array] = []

    def dense(at: Array) -> Array:
        k = len(seen)
        seen.append(at)
        h = _dense(layers[k], at, scales[k], ntk)
        return h if shifts is None else h + shifts[k]

    at = jnp.asarray(x)
    at = dense(at) if network.residual else at
    for _ in network.widths:
        branch = leaky_relu(dense(at), network.slope)
        at = at + dense(branch) if network.residual else branch
    f = dense(at)[:, 0]
    return Forward(seen, f)


@takes_arrays
def last_activations(
    network: DeepNetwork, layers: list[Layer], x: Float[AnyArray, "n d"]
) -> Float[Array, "n width"]:
    """x^L of every point.

    Args:
      network: of which the layers are.
      layers: as `init_deep` draws them, in number and shapes.
      x: (n, d) points.

    Returns:
      (n, n_L).

    Raises:
      ValueError: for points that are no matrix, or layers of another network or dimension.
    """
    return forward(network, layers, x).seen[-1]


@takes_arrays
def apply_deep(
    network: DeepNetwork, layers: list[Layer], x: Float[AnyArray, "n d"]
) -> Float[Array, " n"]:
    """f(x) = ⟨a, x^L⟩/√n_L of every point.

    Args:
      network, layers, x: as for `last_activations`.

    Returns:
      (n,).

    Raises:
      ValueError: as `last_activations`.
    """
    return forward(network, layers, x).f
