"""NaN and ±∞ in margins, in large reductions, in stated errors and in quantities."""

import jax.numpy as jnp
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    UNTOLD,
    VACUOUS,
    const,
    false,
    normals,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import Claim, Margin, exceeds, margin


def infinite(value):
    """A margin whose infinities are meant: exact, so decided."""
    value = jnp.asarray(value)
    return Margin(value, jnp.zeros_like(value), jnp.full_like(value, jnp.nan))


def logarithms(x, _):
    """Of 300 normals, half of them NaN; from 4096 numbers on, 16 draws, XLA's minimum drops NaN."""
    return margin(10.0 - jnp.log(x), 1e-12).all()


PLANTED = (
    true(
        "nan-among-300-in-batches-of-16",
        "half of the logarithms are NaN: undecided, in a large reduction too",
        sample=normals(300),
        conclusion=logarithms,
        draws=32,
        batch=16,
        allowed=INCONCLUSIVE,
    ),
    true(
        "nan-among-300-one-by-one",
        "the same, one draw at a time",
        sample=normals(300),
        conclusion=logarithms,
        draws=16,
        batch=1,
        allowed=INCONCLUSIVE,
    ),
    false(
        "nan-among-20000",
        "one entry of 20 000 is the root of −1, which is not positive; the others hold",
        sample=normals(20_000),
        conclusion=lambda x, _: margin(jnp.sqrt(jnp.where(x == x[7], -1.0, 1 + x**2)), 1e-12).all(),
        draws=20,
        batch=4,
        allowed=INCONCLUSIVE,
    ),
    false(
        "nan-only-in-errors",
        "fails in half of the entries, whose error is NaN: without them, all hold",
        sample=normals(300),
        conclusion=lambda x, _: margin(x, jnp.where(x < 0, jnp.nan, 0.0)).all(),
        draws=32,
        batch=16,
        allowed=UNTOLD,
    ),
    true(
        "nan-in-a-premise-among-300",
        "no draw is known to satisfy the premise",
        sample=normals(300),
        hypotheses={"log": logarithms},
        conclusion=lambda x, _: sharp(1 + x[0] ** 2),
        draws=32,
        batch=16,
        allowed=INCONCLUSIVE,
    ),
    false(
        "error-nan",
        "x > 0 with an error that is not a number",
        conclusion=lambda x, _: margin(x, jnp.log(-jnp.abs(x))),
        allowed=UNTOLD,
    ),
    false(
        "error-negative",
        "x > 2 nearly never holds; an error of −10 would make every draw hold",
        conclusion=lambda x, _: margin(x - 2.0, -10.0),
        allowed=UNTOLD,
    ),
    false(
        "error-negative-in-some-draws",
        "an error that is negative exactly where the conclusion fails",
        conclusion=lambda x, _: margin(x, jnp.where(x < 0, 2 * x, 0.0)),
        allowed=UNTOLD,
    ),
    false(
        "error-negative-in-the-premise",
        "x > 0 only seems to hold everywhere, so its counterexamples would count as none",
        sample=uniforms(2),
        hypotheses={"late": lambda u, _: margin(u[0] - 0.5, -2.0)},
        conclusion=lambda u, _: sharp(u[1] - 0.5),
        allowed=UNTOLD,
    ),
    false(
        "error-negative-in-a-margin-made-by-hand",
        "the same without `margin`, which could refuse it",
        conclusion=lambda x, _: Margin(x - 2.0, jnp.full_like(x, -10.0), jnp.full_like(x, jnp.nan)),
        allowed=UNTOLD,
    ),
    true(
        "error-negative-of-a-true-one",
        "1 + x² > 0, with an error of −1: refused all the same",
        conclusion=lambda x, _: margin(1 + x**2, -1.0),
        allowed=UNTOLD,
    ),
    true(
        "error-infinite",
        "an error of ∞ knows nothing",
        conclusion=lambda x, _: margin(1 + x**2, jnp.inf),
        allowed=UNTOLD,
    ),
    true(
        "bound-infinite-in-half",
        "a bound of +∞ holds",
        sample=uniform,
        conclusion=lambda u, _: infinite(jnp.where(u < 0.5, jnp.inf, 1 + u)),
    ),
    false(
        "bound-minus-infinite-in-half",
        "a bound of −∞ fails",
        sample=uniform,
        conclusion=lambda u, _: infinite(jnp.where(u < 0.5, -jnp.inf, 1 + u)),
    ),
    true(
        "bounds-all-infinite",
        "every entry is +∞ in some draws: so is their minimum, and its error is 0",
        sample=uniforms(3),
        conclusion=lambda u, _: infinite(jnp.where(u[0] < 0.5, jnp.inf, 1 + u)).all(),
    ),
    false(
        "one-bound-minus-infinite",
        "one entry of three is −∞ in half of the draws",
        sample=uniforms(3),
        conclusion=lambda u, _: infinite(
            jnp.where((u[0] < 0.5) & (jnp.arange(3) == 1), -jnp.inf, 1 + u)
        ).all(),
    ),
    true(
        "overflow-beyond-a-bound",
        "e^{800+u} > 10³⁰⁰ is true, but ∞ by overflow is no evidence",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.exp(800 + u), 1e300),
        allowed=NOT_REFUTED,
    ),
    true(
        "overflow-below-a-bound",
        "|x| < 10²⁰¹ for |x| = 10²⁰⁰, whose square overflows",
        conclusion=lambda x, _: exceeds(1e201, jnp.sqrt((1e200 * x) ** 2)),
        allowed=NOT_REFUTED,
    ),
    false(
        "overflow-then-scaled-down",
        "e^{800}e^{−100} is 10³⁰⁴, not above 10³⁰⁶; computed, it is ∞",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.exp(800 + 0.1 * u) * jnp.exp(-100.0), 1e306),
        allowed=NOT_CONSISTENT,
    ),
    false(
        "overflow-with-a-stated-error",
        "the same with a stated error: a finite error does not make an overflow a number",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.exp(800 + 0.1 * u) * jnp.exp(-100.0), 1e306, 1e290),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "overflow-in-the-premise",
        "R⁴ overflows, so that R⁴/10¹⁶ > 10³⁰⁷ seems to hold; no draw meets it",
        sample=uniform,
        hypotheses={"wide": lambda u, _: exceeds((1e80 * (1 + u)) ** 4 * 1e-16, 1e307)},
        conclusion=lambda u, _: sharp(-1.0 - u),
        allowed=VACUOUS | INCONCLUSIVE,
    ),
    true(
        "overflow-on-both-sides",
        "e^{801+u} > e^{800+u} is ∞ > ∞ when computed",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.exp(801 + u), jnp.exp(800 + u)),
        allowed=NOT_REFUTED,
    ),
    true(
        "underflow-to-zero",
        "e^{−800−u} > 0 is 0 > 0 when computed: no exact zero",
        sample=uniform,
        conclusion=lambda u, _: margin(jnp.exp(-800 - u)),
        allowed=NOT_REFUTED,
    ),
    true(
        "quantity-nan-in-some-draws",
        "the mean of √x over x > 0 is said, and the draws with x < 0 have no number",
        kind="moment",
        quantity=lambda x, _: jnp.sqrt(x),
        claims=lambda config: Claim(0.8221789586624586, 0.2),
        allowed=UNTOLD,
    ),
    false(
        "quantity-nan-in-all-draws",
        "no number at all",
        kind="moment",
        quantity=lambda x, _: jnp.log(-1 - x**2),
        claims=lambda config: Claim(1.0, 0.2),
        allowed=UNTOLD,
    ),
    false(
        "quantity-infinite",
        "the mean of an overflow",
        kind="moment",
        quantity=lambda x, _: jnp.exp(1000 + x),
        claims=lambda config: Claim(1.0, 0.2, side="at least"),
        allowed=UNTOLD,
    ),
    false(
        "quantity-nan-where-the-premise-fails",
        "draws that do not count may be NaN; the mean of the others is .75, not .5",
        kind="moment",
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        quantity=lambda u, _: jnp.where(u > 0.5, u, jnp.nan),
        claims=lambda config: Claim(0.5, 0.2),
        draws=400,
    ),
    true(
        "quantity-nan-where-the-premise-fails-true",
        "the same with its true mean",
        kind="moment",
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        quantity=lambda u, _: jnp.where(u > 0.5, u, jnp.nan),
        claims=lambda config: Claim(0.75, 0.2),
        draws=400,
    ),
    false(
        "probabilistic-margin-nan",
        "a probabilistic conclusion that is NaN in every draw",
        kind="probabilistic",
        conclusion=lambda x, _: sharp(jnp.log(-1 - x**2)),
        failure_probability=const(0.05),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
)
