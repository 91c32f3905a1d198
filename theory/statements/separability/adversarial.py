"""Family A, Z23: adversarial examples are separable where the clean points can be projected out."""

from typing import Any

import jax
from jaxtyping import Array

from theory import fields
from theory.certificates.projections import project_out
from theory.data.sampling import data_parameter, draw, to_sphere
from theory.margins import Margin, exceeds
from theory.networks.network import init
from theory.parameters import Parameters
from theory.perturbations import initialization
from theory.perturbations.noise_alignment import (
    NETWORK,
    Alignment,
    Direction,
    alignment_along,
    readout_direction,
)
from theory.statements.separability.initialization import SOURCE
from theory.verification.kinds import Probabilistic
from theory.verification.statement import OnData, Statement


class ExampleSetting(Parameters):
    """One random network and the adversarial examples of n points scaled to norm √d, n ≤ d."""

    data: Any = data_parameter("sphere")
    n: int = fields.points(20, "number of points, at most d")
    d: int = fields.dimension(36)
    m: int = fields.width(64)


def _sample(key: Array, config: ExampleSetting) -> Alignment:
    """S'_k = ⟨Π⊥Wᵀa, ∇f(x_k)⟩ of every point; its d is that of the complement, d − n."""
    key_data, key_init = jax.random.split(key)
    x = to_sphere(draw(key_data, config.data, config.n, config.d, queries=0).x)
    params = init(NETWORK, key_init, config.m, config.d)
    whole = readout_direction(params)
    rest = project_out(whole.value, x)
    found = alignment_along(params, x, Direction(rest.value, rest.error + whole.error))
    return found._replace(d=config.d - config.n)


def _separates(instance: Alignment, _: object) -> Margin:
    return exceeds(instance.value, 0.0, instance.error).all()


def _failure_probability(instance: Alignment, _: object) -> float:
    if instance.d == 0:  # nothing is left of Wᵀa
        return 1.0
    return len(instance.value) * initialization.alignment_failure(instance.m, instance.d)


STATEMENTS = (
    Statement(
        id="separability.adversarial-examples",
        title="v' = −Π⊥Wᵀa separates the adversarial examples x_k + ηr_k for d > n",
        says="Let Π⊥ project out all points x_k. For every step η > 0, P(y_k⟨v', x_k + ηr_k⟩ > 0 "
        "for all k) ≥ 1 − n·P(S ≤ 0) with v' = −Π⊥Wᵀa, where S follows the exact law in d − n "
        "dimensions in place of d: it takes d − n ≳ (2/log 2) log(n/δ) and not just d > n. "
        "Measured: min_k ⟨Π⊥Wᵀa, ∇f(x_k)⟩, which has the sign of y_k⟨v', x_k + ηr_k⟩.",
        source=f'{SOURCE}, Corollary 3.4.1 ("d > poly(n)"), with its y_i; probability ours',
        sample=_sample,
        claim=Probabilistic(
            conclusion=_separates,
            failure_probability=_failure_probability,
        ),
        config=ExampleSetting(),
        draws={"quick": 1000, "full": 20_000},
        data=True,
        on_data={"digits": OnData({"n": 32, "m": 32})},
        batch=64,
    ),
)
