"""Family A, Z23 Theorem 3.6: its printed probability, in the limit of wide networks at fixed d."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory import fields
from theory.margins import exceeds, rounding_error
from theory.parameters import Parameters, parameter
from theory.statements.separability.initialization import DRAWN, SOURCE
from theory.verification.kinds import Probabilistic
from theory.verification.statement import Hypothesis, Statement


class LimitSetting(Parameters):
    """One point of norm √d and the infinitely wide network at it, untrained."""

    d: int = fields.dimension(4)
    loss_below: float = parameter(
        math.log(2), "ϵ of Lemma 3.5, a loss that some untrained networks have", low=0
    )


class Untrained(NamedTuple):
    """S and the logistic loss at the one point.

    error, loss_error: bounds on their rounding errors.
    """

    alignment: Float[Array, ""]
    loss: Float[Array, ""]
    error: Float[Array, ""]
    loss_error: Float[Array, ""]


def _sample(key: Array, config: LimitSetting) -> Untrained:
    """(Wᵀa, WᵀD_x a) as m → ∞ at fixed d: normal, with d independent pairs of coordinates.

    Both have mean 0, variances 1/d and 1/(2d) and covariance 1/(2d), so that Wᵀa = WᵀD_x a + rest
    with an independent rest; f(x) = ⟨WᵀD_x a, x⟩.
    """
    key_normal, key_label = jax.random.split(key)
    d = config.d
    gradient, rest = jax.random.normal(key_normal, (2, d)) / jnp.sqrt(2.0 * d)
    label = jax.random.rademacher(key_label, (), gradient.dtype)
    output = jnp.sqrt(1.0 * d) * gradient[0]  # x = √d e₁
    direction = gradient + rest
    magnitude = (jnp.abs(gradient) + jnp.abs(rest)) @ jnp.abs(gradient)
    loss = jax.nn.softplus(-label * output)  # its slope is at most 1
    return Untrained(
        direction @ gradient,
        loss,
        rounding_error(d + 2 * DRAWN, magnitude),
        rounding_error(DRAWN, jnp.abs(output) + loss),
    )


STATEMENTS = (
    Statement(
        id="separability.ntk-probability-as-printed",
        title="Theorem 3.6 fails with probability Cn·e^{−Ω(m/log²m) − cd}, as printed",
        says="For an NTK solution that satisfies Lemma 3.5, −Wᵀa separates all noises with "
        "probability at least 1 − Cn·e^{−Ω(m/log²m) − cd}. Whatever C, c and the constant of Ω "
        "are, at n = 1 and fixed d this tends to 1 as m → ∞: in the limit, no failures. Untrained "
        "weights satisfy Lemma 3.5 with ϵ = L(0), and are tested, in the limit m → ∞, where the "
        "training loss is below loss_below. Known to be wrong: P(S ≤ 0) tends to "
        "½·I_{1/2}(d/2, ½) > 0; a sum of exponentials, as in Theorem 3.1, must be meant.",
        source=f"{SOURCE}, Theorem 3.6",
        sample=_sample,
        hypotheses={
            "Lemma 3.5": Hypothesis(
                lambda i, c: exceeds(c.loss_below, i.loss, i.loss_error),
                "the untrained loss L(0) is below ϵ = loss_below, and no weight has moved",
            )
        },
        claim=Probabilistic(
            conclusion=lambda i, _: exceeds(i.alignment, 0.0, i.error),
            failure_probability=lambda i, _: 0.0,
        ),
        config=LimitSetting(),
        erratum="probability-in-theorem-36",
        draws={"quick": 1000, "full": 20_000},
        batch=1000,
    ),
)
