"""Networks of several widths on the same points: what the rates of this family share."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory._types import Real
from theory._validation import is_traced
from theory.data.sampling import data_parameter, draw
from theory.margins import Margin, Measured, at_least, measured, rounding_error
from theory.networks.descent import Descent, descent_for_time
from theory.networks.network import (
    Network,
    Params,
    all_trained,
    apply,
    frozen_readout,
    init,
    pad_widths,
)
from theory.networks.training import train
from theory.parameters import Parameters, parameter
from theory.verification.statement import Hypothesis

T = TypeVar("T")  # a pytree

# Corrections of relative order m^(−1/2) bend the line: over a factor of 16 from m = 64, by 0.02.
TOLERANCE = 0.05


class WidthSetting(Parameters):
    """Networks at widths m_min·2^j on the same points."""

    data: Any = data_parameter("gaussian")
    n: int = fields.points(8, "points")
    d: int = fields.dimension(10)
    slope: float = fields.slope(0.5, "slope γ of the leaky ReLU, beside the ReLU")
    m_min: int = fields.width(64, "smallest width")
    widths: int = fields.number_of_widths(5, "twice")

    @property
    def scales(self) -> np.ndarray:
        """The widths."""
        return self.m_min * 2 ** np.arange(self.widths)


def slope_name(slope: Real) -> str:
    """What reports call the slope; where it is traced, nobody reads it."""
    return "γ" if is_traced(slope) else f"γ = {slope:g}"


def names(slope: Real) -> dict[str, Network]:
    """Both parameterizations with both activations, by what reports call them."""
    return {
        "frozen readout, ReLU": frozen_readout(0.0),
        f"frozen readout, {slope_name(slope)}": frozen_readout(slope),
        "all trained, ReLU": all_trained(0.0),
        f"all trained, {slope_name(slope)}": all_trained(slope),
    }


def for_all(slope: Real, of: Callable[[Network], T]) -> dict[str, T]:
    """name → a function's value for each network of `names`.

    The two activations of a parameterization are two rows of one computation: compiled once.

    Args:
      slope: of the leaky ReLU beside the ReLU.
      of: network, its slope a tracer → pytree of arrays.
    """
    slopes = jnp.stack([jnp.zeros(()), jnp.asarray(slope, float)])
    both = [jax.vmap(lambda s, m=make: of(m(s)))(slopes) for make in (frozen_readout, all_trained)]
    rows = [jax.tree.map(lambda part, i=i: part[i], found) for found in both for i in (0, 1)]
    return dict(zip(names(slope), rows, strict=True))


def initial_networks(key: Array, config: WidthSetting, d: int) -> Params:
    """Independent initial weights of each width, padded to the largest; with biases."""
    widths = [int(m) for m in config.scales]
    return pad_widths(init(frozen_readout(), key, sum(widths), d), widths)


def for_network(network: Network, params: Params) -> Params:
    """The same weights for either parameterization: without biases where it has none."""
    return params if network.bias else params._replace(b=jnp.zeros_like(params.b))


def readout_scales(config: WidthSetting) -> Float[Array, " scales"]:
    """1/m for each width: at this learning rate of the readout the NTK has a limit."""
    return 1 / jnp.asarray(config.scales, float)


LOSSES = {"squared": 1.0, "logistic": 0.25, "identity": 0.0}  # and the largest ℓ''


class TrainingSetting(WidthSetting):
    """Both parameterizations trained, each on a loss: ReLU with frozen readout, leaky ReLU with
    all weights trained."""

    n: int = fields.points(4)
    d: int = fields.dimension(5)
    T: float = fields.training_time(2.0)
    steps: int = fields.steps(5)
    queries: int = fields.queries(3, "test points")
    loss: str = fields.loss("squared", tuple(LOSSES), "loss of the network with frozen readout")
    loss_all: str = parameter("logistic", "loss of the one with all trained", choices=tuple(LOSSES))


class Variant(NamedTuple):
    """A network trained on a loss, and what reports call it."""

    name: str
    network: Network
    loss: str


def variants(config: TrainingSetting) -> list[Variant]:
    """The two networks of a `TrainingSetting`; each one more costs a second to compile."""
    frozen, trained = "frozen readout, ReLU", f"all trained, {slope_name(config.slope)}"
    return [
        Variant(f"{frozen}, {config.loss} loss", frozen_readout(0.0), config.loss),
        Variant(f"{trained}, {config.loss_all} loss", all_trained(config.slope), config.loss_all),
    ]


class TrainedNetwork(NamedTuple):
    """One network before and after training, and what it was trained on.

    x, y: training points and labels.  z: (q, d) test points.  start, end: its weights.
    path: (steps, q) outputs at z after every step.  readout_scale: 1/m.
    """

    variant: Variant
    descent: Descent
    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    z: Float[Array, "q d"]
    start: Params
    end: Params
    path: Float[Array, "steps q"]
    readout_scale: Float[Array, ""]


class Seen(NamedTuple):
    """What is measured of a trained network, one number a claim, and bounds on their errors."""

    value: Float[Array, " rows"]
    error: Float[Array, " rows"]


def train_at_every_width(
    key: Array, config: TrainingSetting, measure: Callable[[TrainedNetwork], Any]
) -> list[Any]:
    """`measure` of a trained network, (scales, …) for each variant, on points drawn once."""
    key_data, key_init = jax.random.split(key)
    x, y, z, _ = draw(key_data, config.data, config.n, config.d, queries=config.queries)
    params = initial_networks(key_init, config, x.shape[1])

    def at_every_width(variant: Variant) -> Any:
        network = variant.network
        descent = descent_for_time(config.T, config.steps, loss=variant.loss)

        def at_width(start: Params, readout_scale: Array) -> Any:
            result = train(
                network, start, x, y, descent, lambda p: apply(network, p, z), readout_scale
            )
            return measure(
                TrainedNetwork(
                    variant, descent, x, y, z, start, result.params, result.trace, readout_scale
                )
            )

        return jax.vmap(at_width)(for_network(network, params), readout_scales(config))

    return [at_every_width(variant) for variant in variants(config)]


class Rates(NamedTuple):
    """found: (claims, scales), the rows of all variants.  step: η ℓ'' tr Θ/n, the largest."""

    found: Measured
    step: Float[Array, ""]


def rates(measure: Callable[[TrainedNetwork], Seen]) -> Callable[[Array, TrainingSetting], Rates]:
    """The sampler of what is measured of both networks at every width."""

    def sample(key: Array, config: TrainingSetting) -> Rates:
        every = train_at_every_width(key, config, lambda t: (measure(t), step_size(t)))
        values = [seen.value.T for seen, _ in every]  # (rows, scales)
        errors = [seen.error.T for seen, _ in every]
        found = measured(jnp.concatenate(values), jnp.concatenate(errors))
        return Rates(found, maximum(jnp.stack([step for _, step in every])))

    return sample


def step_size(trained: TrainedNetwork) -> Float[Array, ""]:
    """η max ℓ'' (1/n) Σ_k Θ(x_k, x_k) of the infinitely wide network, at least η ℓ'' λ_max(Θ)/n.

    Θ(x, x) = ½(1 + γ²)(‖x‖² + β) for a frozen readout, and ½(1 + γ²)(‖x‖²/d + β) more for one that
    is trained at 1/m of the rate; β is 1 with biases and 0 without.
    """
    network, (n, d) = trained.variant.network, trained.x.shape
    squares, bias = jnp.sum(trained.x**2) / n, 1.0 if network.bias else 0.0
    kernel = squares + bias
    if "a" in network.trained:
        kernel = kernel + squares / d + bias
    curvature = LOSSES[trained.variant.loss] * trained.descent.learning_rate
    return curvature * (1 + network.slope**2) / 2 * kernel


def _stable(instance: Rates, _: TrainingSetting) -> Margin:
    return at_least(jnp.asarray(LARGEST_STEP), instance.step, rounding_error(2**12, instance.step))


# Below 2 no step overshoots by more than it mends, in the limit; at finite widths λ_max is larger
# for some networks.
LARGEST_STEP = 1.5
STABLE = {"stable steps": Hypothesis(_stable, "η max ℓ'' tr Θ/n ≤ 1.5")}


def roundings(trained: TrainedNetwork) -> int:
    """The longest chain of a training: every step sums over neurons, samples and coordinates."""
    steps, (n, d), m = len(trained.path), trained.x.shape, len(trained.start.a)
    return (steps + 1) * (m + 2 * n + 4 * d + 64)


def path_rounding(trained: TrainedNetwork) -> Array:
    """Bound on the rounding error of the outputs at the test points along a path of training.

    To first order, of the network and of a limit that starts from the same outputs: the terms of
    an output are |a_i|(Σ_j|w_ij||z_j| + |b_i|), those of what a step adds are below Σ_i a_i² κ(z),
    Σ_i s h_i² times the weights that the loss gives to samples, of the size of the outputs; in a
    stable training no step enlarges errors.
    """

    def terms(params: Params, points: Array) -> Array:
        size = jnp.abs(params.w) @ jnp.abs(points).T + jnp.abs(params.b)[:, None]
        return jnp.abs(params.a) @ size

    both = jnp.concatenate([trained.x, trained.z])
    outputs = jnp.max(terms(trained.start, both)) + jnp.max(terms(trained.end, both))
    kernel = 2 + jnp.max(jnp.sum(both**2, axis=1))
    return rounding_error(roundings(trained), outputs * (1 + kernel))
