"""How fast networks of N neurons come near the mean-field limit, and in which dimensions."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory._scaling import maximum
from theory.infinite_width.mean_field import mean_field_risks
from theory.margins import Measured, measured, rounding_error
from theory.networks.population import population_flow
from theory.parameters import Parameters, parameter
from theory.statements.meanfield.regime import SHORT_STEPS
from theory.verification.claims import Claim
from theory.verification.kinds import Rate
from theory.verification.statement import Statement

SOURCE = "Mei et al. 2019, Theorem 1 (A)"
FIRST_PART = 2  # of the time: what comes after is claimed by itself, as most is off at the start


class FlowSetting(Parameters):
    """Neurons that learn one neuron, and for how long."""

    T: float = fields.training_time(2.0, "time T")
    steps: int = fields.steps(4, "Runge–Kutta steps", low=FIRST_PART)


class WidthSetting(FlowSetting):
    """Numbers of neurons that double."""

    d: int = fields.dimension(8, low=4)
    N_min: int = fields.width(2, "the smallest number of neurons N")
    widths: int = fields.number_of_widths(5, "twice")

    @property
    def scales(self) -> np.ndarray:
        """N."""
        return self.N_min * 2.0 ** np.arange(self.widths)


class DimensionSetting(FlowSetting):
    """Dimensions that double."""

    N: int = fields.width(8, "neurons N")
    d_min: int = fields.dimension(8, "the smallest dimension", low=4)
    dimensions: int = parameter(5, "dimensions, each twice the one before", low=5, high=12)

    @property
    def scales(self) -> np.ndarray:
        """d."""
        return self.d_min * 2.0 ** np.arange(self.dimensions)


class Seen(NamedTuple):
    """What is measured, one number a claim, and bounds on their errors."""

    value: Float[Array, " claims"]
    error: Float[Array, " claims"]


def initial_weights(key: Array, neurons: int, d: int, used: Any) -> Float[Array, "neurons d"]:
    """θ = (s, θ_⊥), s ~ N(0, 1), θ_⊥ ~ N(0, I/(used − 1)) in the first `used` of d coordinates."""
    drawn = jax.random.normal(key, (neurons, d))
    place = jnp.arange(d, dtype=drawn.dtype)[None, :]
    across = jnp.where(place < used, drawn / (used - 1) ** 0.5, 0.0)
    return jnp.where(place == 0, drawn, across)


def _limits(dimensions: Iterable[Any], config: FlowSetting, like: Array) -> tuple[Array, Array]:
    """(len, K + 1) risks of the limit in each dimension, and what its quadrature may be off by."""
    found = [mean_field_risks(int(d), config.T, config.steps) for d in dimensions]
    risks, errors = (np.stack(part) for part in zip(*found, strict=True))
    return jnp.asarray(risks, like.dtype), jnp.asarray(errors, like.dtype)


def apart(
    theta: Float[Array, "neurons d"],
    weights: Float[Array, " neurons"],
    limit: tuple[Float[Array, " times"], Float[Array, " times"]],
    config: FlowSetting,
) -> Seen:
    """(2,) largest |R_N − R_∞| over all steps and over those from T/2 on, and their error."""
    teacher = jnp.zeros_like(theta[0]).at[0].set(1.0)
    risks = population_flow(theta, teacher, weights, config.T, config.steps)
    distance, late = jnp.abs(risks - limit[0]), config.steps // FIRST_PART
    # Four stages a step, of sums over neurons and coordinates; terms of a risk add up to 4.
    chain = (4 * config.steps + 1) * (2 * sum(theta.shape) + 64)
    error = rounding_error(chain, 4 + distance) + limit[1]
    return Seen(*(jnp.stack([maximum(x), maximum(x[late:])]) for x in (distance, error)))


def _at_widths(key: Array, config: WidthSetting) -> Measured:
    """(2, scales): the first N of the same neurons, the others of weight 0."""
    most = int(config.scales[-1])
    theta = initial_weights(key, most, config.d, config.d)
    risks, error = _limits([config.d], config, theta)

    def at(number: Array) -> Seen:
        weights = jnp.where(jnp.arange(most, dtype=theta.dtype) < number, 1 / number, 0.0)
        return apart(theta, weights, (risks[0], error[0]), config)

    seen = jax.lax.map(at, jnp.asarray(config.scales, theta.dtype))
    return measured(seen.value.T, seen.error.T)


def _at_dimensions(key: Array, config: DimensionSetting) -> Measured:
    """(2, scales): other neurons in every dimension; coordinates beyond it are 0 and stay so."""
    most, weights = int(config.scales[-1]), jnp.full(config.N, 1 / config.N)

    def at(parts: tuple[Array, ...]) -> Seen:
        own, used, risks, error = parts
        return apart(initial_weights(own, config.N, most, used), weights, (risks, error), config)

    keys = jax.random.split(key, config.dimensions)
    limits = _limits(config.scales, config, weights)
    seen = jax.lax.map(at, (keys, jnp.asarray(config.scales, weights.dtype), *limits))
    return measured(seen.value.T, seen.error.T)


def _claims(value: float, resolution: float, tolerance: float) -> Callable[[Any], Any]:
    def claims(_: FlowSetting) -> tuple[Claim, ...]:
        names = ("exponent", "exponent from T/2 on")
        return tuple(
            Claim(value, resolution, side="at most", name=name, tolerance=tolerance)
            for name in names
        )

    return claims


SETTING = (
    "f = (1/N)Σ erf⟨θ_i, x⟩ learns erf⟨e_1, x⟩ by gradient flow on its population risk R_N, "
    "x ~ N(0, I), from independent θ_i ~ N(0, diag(1, 1/(d−1), …)); R_∞ is that of the mean-field "
    "limit, by quadrature. "
)
STATEMENTS = (
    Statement[WidthSetting, Measured](
        id="meanfield.width",
        title="the risk of N neurons comes near its mean-field limit like N^(−1/2) or faster",
        says=SETTING + "sup over t ≤ T of |R_N − R_∞| falls like N^{−1/2} or faster, and so does "
        "what is left of it from T/2 on. The theorem's constants Ke^{KT} are not specified and its "
        "√log N is not resolved: the exponent alone is tested.",
        source=f"{SOURCE}, the rate in N without noise",
        sample=_at_widths,
        hypotheses=SHORT_STEPS,
        claim=Rate(
            quantity=lambda found, _: found,
            claims=_claims(-0.5, 0.15, 0.05),
            scales=lambda config: config.scales,
        ),
        config=WidthSetting(),
        draws={"quick": 500, "full": 5000},
        batch=50,
    ),
    Statement[DimensionSetting, Measured](
        id="meanfield.dimension",
        title="that distance does not grow with the dimension",
        says=SETTING + "At a fixed N, sup over t ≤ T of |R_N − R_∞| does not grow with d, nor does "
        "what is left of it from T/2 on: the exponent in d is at most 0. Bounds before that "
        "theorem had √d there, an exponent of ½.",
        source=f"{SOURCE}, the first term without a dimension",
        sample=_at_dimensions,
        hypotheses=SHORT_STEPS,
        claim=Rate(
            quantity=lambda found, _: found,
            claims=_claims(0.0, 0.15, 0.05),
            scales=lambda config: config.scales,
        ),
        config=DimensionSetting(),
        draws={"quick": 400, "full": 4000},
        batch=200,
    ),
)
