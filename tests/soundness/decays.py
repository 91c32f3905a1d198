"""Decays: exact laws, one uniform for all scales, values that are no failures, empty counts."""

import jax.numpy as jnp
import numpy as np
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    REFUSED,
    UNTOLD,
    Parts,
    const,
    false,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import Claim, margin

SCALES = np.arange(1.0, 9.0)
COUNT = len(SCALES)


def decay(value, resolution, *, scales=SCALES, **options) -> Parts:
    """The parts of a statement about one decay rate."""
    return {
        "kind": "decay",
        "claims": lambda config: Claim(value, resolution, **options),
        "scales": const(scales),
    }


def fails(rate):
    """1 where a uniform lies below e^{−rate·s}: of its own at each scale, or one for all."""
    return lambda u, _: jnp.where(u < jnp.exp(-rate * jnp.asarray(SCALES)), 1.0, 0.0)


OWN: Parts = {"sample": uniforms(COUNT)}
SHARED: Parts = {"sample": uniform}

PLANTED = (
    true("quarter", "plain", **decay(0.25, 0.1), **OWN, quantity=fails(0.25), draws=1000),
    true("half", "plain", **decay(0.5, 0.2), **OWN, quantity=fails(0.5), draws=1000),
    true(
        "quarter-at-least",
        ".25 is at least .1",
        **decay(0.1, 0.1, side="at least"),
        **OWN,
        quantity=fails(0.25),
        draws=1000,
    ),
    true(
        "truth-values",
        "failures may be bools",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: u < jnp.exp(-0.25 * jnp.asarray(SCALES)),
        draws=1000,
    ),
    true(
        "one-uniform-for-all-scales",
        "draws, not scales, are independent: 13 % of such runs were missed at 1 %",
        **decay(0.25, 0.2),
        **SHARED,
        quantity=fails(0.25),
        draws=1000,
        allowed=NOT_REFUTED,
    ),
    true(
        "one-uniform-for-all-scales-few-draws",
        "the same with fifty draws",
        **decay(0.25, 1.0),
        **SHARED,
        quantity=fails(0.25),
        draws=50,
        allowed=NOT_REFUTED,
    ),
    true(
        "fast-with-empty-counts",
        "rate 2: no failures from the fourth scale on",
        **decay(2.0, 2.0),
        **OWN,
        quantity=fails(2.0),
        draws=500,
        allowed=NOT_REFUTED,
    ),
    true(
        "no-failure-at-all",
        "rate 20: nothing was seen",
        **decay(20.0, 5.0),
        **OWN,
        quantity=fails(20.0),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    true(
        "failures-at-one-scale",
        "rate 7: one or two failures at the first scale, if any",
        **decay(7.0, 5.0),
        **OWN,
        quantity=fails(7.0),
        draws=1000,
        allowed=NOT_REFUTED,
    ),
    true(
        "not-decaying",
        "half of the draws fail at every scale: rate 0",
        **decay(0.0, 0.1),
        **OWN,
        quantity=lambda u, _: jnp.where(u < 0.5, 1.0, 0.0),
        draws=1000,
    ),
    true(
        "always-failing",
        "every draw fails at every scale: rate 0, at the edge of the model",
        **decay(0.0, 0.1),
        **OWN,
        quantity=lambda u, _: jnp.ones(COUNT) + 0 * u,
        allowed=NOT_REFUTED,
    ),
    true(
        "three-draws",
        "too few",
        **decay(0.25, 1.0),
        **OWN,
        quantity=fails(0.25),
        draws=3,
        allowed=NOT_REFUTED,
    ),
    true(
        "premise-undecided",
        "draws that do not count fail always; which they are, nobody knows",
        **decay(0.25, 0.1),
        sample=uniforms(COUNT + 1),
        hypotheses={"large": lambda u, _: margin(u[0] - 0.5, 10.0)},
        quantity=lambda u, _: jnp.where(u[0] < 0.5, 1.0, fails(0.25)(u[1:], _)),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    false(
        "twice-the-rate",
        ".25 is said to be .5",
        **decay(0.5, 0.1),
        **OWN,
        quantity=fails(0.25),
        draws=1000,
    ),
    false(
        "no-decay",
        ".25 is said to be 0",
        **decay(0.0, 0.1),
        **OWN,
        quantity=fails(0.25),
        draws=1000,
    ),
    false(
        "growing",
        ".25 is said to be −.25",
        **decay(-0.25, 0.1),
        **OWN,
        quantity=fails(0.25),
        draws=1000,
    ),
    false(
        "at-least-missed",
        ".25 is said to be at least .5",
        **decay(0.5, 0.1, side="at least"),
        **OWN,
        quantity=fails(0.25),
        draws=1000,
    ),
    false(
        "by-twice-the-resolution",
        ".25 is said to be .45 with resolution .1",
        **decay(0.45, 0.1),
        **OWN,
        quantity=fails(0.25),
        draws=100,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "decay-that-is-none",
        "half of the draws fail at every scale",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: jnp.where(u < 0.5, 1.0, 0.0),
        draws=1000,
    ),
    false(
        "always-failing-said-to-decay",
        "every draw fails at every scale",
        **decay(1.0, 0.5),
        **OWN,
        quantity=lambda u, _: jnp.ones(COUNT) + 0 * u,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "one-uniform-for-all-scales-off",
        "rate .25 is said to be 1, in dependent failures",
        **decay(1.0, 0.3),
        **SHARED,
        quantity=fails(0.25),
        draws=1000,
    ),
    false(
        "never-failing-said-to-decay-slowly",
        "rate 20 is said to be .25; without a failure nothing tells them apart",
        **decay(0.25, 0.2),
        **OWN,
        quantity=fails(20.0),
        draws=50,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "two-draws",
        "rate .25 is said to be 3",
        **decay(3.0, 2.0),
        **OWN,
        quantity=fails(0.25),
        draws=2,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "margins-for-failures",
        "differences u − e^{−s/4} are no failures; cut to integers, they are never 1",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: u - jnp.exp(-0.25 * jnp.asarray(SCALES)),
        allowed=REFUSED,
    ),
    false(
        "probabilities-for-failures",
        "the exact probabilities in the place of failures",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: jnp.exp(-0.25 * jnp.asarray(SCALES)) + 0 * u,
        allowed=REFUSED,
    ),
    false(
        "counts-for-failures",
        "the failures of two tries add up to 0, 1 or 2",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: 2 * fails(0.25)(u, _),
        allowed=REFUSED,
    ),
    false(
        "signs-for-failures",
        "±1 in the place of 1 and 0",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: 2 * fails(0.25)(u, _) - 1,
        allowed=REFUSED,
    ),
    false(
        "failures-not-a-number",
        "NaN is neither",
        **decay(0.25, 0.1),
        **OWN,
        quantity=lambda u, _: jnp.where(u < 0.5, jnp.nan, 1.0),
        allowed=UNTOLD,
    ),
    *(
        false(
            f"scales-{name}",
            why,
            **decay(7.0, 0.5, scales=np.asarray(scales)),
            sample=uniforms(len(scales)),
            quantity=lambda u, _: jnp.where(u < 0.5, 1.0, 0.0),
            allowed=REFUSED,
        )
        for name, why, scales in (
            ("all-equal", "no slope at a single scale", [2.0] * 6),
            ("with-nan", "NaN is no scale", [1.0, 2, np.nan, 4, 5, 6]),
            ("of-four", "too few to see a bend", [1.0, 2, 3, 4]),
        )
    ),
    false(
        "decay-premise-never-met",
        "nothing was tested",
        **decay(7.0, 0.5),
        **OWN,
        hypotheses={"large": lambda u, _: sharp(u[0] - 2)},
        quantity=fails(0.25),
        allowed={"vacuous"},
    ),
)
