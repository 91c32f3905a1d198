"""A network trained on points of a subspace, seen at a further point of it."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.networks.decay import descend_with_decay
from theory.networks.descent import LOSSES, Descent
from theory.networks.network import (
    Params,
    all_trained,
    init,
    leaky_relu_derivative,
    pre_activations,
)
from theory.parameters import Parameters, parameter

LARGEST_EXPONENT = 600.0  # e^600 = 4e260: what weight decay shrinks, and its inverse, are numbers


class SubspaceSetting(Parameters):
    """Points of an ℓ-dimensional subspace, a network of finite width, and how it is trained."""

    n: int = fields.points(8)
    d: int = fields.dimension(32)
    inside: int = parameter(6, "dimension ℓ of the subspace of the points, below d", low=1)
    m: int = fields.width(16)
    slope: float = fields.slope(0.0)
    rate: float = parameter(0.1, "learning rate η", low=0, open_low=True)
    steps: int = fields.steps(20)
    decay: float = parameter(0.0, "weight decay λ", low=0)
    loss: str = fields.loss("logistic", tuple(LOSSES))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inside < self.d:
            raise ValueError(f"inside must be below d = {self.d}, got {self.inside}")
        left = abs(1 - self.rate * self.decay) if self.decay else 1.0
        if not (left > 0 and 2 * self.steps * abs(math.log(left)) < LARGEST_EXPONENT):
            raise ValueError(
                "decay must leave (1 − rate·decay)^(2·steps) in [1e−260, 1e260], got "
                f"1 − rate·decay = {left:g} in size, and {self.steps} steps"
            )


class Trained(NamedTuple):
    """A trained network and a point of the subspace, which is that of the first ℓ coordinates.

    params: (m, d) and (m,) weights after training.  x: (d,) the point.
    """

    params: Params
    x: Float[Array, " d"]


class Seen(NamedTuple):
    """What is known of a network at a point of the subspace.

    h: (m,) pre-activations.  v: (m,) a_i φ'(h_i).  g: (d − ℓ,) the gradient off the subspace.
    """

    h: Float[Array, " m"]
    v: Float[Array, " m"]
    g: Float[Array, " outside"]


def sample(key: Array, config: SubspaceSetting) -> Trained:
    """Points √(d/ℓ)·N(0, I_ℓ) with labels ±1, and a network trained on them.

    The first ℓ coordinates stand for any subspace: the weights are isotropic.
    """
    key_points, key_labels, key_init = jax.random.split(key, 3)
    scale = (config.d / config.inside) ** 0.5
    points = scale * jax.random.normal(key_points, (config.n + 1, config.inside))
    points = jnp.pad(points, ((0, 0), (0, config.d - config.inside)))
    y = jax.random.rademacher(key_labels, (config.n,), points.dtype)
    network = all_trained(config.slope)
    params = init(network, key_init, config.m, config.d)
    descent = Descent(config.rate, config.steps, config.loss)
    params = descend_with_decay(network, params, points[1:], y, descent, config.decay)
    return Trained(params, points[0])


def seen(trained: Trained, config: SubspaceSetting) -> Seen:
    """Pre-activations, readout of the active neurons, and Π⊥∇f = Π⊥WᵀD a at the point."""
    params = trained.params
    h = pre_activations(params, trained.x[None, :])[0]
    v = params.a * leaky_relu_derivative(h, config.slope)
    return Seen(h, v, v @ params.w[:, config.inside :])
