"""Statements without randomness, declared as such: one instance is all there is."""

import jax.numpy as jnp
import numpy as np
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    REFUSED,
    const,
    false,
    sharp,
    true,
)

from theory import Claim, exceeds, margin

SCALES = 2.0 ** np.arange(3, 9)


def numbers(key, config):
    return jnp.arange(1.0, 11.0)


FIXED = {"random": False, "sample": numbers}

PLANTED = (
    true(
        "harmonic-sum",
        "1 + ½ + … + 1/10 > log 10",
        **FIXED,
        conclusion=lambda x, _: exceeds(jnp.sum(1 / x), jnp.log(10.0)),
    ),
    true(
        "harmonic-sum-one-draw",
        "one draw is enough where there is nothing to draw",
        **FIXED,
        conclusion=lambda x, _: exceeds(jnp.sum(1 / x), jnp.log(10.0)),
        draws=1,
    ),
    false(
        "harmonic-sum-below",
        "1 + ½ + … + 1/10 < log 10 is false",
        **FIXED,
        conclusion=lambda x, _: exceeds(jnp.log(10.0), jnp.sum(1 / x)),
    ),
    true(
        "within-rounding",
        ".1 + .2 > .3 − 10⁻²⁰",
        **FIXED,
        conclusion=lambda x, _: margin(x[0] / 10 + x[1] / 10 - x[2] / 10 + 1e-20),
        allowed=NOT_REFUTED,
    ),
    false(
        "within-rounding-off",
        ".1 + .2 > .3 is false, and true when computed",
        **FIXED,
        conclusion=lambda x, _: margin(x[0] / 10 + x[1] / 10 - x[2] / 10),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "premise-fails",
        "nothing was tested",
        **FIXED,
        hypotheses={"huge": lambda x, _: sharp(x[0] - 5)},
        conclusion=lambda x, _: sharp(-x[0]),
        allowed={"vacuous"},
    ),
    true(
        "mean-of-one-number",
        "a number that is computed, not measured",
        **FIXED,
        kind="moment",
        quantity=lambda x, _: jnp.mean(x),
        claims=lambda config: Claim(5.5, 0.01),
        allowed=NOT_REFUTED | REFUSED,
    ),
    false(
        "mean-of-one-number-off",
        "5.5 is said to be 6",
        **FIXED,
        kind="moment",
        quantity=lambda x, _: jnp.mean(x),
        claims=lambda config: Claim(6.0, 0.01),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    true(
        "exact-rate",
        "s^{−½} without noise",
        **FIXED,
        kind="rate",
        scales=const(SCALES),
        quantity=lambda x, _: jnp.asarray(SCALES) ** -0.5 * x[1],
        claims=lambda config: Claim(-0.5, 0.01),
        allowed=NOT_REFUTED | REFUSED,
    ),
    false(
        "exact-rate-off",
        "s^{−½} is said to be s^{−.6}",
        **FIXED,
        kind="rate",
        scales=const(SCALES),
        quantity=lambda x, _: jnp.asarray(SCALES) ** -0.5 * x[1],
        claims=lambda config: Claim(-0.6, 0.01),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    false(
        "random-after-all",
        "said to be without randomness, but drawn: x < 1.28 is false for one in ten",
        random=False,
        conclusion=lambda x, _: sharp(1.28 - x),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    true(
        "random-after-all-mean",
        "the mean of a normal is 0; a single one of them is not",
        random=False,
        kind="moment",
        quantity=lambda x, _: x,
        claims=lambda config: Claim(0.0, 0.01),
        allowed=INCONCLUSIVE | REFUSED,
    ),
)
