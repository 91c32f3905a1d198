"""Tangent kernels of networks of any depth, and gradient descent on all of their weights."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._types import AnyArray, PyTree, Real
from theory._validation import check_labels, check_points, check_real, takes_arrays
from theory.networks.deep import DeepNetwork, Layer, apply_deep, forward
from theory.networks.descent import Descent, loss_weights, mean_loss


class Rate(NamedTuple):
    """Learning rates of the w and the b of one layer, over that of the descent."""

    w: Real
    b: Real


EQUAL = Rate(1.0, 1.0)


class Narrowed(NamedTuple):
    """Part of a network in the standard parameterization.

    layers: of all layers' shapes, 0 for neurons that are left out.  rates: with which it trains as
    in the NTK parameterization.
    """

    layers: list[Layer]
    rates: list[Rate]


@takes_arrays
def first_neurons(network: DeepNetwork, layers: list[Layer], n: Real) -> Narrowed:
    """The network of the first n neurons of every layer; n may be traced.

    Its weights are those of the wide one, so that networks of several widths cost the random
    numbers of the widest, and one program serves all.

    Args:
      network: NTK parameterization, all widths equal.
      layers: its weights.
      n: from 1 to that width.

    Returns:
      A `Narrowed`: in the standard parameterization of the wide network it has the outputs, the
      tangent kernel and the training of a network of width n in the NTK parameterization.

    Raises:
      ValueError: for another parameterization, different widths, or n out of its range, unless it
        is traced.
    """
    if network.parameterization != "ntk" or len(set(network.widths)) > 1:
        raise ValueError(
            f"network must have the parameterization ntk and equal widths, got {network}"
        )
    check_real("n", n, low=1, high=network.widths[0])
    dtype = layers[0].w.dtype
    n = jnp.asarray(n, dtype)
    kept = jnp.arange(network.widths[0], dtype=dtype) < n
    found, rates = [], []
    for k, (layer, (weight, bias)) in enumerate(zip(layers, network.scales(), strict=True)):
        out = kept if k + 1 < len(layers) else jnp.ones(1, bool)
        into, fan = (kept, n) if k else (jnp.ones(layer.w.shape[1], bool), layer.w.shape[1])
        scale = weight / jnp.sqrt(jnp.asarray(fan, dtype))
        w = jnp.where(out[:, None] & into[None, :], scale * layer.w, 0.0)
        found.append(Layer(w, jnp.where(out, bias * layer.b, 0.0)))
        rates.append(Rate(scale**2, bias**2))
    return Narrowed(found, rates)


@takes_arrays
def deep_ntk(
    network: DeepNetwork,
    layers: list[Layer],
    x: Float[AnyArray, "n d"],
    rates: list[Rate] | None = None,
) -> Float[Array, "n n"]:
    """Θ(x_j, x_k) = Σ_ℓ r_ℓ⟨∂f(x_j)/∂W^ℓ, ∂f(x_k)/∂W^ℓ⟩ + r'_ℓ⟨∂f(x_j)/∂b^ℓ, ∂f(x_k)/∂b^ℓ⟩.

    Every layer by two products of (n, n): of what it sees, and of the derivatives in what it
    returns, ⟨x^{ℓ−1}_j, x^{ℓ−1}_k⟩⟨δ^ℓ_j, δ^ℓ_k⟩. No derivative in a weight is held.

    Args:
      network: of which the layers are.
      layers: its weights.
      x: (n, d) points.
      rates: r_ℓ and r'_ℓ, a `Rate` for each layer; 1 by default. Biases that a network does not
        have are not trained.

    Returns:
      (n, n), symmetric and positive semi-definite.

    Raises:
      ValueError: for points that are no matrix, layers of another network or dimension, or another
        number of rates than layers.

    Source: Jacot et al. 2018, section 4.
    """
    x = jnp.asarray(x)
    shifts = [jnp.zeros((len(x), layer.w.shape[0]), x.dtype) for layer in layers]

    def outputs(shifts: list[Array]) -> tuple[Array, list[Array]]:
        seen, f = forward(network, layers, x, shifts)
        return f, seen

    f, pull_back, seen = jax.vjp(outputs, shifts, has_aux=True)
    (deltas,) = pull_back(jnp.ones_like(f))
    kernel = jnp.zeros((len(x), len(x)), x.dtype)
    each = zip(_rates(network, layers, rates), network.scales(), seen, deltas, strict=True)
    for rate, (weight, bias), at, delta in each:
        if network.parameterization == "ntk":  # the factors stand in f, and in its derivatives
            rate = Rate(rate.w * weight**2 / at.shape[1], rate.b * bias**2)
        kernel = kernel + (rate.w * (at @ at.T) + rate.b) * (delta @ delta.T)
    return kernel


def _rates(network: DeepNetwork, layers: list[Layer], rates: list[Rate] | None) -> list[Rate]:
    """Of every layer; 0 for biases that the network does not have."""
    if rates is not None and len(rates) != len(layers):
        raise ValueError(f"rates must be {len(layers)}, one a layer, got {len(rates)}")
    given = [EQUAL] * len(layers) if rates is None else rates
    biases = [float(bias > 0) for _, bias in network.scales()]
    return [Rate(rate.w, rate.b * has) for rate, has in zip(given, biases, strict=True)]


class DeepTraining(NamedTuple):
    """Trained layers, and what was observed after every step."""

    layers: list[Layer]
    trace: PyTree


@takes_arrays
def train_deep(
    network: DeepNetwork,
    layers: list[Layer],
    x: Float[AnyArray, "n d"],
    y: Float[AnyArray, " n"],
    descent: Descent,
    observe: Callable[[list[Layer]], PyTree],
    rates: list[Rate] | None = None,
) -> DeepTraining:
    """Trains all weights, and the biases of a network that has some.

    Args:
      network: of which the layers are.
      layers: initial weights.
      x: (n, d) training points.
      y: (n,) labels ±1.
      descent: optimizer, loss, number of steps.
      observe: called with the layers after every step.
      rates: of each layer, over the learning rate of the descent; 1 by default.

    Returns:
      A `DeepTraining` with the trace (steps, …).

    Raises:
      ValueError: for points that are no finite matrix of the layers' dimension, labels that are not
        ±1, layers of another network, or another number of rates than layers.
    """
    check_points("x", x, d=layers[0].w.shape[1])
    check_labels("y", y, len(x))
    optimizer, each = descent.transformation(), _rates(network, layers, rates)
    x, y = jnp.asarray(x), jnp.asarray(y)

    def step(state: PyTree, _: None) -> tuple[PyTree, PyTree]:
        layers, memory = state
        f, pull_back = jax.vjp(lambda at: apply_deep(network, at, x), layers)
        s = -y * f
        (gradient,) = pull_back(-y * loss_weights(descent, s) / len(y))
        gradient = [
            Layer(rate.w * part.w, rate.b * part.b)
            for rate, part in zip(each, gradient, strict=True)
        ]
        updates, memory = optimizer.update(gradient, memory, value=mean_loss(descent, s))
        layers = jax.tree.map(jnp.add, layers, updates)
        return (layers, memory), observe(layers)

    start = layers, optimizer.init(layers)
    (layers, _), trace = jax.lax.scan(step, start, length=int(descent.steps))
    return DeepTraining(layers, trace)
