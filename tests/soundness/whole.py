"""Integers: unsigned and narrow ones wrap around, large ones are not floats."""

import jax
import jax.numpy as jnp
from soundness.planted import (
    CONSISTENT,
    NOT_CONSISTENT,
    NOT_REFUTED,
    REFUSED,
    UNTOLD,
    false,
    integers,
    sharp,
    true,
)

from theory import Claim, exceeds, margin

LARGE = 2**53  # from here on, neighbouring integers are the same float64


PLANTED = (
    false(
        "unsigned-difference",
        "a − b ≥ 0 is false for half of the uint8, whose differences wrap around",
        sample=integers(0, 256, "uint8"),
        conclusion=lambda n, _: margin(n[0] - n[1]),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    true(
        "unsigned-difference-of-ordered",
        "a − b + 1 > 0 for a ≥ b: true, but an unsigned margin could not tell if it were not",
        sample=integers(0, 200, "uint8"),
        conclusion=lambda n, _: margin(jnp.max(n) - jnp.min(n) + jnp.uint8(1)),
        allowed=REFUSED,
    ),
    false(
        "unsigned-of-64-bits",
        "the same with uint64",
        sample=integers(0, 1000, "uint64"),
        conclusion=lambda n, _: margin(n[0] - n[1]),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    false(
        "truth-value-as-a-margin",
        "x > 0 as bool: false in half of the draws, and no margin",
        conclusion=lambda x, _: margin(x > 0),
        allowed=REFUSED,
    ),
    false(
        "complex-margin",
        "a complex number is not positive",
        conclusion=lambda x, _: margin(jnp.asarray(x, complex) * 1j),
        allowed=REFUSED,
    ),
    false(
        "square-in-32-bits",
        "n² < 2³¹ is false for most n below 10⁵; n² wraps around",
        sample=integers(0, 100_000, "int32"),
        conclusion=lambda n, _: exceeds(2**31, n[0] * n[0]),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    false(
        "cube-in-64-bits",
        "n³ < 2⁶² is false for half of the n below 4·10⁶",
        sample=integers(0, 4_000_000),
        conclusion=lambda n, _: exceeds(2**62, n[0] ** 3),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    false(
        "sum-in-8-bits",
        "a + b ≤ 127 is false for a quarter of the int8 below 127, whose sums wrap around",
        sample=integers(0, 127, "int8"),
        conclusion=lambda n, _: exceeds(jnp.int8(127), n[0] + n[1]),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    true(
        "absolute-value-of-the-smallest",
        "|n| + 1 > 0 for all int8, but |−128| = −128 when computed",
        sample=lambda key, config: jax.random.choice(
            key, jnp.asarray([-128, -1, 5], jnp.int8), shape=(2,)
        ),
        conclusion=lambda n, _: exceeds(jnp.abs(n[0]), jnp.int8(-1)),
        allowed=NOT_REFUTED | REFUSED,
    ),
    true(
        "square-in-16-bits",
        "n² ≥ 0 > −1 for all integers, but not for their int16",
        sample=integers(0, 1000, "int16"),
        conclusion=lambda n, _: exceeds(n[0] * n[0], jnp.int16(-1)),
        allowed=NOT_REFUTED | REFUSED,
    ),
    true(
        "large-neighbours",
        "n + 1 > n beyond 2⁵³, where both are the same float",
        sample=integers(LARGE, LARGE + 1000),
        conclusion=lambda n, _: exceeds(n[0] + 1, n[0]),
        allowed=NOT_REFUTED,  # a constant margin: it may be named as a tautology
    ),
    true(
        "large-neighbours-of-a-kind",
        "the larger of two exceeds the smaller one minus 1",
        sample=integers(LARGE, LARGE + 100),
        conclusion=lambda n, _: exceeds(jnp.max(n), jnp.min(n) - 1),
        allowed=NOT_REFUTED,
    ),
    false(
        "large-neighbours-equal",
        "a ≠ b for two of hundred large integers: a − b is the exact 0 in one draw of hundred",
        sample=integers(LARGE, LARGE + 100),
        conclusion=lambda n, _: exceeds(jnp.abs(n[0] - n[1]), 0),
        draws=2000,
    ),
    false(
        "large-ordered",
        "a > b for half of the pairs; the floats of neighbours are equal",
        sample=integers(LARGE, LARGE + 4),
        conclusion=lambda n, _: exceeds(n[0], n[1]),
    ),
    true(
        "sum-of-the-first",
        "1 + … + n = n(n + 1)/2, so it exceeds that minus 1",
        sample=integers(1, 100),
        conclusion=lambda n, _: exceeds(
            jnp.sum(jnp.where(jnp.arange(100) <= n[0], jnp.arange(100), 0)),
            n[0] * (n[0] + 1) // 2 - 1,
        ),
        allowed=NOT_REFUTED,  # a constant margin
    ),
    true(
        "square-beats-double",
        "n² > 2n from n = 3 on",
        sample=integers(3, 1000),
        conclusion=lambda n, _: exceeds(n[0] ** 2, 2 * n[0]),
    ),
    false(
        "square-beats-double-from-two-on",
        "n² > 2n is an exact 0 at n = 2",
        sample=integers(2, 10),
        conclusion=lambda n, _: exceeds(n[0] ** 2, 2 * n[0]),
    ),
    false(
        "half-of-an-odd-number",
        "2⌊n/2⌋ > n − 1 is an exact 0 for odd n",
        sample=integers(1, 1000),
        conclusion=lambda n, _: exceeds(2 * (n[0] // 2), n[0] - 1),
    ),
    true(
        "integer-premise",
        "n > 50 implies n² > 2500",
        sample=integers(0, 1000),
        hypotheses={"large": lambda n, _: exceeds(n[0], 50)},
        conclusion=lambda n, _: exceeds(n[0] ** 2, 2500),
    ),
    false(
        "integer-premise-at-its-edge",
        "n > 49 does not imply n > 50: the margin is an exact 0 at n = 50",
        sample=integers(40, 60),
        hypotheses={"large": lambda n, _: exceeds(n[0], 49)},
        conclusion=lambda n, _: exceeds(n[0], 50),
        draws=300,
    ),
    true(
        "premise-an-exact-zero",
        "n > 50 is false at n = 50, for certain: nothing is undecided",
        sample=integers(40, 60),
        hypotheses={"large": lambda n, _: exceeds(n[0], 50)},
        conclusion=lambda n, _: sharp(n[0].astype(float) - 50.5),
        draws=300,
    ),
    true(
        "mean-of-unsigned-differences",
        "E[a − b] = 0; in uint8 the differences wrap around and average to 127",
        kind="moment",
        sample=integers(0, 256, "uint8"),
        quantity=lambda n, _: n[0] - n[1],
        claims=lambda config: Claim(0.0, 20.0),
        draws=2000,
        allowed=NOT_REFUTED | REFUSED,
    ),
    false(
        "mean-of-wrapped-squares",
        "E n² is 9·10¹³, not 0; in int32 the squares wrap around and average to nearly 0",
        kind="moment",
        sample=integers(0, 2**24, "int32"),
        quantity=lambda n, _: n[0] * n[0],
        claims=lambda config: Claim(0.0, 5e8),
        draws=1000,
        allowed=NOT_CONSISTENT | UNTOLD,
    ),
    true(
        "mean-of-a-truth-value",
        "a bool is 0 or 1: its mean is a frequency",
        kind="moment",
        quantity=lambda x, _: x > 0,
        claims=lambda config: Claim(0.5, 0.2),
        draws=1000,
    ),
    true(
        "mean-of-integers",
        "dice average to 3.5",
        kind="moment",
        sample=integers(1, 7),
        quantity=lambda n, _: n[0],
        claims=lambda config: Claim(3.5, 0.1),
        draws=1000,
        allowed=CONSISTENT,
    ),
    false(
        "mean-of-integers-shifted",
        "dice do not average to 3",
        kind="moment",
        sample=integers(1, 7),
        quantity=lambda n, _: n[0],
        claims=lambda config: Claim(3.0, 0.1),
        draws=1000,
    ),
)
