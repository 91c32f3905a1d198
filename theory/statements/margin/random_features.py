"""The margin that gradient ascent on the readout of random features reaches, at every time."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import fields
from theory.certificates.feature_margin import (
    Bounds,
    largest_entry,
    margin_bounds,
    nearest_weights,
)
from theory.data.sampling import data_parameter, draw, to_sphere
from theory.margins import Margin, at_least, margin, rounding_error
from theory.networks.readout import Ascent, normalized_ascent
from theory.parameters import Parameters, parameter
from theory.verification.domains import Reals
from theory.verification.kinds import Deterministic
from theory.verification.stages import Staged
from theory.verification.statement import Hypothesis, OnData, Statement

SOURCE = "Chizat and Bach 2020, Proposition 7"
FEATURES = {"relu": lambda h: jnp.maximum(h, 0), "sine": jnp.sin}


class FeatureSetting(Parameters):
    """Points with labels, random features of them, and how long the readout is trained."""

    data: Any = data_parameter("separated-gaussian")
    n: int = fields.points(4)
    d: int = fields.dimension(5)
    m: int = fields.width(50, "features")
    activation: str = parameter("relu", "σ of the features", choices=tuple(FEATURES))
    steps: int = fields.steps(10_000, "steps t")


class Features(NamedTuple):
    """z: (n, m) y_iσ(b_j + x_iᵀc_j) of unit points, c_j ~ N(0, I) and b_j ~ N(0, 1)."""

    z: Float[Array, "n m"]


def sample_features(key: Array, earlier: Staged, config: FeatureSetting) -> Features:
    """Unit points of the law, and fresh features of them."""
    key_data, key_c, key_b = jax.random.split(key, 3)
    sample = draw(key_data, config.data, config.n, config.d, queries=0)
    d = sample.x.shape[1]
    x = to_sphere(sample.x) / math.sqrt(d)
    c, b = jax.random.normal(key_c, (config.m, d)), jax.random.normal(key_b, (config.m,))
    return Features(sample.y[:, None] * FEATURES[config.activation](x @ c.T + b[None, :]))


def _path(key: Array, earlier: Staged, config: FeatureSetting) -> Ascent:
    return normalized_ascent(earlier.features.z, config.steps)


def _weights(drawn: Staged) -> np.ndarray:
    """(n,) a proposal for the dual of γ₂, which `margin_bounds` proves on either side."""
    return nearest_weights(np.asarray(drawn.features.z))


def _bounds(instance: Staged) -> Bounds:
    z: Array = instance.features.z
    return margin_bounds(z / math.sqrt(z.shape[1]), instance.solution)


def _separable(instance: Staged, _: FeatureSetting) -> Margin:
    found = _bounds(instance)
    middle, half = (found.low + found.high) / 2, (found.high - found.low) / 2
    return margin(middle, half + rounding_error(8, jnp.abs(found.low) + found.high))


# (γ₂, ‖z‖_∞, t, log n, the path) → what the margin reaches at least; it grows with γ₂.
Guarantee = Callable[[Array, Array, int, float, Ascent], Array]


def printed(gamma: Array, size: Array, t: int, log_n: float, path: Ascent) -> Array:
    """γ₂ − (‖z‖_∞/√t)(2√2 + √3 log n/γ₂)."""
    del path
    return gamma - size / math.sqrt(t) * (2 * math.sqrt(2) + math.sqrt(3) * log_n / gamma)


def sharp(gamma: Array, size: Array, t: int, log_n: float, path: Ascent) -> Array:
    """γ₂ − 3‖z‖_∞/√(2t) − (log n/t)Σ_{s<t} 1/β(s)."""
    return gamma - 3 * size / math.sqrt(2 * t) - log_n / t * path.inverses


def _guaranteed(
    instance: Staged, config: FeatureSetting, guarantee: Guarantee
) -> tuple[Array, Array, Array]:
    """What is guaranteed for γ₂ between its bounds: low and high end, and rounding of either."""
    z, found, path = instance.features.z, _bounds(instance), instance.path
    (n, m), t, size = z.shape, config.steps, largest_entry(z)

    def of(gamma: Array) -> Array:
        usable = gamma > 0
        value = guarantee(jnp.where(usable, gamma, 1), size, t, math.log(n), path)
        return jnp.where(usable, value, -jnp.inf)

    # Rounded steps are steps on functions that are off by their rounding, and what a step rounds
    # counts B√(t/2) times in the sum of squared distances: a bound on the guarantee for the path
    # as computed, not on how far it is from the exact one.
    rounding = rounding_error(n + m + 16, size * (2 + 2 * math.sqrt(t)) + 1)
    inverses = math.log(n) * rounding_error(2 * t + 8, 1.0)
    return of(found.low), of(found.high), rounding + inverses.astype(rounding.dtype)


def _long_enough(guarantee: Guarantee) -> Hypothesis:
    def check(instance: Staged, config: FeatureSetting) -> Margin:
        low, high, error = _guaranteed(instance, config, guarantee)
        # Where γ₂ > 0 is not certain, nothing is known but that no more than `high` is guaranteed.
        known = jnp.isfinite(low)
        value = jnp.where(known, (low + high) / 2, high)
        half = jnp.where(known, (high - low) / 2, jnp.where(high < -error, 0, jnp.inf))
        return margin(value, error + half)

    return Hypothesis(check, "what is guaranteed is positive; at s = 0 every margin is 0")


def _reaches(guarantee: Guarantee) -> Callable[[Staged, FeatureSetting], Margin]:
    def conclusion(instance: Staged, config: FeatureSetting) -> Margin:
        low, high, error = _guaranteed(instance, config, guarantee)
        known = jnp.isfinite(low)
        value, half = (jnp.where(known, part, 0) for part in ((low + high) / 2, (high - low) / 2))
        error = error + jnp.where(known, half, jnp.inf)
        best = instance.path.best
        sums = rounding_error(instance.features.z.shape[1] + 8, largest_entry(instance.features.z))
        return at_least(best, value, error + sums)

    return conclusion


def _statement(
    id: str, title: str, says: str, source: str, guarantee: Guarantee, config: FeatureSetting
) -> Statement:
    return Statement[FeatureSetting, Staged](
        id=id,
        title=title,
        says=says,
        source=source,
        stages={"features": sample_features, "path": _path},
        solve=_weights,
        hypotheses={
            "separable": Hypothesis(_separable, "γ₂ > 0, by certified bounds on both sides"),
            "long enough": _long_enough(guarantee),
        },
        claim=Deterministic(conclusion=_reaches(guarantee)),
        config=config,
        domain={"z": Reals()},
        draws={"quick": 32, "full": 500},
        data=True,
        on_data={"digits": OnData({"n": 8, "m": 200, "activation": "sine"})},
        batch=32,
    )


STATEMENTS = (
    _statement(
        "margin.random-features",
        "ascent on the readout of random features comes near the largest margin like 1/√t",
        "r ← r + ηm∇F(r), F(r) = −log((1/n)Σ_i exp(−(1/m)Σ_j z_ij r_j)), r(0) = 0, a = r/m, β(t) = "
        "max{1, max_{s≤t} √m‖a(s)‖₂}, η(t) = β(t)√2/(‖z‖_∞√(t+1)): if γ₂ = max_{√m‖a‖₂≤1} "
        "min_i z_iᵀa > 0, then max_{s<t} min_i z_iᵀa(s)/β(s) ≥ γ₂ − (‖z‖_∞/√t)(2√2 + √3 log n/γ₂).",
        SOURCE,
        printed,
        FeatureSetting(),
    ),
    _statement(
        "margin.random-features-sharp",
        "the same with the constant 3/√2 and the norms that are reached",
        "In the setting of margin.random-features, max_{s<t} min_i z_iᵀa(s)/β(s) ≥ γ₂ − "
        "3‖z‖_∞/√(2t) − (log n/t)Σ_{s<t} 1/β(s): no iterate is further than √2 from the solution, "
        "and β grows like exp(√t), so that the last term is of the order log n/t.",
        f"ours, sharper than {SOURCE}",
        sharp,
        FeatureSetting(steps=2000),
    ),
)
