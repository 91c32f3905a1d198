"""Absorption: small terms that vanish beside 1 in every precision alike.

float32 and float64 agree on a wrong sign here, and moving the instance by a rounding moves nothing:
only the roundings in between tell, by an error that is carried along or by an evaluation in more
digits.
"""

import jax.numpy as jnp
from soundness.numerics import log_uniform
from soundness.planted import NOT_CONSISTENT, NOT_REFUTED, false, true

from theory import Claim, exceeds, margin

PLANTED = (
    true(
        "difference-with-one",
        "(1 + x) − 1 > x/2 for x of 10⁻¹⁸, computed as 0 > x/2",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: exceeds((1 + x) - 1, x / 2),
        allowed=NOT_REFUTED,
    ),
    false(
        "difference-with-one-below-half",
        "(1 + x) − 1 < x/2 for x of 10⁻¹⁸ is false, computed as 0 < x/2",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: exceeds(x / 2, (1 + x) - 1),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "logarithm-of-nearly-one",
        "log(1 + x) > x/2 for x of 10⁻¹⁸, computed as 0 > x/2",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: exceeds(jnp.log(1 + x), x / 2),
        allowed=NOT_REFUTED,
    ),
    false(
        "logarithm-of-nearly-one-below-half",
        "log(1 + x) < x/2 for x of 10⁻¹⁸ is false",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: exceeds(x / 2, jnp.log(1 + x)),
        allowed=NOT_CONSISTENT,
    ),
    false(
        "exponential-minus-one",
        "(e^x − 1)/x < ½ is false, its left side is nearly 1; computed, it is 0",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: exceeds(0.5, (jnp.exp(x) - 1) / x),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "derivative-by-a-difference",
        "(f(x + h) − f(x))/h > 0 for f = exp and h of 10⁻¹⁸",
        sample=log_uniform(-1, 0),
        conclusion=lambda x, _: exceeds((jnp.exp(x + 1e-18) - jnp.exp(x)) / 1e-18, 0.5),
        allowed=NOT_REFUTED,
    ),
    true(
        "mean-of-an-absorbed-term",
        "E[((1 + 10⁻¹⁷x²) − 1)·10¹⁷] = E x² = 1, computed as 0 but for x² > 11",
        kind="moment",
        quantity=lambda x, _: ((1 + 1e-17 * x**2) - 1) * 1e17,
        claims=lambda config: Claim(1.0, 0.2),
        draws=1000,
        allowed=NOT_REFUTED,
    ),
    false(
        "positive-by-absorption",
        "1 − (1 − x) = x > 1.1·10⁻¹⁶ is false for x of 6·10⁻¹⁷; the float next to 1 makes it so",
        sample=log_uniform(-16.24, -16.2),
        conclusion=lambda x, _: exceeds(1 - (1 - x), 1.1e-16),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "margin-around-zero",
        "(1 + x) − 1 + x > 0 for x of 10⁻¹⁸",
        sample=log_uniform(-19, -17),
        conclusion=lambda x, _: margin((1 + x) - 1 + x),
        allowed=NOT_REFUTED,
    ),
)
