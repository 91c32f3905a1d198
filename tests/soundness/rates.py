"""Rates: exact power laws, heavy tails, signs, degenerate scales, few draws."""

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
    normals,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import Claim, margin

SCALES = 2.0 ** np.arange(3, 9)
COUNT = len(SCALES)


def rate(value, resolution, *, scales=SCALES, **options) -> Parts:
    """The parts of a statement about one exponent."""
    return {
        "kind": "rate",
        "claims": lambda config: Claim(value, resolution, **options),
        "scales": const(scales),
    }


def power(exponent):
    """s^exponent, times uniforms in (½, 3/2) of each scale's own."""
    return lambda u, _: jnp.asarray(SCALES) ** exponent * (0.5 + u)


def root_with(noise):
    """s^{−½} times positive noise of mean 1, made of one normal per scale."""
    return lambda x, _: jnp.asarray(SCALES) ** -0.5 * noise(x)


def log_normal(sigma):
    return lambda x: jnp.exp(sigma * x - sigma**2 / 2)


NOISY: Parts = {"sample": uniforms(COUNT)}
HEAVY: Parts = {"sample": normals(COUNT)}

PLANTED = (
    true("square-root", "plain", **rate(-0.5, 0.1), **NOISY, quantity=power(-0.5), draws=200),
    true("inverse", "plain", **rate(-1.0, 0.1), **NOISY, quantity=power(-1.0), draws=200),
    true("flat", "exponent 0", **rate(0.0, 0.1), **NOISY, quantity=power(0.0), draws=200),
    true(
        "growing-at-least",
        "exponent 1 is at least ½",
        **rate(0.5, 0.1, side="at least"),
        **NOISY,
        quantity=power(1.0),
        draws=200,
    ),
    true(
        "at-most-with-equality",
        "exponent −1 is at most −1",
        **rate(-1.0, 0.1, side="at most"),
        **NOISY,
        quantity=power(-1.0),
        draws=200,
    ),
    true(
        "noiseless-slope",
        "every draw is an exact power law: the slope is off by one unit in the last place",
        **rate(-0.5, 0.1),
        sample=uniform,
        quantity=lambda u, _: (1 + u) * jnp.asarray(SCALES) ** -0.5,
        draws=200,
    ),
    true(
        "noiseless-inverse-slope",
        "the same with exponent −1",
        **rate(-1.0, 0.1),
        sample=uniform,
        quantity=lambda u, _: (1 + u) / jnp.asarray(SCALES),
        draws=200,
    ),
    true(
        "equal-in-every-draw",
        "no draw differs from another",
        **rate(-0.5, 0.1),
        quantity=lambda x, _: jnp.asarray(SCALES) ** -0.5 + 0 * x,
        draws=50,
        allowed=NOT_REFUTED,
    ),
    true(
        "heavy-tails",
        "log-normal noise of σ = 2",
        **rate(-0.5, 0.5),
        **HEAVY,
        quantity=root_with(log_normal(2.0)),
        draws=50,
        allowed=NOT_REFUTED,
    ),
    true(
        "heavier-tails-few-draws",
        "log-normal noise of σ = 3",
        **rate(-0.5, 2.0),
        **HEAVY,
        quantity=root_with(log_normal(3.0)),
        draws=20,
        allowed=NOT_REFUTED,
    ),
    true(
        "rare-events",
        "100 with probability .01 at each scale, else nearly 0: means are right, samples are not",
        **rate(-0.5, 0.5),
        **NOISY,
        quantity=lambda u, _: jnp.asarray(SCALES) ** -0.5 * jnp.where(u < 0.01, 100.0, 1e-6),
        draws=50,
        allowed=NOT_REFUTED,
    ),
    true(
        "tails-that-grow-with-the-scale",
        "log-normal noise of mean 1 and growing σ: samples show a steeper fall",
        **rate(-0.5, 0.5),
        **HEAVY,
        quantity=lambda x, _: (
            jnp.asarray(SCALES) ** -0.5 * log_normal(jnp.linspace(0.1, 3.0, COUNT))(x)
        ),
        draws=100,
        allowed=NOT_REFUTED,
    ),
    true(
        "signed",
        "a positive mean under noise of its own size",
        **rate(-0.5, 0.4, signed=True),
        **HEAVY,
        quantity=root_with(lambda x: 1 + x),
        draws=800,
    ),
    true(
        "signed-under-noise",
        "a positive mean far below its noise",
        **rate(-0.5, 1.0, signed=True),
        **HEAVY,
        quantity=root_with(lambda x: 1 + 20 * x),
        draws=100,
        allowed=NOT_REFUTED,
    ),
    true(
        "tolerance-for-a-bend",
        "1/(s + 1) falls like 1/s, by .94 at these scales",
        **rate(-1.0, 0.05, tolerance=0.1),
        **NOISY,
        quantity=lambda u, _: (0.5 + u) / (jnp.asarray(SCALES) + 1),
        draws=400,
    ),
    true(
        "premise-undecided-beside-another-law",
        "draws with u < ½ have exponent 0 and do not count, if one knew which they are",
        **rate(-0.5, 0.2),
        sample=uniform,
        hypotheses={"large": lambda u, _: margin(u - 0.5, 10.0)},
        quantity=lambda u, _: jnp.asarray(SCALES) ** jnp.where(u < 0.5, 0.0, -0.5) * (1 + u),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    true(
        "premise-selects",
        "the same with a premise that is known",
        **rate(-0.5, 0.2),
        sample=uniforms(COUNT + 1),
        hypotheses={"large": lambda u, _: sharp(u[0] - 0.5)},
        quantity=lambda u, _: jnp.asarray(SCALES) ** jnp.where(u[0] < 0.5, 0.0, -0.5) * (1 + u[1:]),
        draws=400,
    ),
    true(
        "two-draws",
        "too few for any interval",
        **rate(-0.5, 0.5),
        **NOISY,
        quantity=power(-0.5),
        draws=2,
        allowed=NOT_REFUTED,
    ),
    true(
        "two-rates",
        "each quantity has its own",
        kind="rate",
        scales=const(SCALES),
        **NOISY,
        quantity=lambda u, _: jnp.stack([power(-0.5)(u, _), power(-1.0)(u, _)]),
        claims=lambda config: (Claim(-0.5, 0.1), Claim(-1.0, 0.1)),
        draws=300,
    ),
    false(
        "inverse-for-a-root",
        "−½ is said to be −1",
        **rate(-1.0, 0.1),
        **NOISY,
        quantity=power(-0.5),
        draws=200,
    ),
    false(
        "flat-for-a-root",
        "−½ is said to be 0",
        **rate(0.0, 0.1),
        **NOISY,
        quantity=power(-0.5),
        draws=200,
    ),
    false(
        "far-off",
        "−½ is said to be 5",
        **rate(5.0, 0.1),
        **NOISY,
        quantity=power(-0.5),
        draws=200,
    ),
    false(
        "three-quarters-for-an-inverse",
        "what an asymptotic theory may confuse",
        **rate(-1.0, 0.1),
        **NOISY,
        quantity=power(-0.75),
        draws=200,
    ),
    false(
        "by-twice-the-resolution",
        "−.5 is said to be −.3 with resolution .1",
        **rate(-0.3, 0.1),
        **NOISY,
        quantity=power(-0.5),
        draws=40,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "at-most-exceeded",
        "−½ is said to be at most −.7",
        **rate(-0.7, 0.1, side="at most"),
        **NOISY,
        quantity=power(-0.5),
        draws=200,
    ),
    false(
        "noiseless-off",
        "an exact law with another exponent",
        **rate(-0.55, 0.01),
        sample=uniform,
        quantity=lambda u, _: (1 + u) * jnp.asarray(SCALES) ** -0.5,
        draws=200,
    ),
    false(
        "logarithm-for-a-power",
        "log s is no power; as one, its exponent here is about .29",
        **rate(0.0, 0.1),
        **NOISY,
        quantity=lambda u, _: jnp.log(jnp.asarray(SCALES)) * (0.5 + u),
        draws=300,
    ),
    false(
        "exponential-for-a-power",
        "e^{−s/20} is no power",
        **rate(-1.0, 0.2),
        **NOISY,
        quantity=lambda u, _: jnp.exp(-jnp.asarray(SCALES) / 20) * (0.5 + u),
        draws=300,
    ),
    false(
        "heavy-tails-off",
        "−½ is said to be −1.5 under log-normal noise of σ = 2",
        **rate(-1.5, 0.5),
        **HEAVY,
        quantity=root_with(log_normal(2.0)),
        draws=50,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "tails-that-grow-as-samples-suggest",
        "−½ is said to be −1.5, which samples look like",
        **rate(-1.5, 1.0),
        **HEAVY,
        quantity=lambda x, _: (
            jnp.asarray(SCALES) ** -0.5 * log_normal(jnp.linspace(0.1, 4.0, COUNT))(x)
        ),
        draws=100,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "one-rate-of-two",
        "the second is −1, not −½",
        kind="rate",
        scales=const(SCALES),
        **NOISY,
        quantity=lambda u, _: jnp.stack([power(-0.5)(u, _), power(-1.0)(u, _)]),
        claims=lambda config: (Claim(-0.5, 0.1), Claim(-0.5, 0.1)),
        draws=300,
    ),
    false(
        "two-draws-off",
        "two draws cannot say so, nor the contrary",
        **rate(1.0, 0.5),
        **NOISY,
        quantity=power(-0.5),
        draws=2,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "one-draw-off",
        "nor can one",
        **rate(-0.45, 0.5),
        **NOISY,
        quantity=power(-2.0),
        draws=1,
        allowed=NOT_CONSISTENT,
    ),
    *(
        false(
            f"scales-{name}",
            why,
            **rate(7.0, 0.5, scales=np.asarray(scales)),
            sample=uniforms(len(scales)),
            quantity=lambda u, _: 0.5 + u,
            allowed=REFUSED,
        )
        for name, why, scales in (
            ("equal", "no slope at a single scale", [8.0] * 6),
            ("two-of-them-equal", "one scale given twice is a mistake", [8.0, 8, 16, 32, 64, 128]),
            ("with-zero", "0 has no logarithm", [0.0, 8, 16, 32, 64, 128]),
            ("negative", "nor has −8", [-8.0, 8, 16, 32, 64, 128]),
            ("not-a-number", "nor has NaN", [8.0, np.nan, 16, 32, 64, 128]),
            ("infinite", "∞ is no width", [8.0, 16, 32, 64, 128, np.inf]),
            ("only-four", "four scales are too few to see a bend", [8.0, 16, 32, 64]),
        )
    ),
    false(
        "quantity-zero",
        "0 has no logarithm, and the mean of nothing but zeros no rate",
        **rate(-0.5, 0.5),
        quantity=lambda x, _: jnp.zeros(COUNT) * x,
        allowed=UNTOLD,
    ),
    false(
        "quantity-negative",
        "a negative mean has no exponent",
        **rate(-0.5, 0.5),
        **NOISY,
        quantity=lambda u, _: -power(-0.5)(u, _),
        allowed=UNTOLD,
    ),
    false(
        "quantity-nan-at-one-scale",
        "the fit cannot leave out a scale",
        **rate(-0.5, 0.5),
        **NOISY,
        quantity=lambda u, _: power(-0.5)(u, _).at[2].set(jnp.nan),
        allowed=UNTOLD,
    ),
    false(
        "quantity-infinite-in-some-draws",
        "the means are infinite",
        **rate(-0.5, 0.5),
        **NOISY,
        quantity=lambda u, _: power(-0.5)(u, _) * jnp.where(u < 0.1, jnp.inf, 1.0),
        allowed=UNTOLD,
    ),
    false(
        "claim-not-a-number",
        "NaN is no exponent",
        **rate(float("nan"), 0.5),
        **NOISY,
        quantity=power(-0.5),
        allowed=REFUSED,
    ),
    false(
        "premise-never-met",
        "nothing was tested",
        **rate(7.0, 0.5),
        **NOISY,
        hypotheses={"large": lambda u, _: sharp(u[0] - 2)},
        quantity=power(-0.5),
        allowed={"vacuous"},
    ),
)
