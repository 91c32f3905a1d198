"""Family A, Z23: adversarial noises of random two-layer ReLU networks are linearly separable."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.data.sampling import data_parameter, draw, to_sphere
from theory.margins import Margin, Measured, exceeds, measured, rounding_error
from theory.networks.network import (
    init,
)
from theory.parameters import Parameters
from theory.perturbations import initialization
from theory.perturbations.noise_alignment import NETWORK, Alignment, noise_alignment
from theory.verification.claims import Claim
from theory.verification.kinds import Moment, Probabilistic
from theory.verification.statement import OnData, Statement

SOURCE = "Zhang et al. 2023"
# Roundings in a normal number that is drawn: the inverse error function is a polynomial of degree
# up to 22, of a logarithm.
DRAWN = 64


class NoiseSetting(Parameters):
    """One random network and the one-step noises of n points scaled to norm √d."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(48, "number of points")
    d: int = fields.dimension(16)
    m: int = fields.width(64)


def _sample_noises(key: Array, config: NoiseSetting) -> Alignment:
    key_data, key_init = jax.random.split(key)
    data = draw(key_data, config.data, config.n, config.d, queries=0)
    params = init(NETWORK, key_init, config.m, config.d)
    return noise_alignment(params, to_sphere(data.x))


def _all_above(threshold: float) -> Any:
    def conclusion(instance: Alignment, _: object) -> Margin:
        return exceeds(instance.value, threshold, instance.error).all()

    return conclusion


def _union_bound(threshold: float) -> Any:
    def failure_probability(instance: Alignment, _: object) -> float:
        return len(instance.value) * initialization.alignment_failure(
            instance.m, instance.d, threshold
        )

    return failure_probability


class MomentSetting(Parameters):
    """Independent random networks at one point of norm √d."""

    data: Any = data_parameter("sphere", "law of the point")
    d: int = fields.dimension(4)
    m: int = fields.width(8)


class Pair(NamedTuple):
    """value, error: (2,) S of two independent networks at independent points, and its rounding."""

    value: Float[Array, "2"]
    error: Float[Array, "2"]


def _sample_pair(key: Array, config: MomentSetting) -> Pair:
    setting = NoiseSetting(data=config.data, n=1, d=config.d, m=config.m)
    both = jax.vmap(lambda key: _sample_noises(key, setting)[:2])(jax.random.split(key))
    value, error = (part[:, 0] for part in both)
    # Of degree 4 in the drawn numbers, and bounded by the error's own magnitude.
    return Pair(value, 4 * DRAWN * error)


def _mean(pair: Pair, _: object) -> Measured:
    """(S + S')/2."""
    value = jnp.mean(pair.value)
    return measured(value, jnp.mean(pair.error) + rounding_error(2, value))


def _half_squared_difference(pair: Pair, _: object) -> Measured:
    """½(S − S')², whose mean is the variance of S."""
    difference, error = pair.value[0] - pair.value[1], jnp.sum(pair.error)
    value = difference**2 / 2
    error = (jnp.abs(difference) + error / 2) * error
    return measured(value, error + rounding_error(4, value))


MOMENT_DRAWS = {"quick": 100_000, "full": 1_000_000}
RESOLUTION = 0.05

STATEMENTS = (
    Statement(
        id="separability.initialization",
        title="v = −Wᵀa separates all one-step noises at initialization",
        says="P(⟨v, y_k r_k⟩ > 0 for all k) ≥ 1 − n·P(S ≤ 0) with v = −Wᵀa and the exact "
        "P(S ≤ 0) = E_ρ I_{(1−√ρ)/2}(d/2, d/2) in place of the paper's 3C(e^{−c₁d} + e^{−c₂m}), "
        "whose constants C, c₁ and c₂ it does not name. "
        "Measured: min_k S_k, S_k = aᵀWWᵀD_k a, which has the sign of ⟨v, y_k r_k⟩.",
        source=f"{SOURCE}, Theorem 3.1; exact law ours, in place of its unnamed C, c₁, c₂",
        sample=_sample_noises,
        claim=Probabilistic(
            conclusion=_all_above(0.0),
            failure_probability=_union_bound(0.0),
        ),
        config=NoiseSetting(),
        draws={"quick": 1000, "full": 20_000},
        data=True,
        on_data={"digits": OnData({"n": 48, "m": 16}, quick=True)},
        batch=64,
    ),
    Statement(
        id="separability.initialization-margin",
        title="the noises are separated with S_k > 1/32",
        says="P(min_k S_k > 1/32) ≥ 1 − n·P(S ≤ 1/32), with the exact law of S in place of the "
        "paper's probability, whose constants it does not name.",
        source=f"{SOURCE}, eq. 18 and 23; exact law ours",
        sample=_sample_noises,
        claim=Probabilistic(
            conclusion=_all_above(1 / 32),
            failure_probability=_union_bound(1 / 32),
        ),
        config=NoiseSetting(n=16),
        draws={"quick": 1000, "full": 20_000},
        data=True,
        on_data={"digits": OnData({"n": 16, "m": 20})},
        batch=64,
    ),
    Statement(
        id="separability.mean",
        title="E S = 1/2",
        says="E[aᵀWWᵀD_x a] = 1/2 at every width and dimension, for the true D_x.",
        source=f"{SOURCE}, eq. 8",
        sample=_sample_pair,
        claim=Moment(
            quantity=_mean,
            claims=lambda config: Claim(initialization.MEAN, RESOLUTION, name="E S"),
        ),
        config=MomentSetting(),
        draws=MOMENT_DRAWS,
        data=True,
        batch=2000,
    ),
    Statement(
        id="separability.variance",
        title="Var S = 5/(4m) + 3/(4d) + 9/(4md)",
        says="The variance of aᵀWWᵀD_x a is 5/(4m) + 3/(4d) + 9/(4md) at every width and "
        "dimension, for the true D_x. Estimated without bias by ½(S − S')² over independent pairs.",
        source=f"ours, correcting {SOURCE}, eq. 9",
        sample=_sample_pair,
        claim=Moment(
            quantity=_half_squared_difference,
            claims=lambda config: Claim(
                initialization.alignment_variance(config.m, config.d), RESOLUTION, name="Var S"
            ),
        ),
        config=MomentSetting(),
        draws=MOMENT_DRAWS,
        data=True,
        batch=2000,
    ),
    Statement(
        id="separability.variance-as-printed",
        title="Var S = 5/(4m) + 1/d + 2/(md), as printed",
        says="The variance of aᵀWWᵀD_x a is 5/(4m) + 1/d + 2/(md). Known to be misprinted for "
        "m > 1: see separability.variance.",
        source=f"{SOURCE}, eq. 9",
        sample=_sample_pair,
        claim=Moment(
            quantity=_half_squared_difference,
            claims=lambda config: Claim(
                initialization.alignment_variance_as_printed(config.m, config.d),
                RESOLUTION,
                name="Var S",
            ),
        ),
        config=MomentSetting(),
        erratum="variance-of-the-alignment",
        draws=MOMENT_DRAWS,
        data=True,
        batch=2000,
    ),
)
