"""Rounding: what is true but computed as false, and what is false but computed as true.

No error is stated here, as a user would not: it has to be estimated, not assumed.
"""

import jax
import jax.numpy as jnp
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    false,
    normals,
    true,
    uniform,
    uniforms,
)

from theory import Claim, exceeds, margin


def log_uniform(low, high):
    """10 to the power of a uniform in [low, high]."""
    return lambda key, config: 10.0 ** jax.random.uniform(key, minval=low, maxval=high)


def between(low, high):
    return lambda key, config: jax.random.uniform(key, minval=low, maxval=high)


def smallest_eigenvalue(matrix):
    return jnp.linalg.eigvalsh(matrix)[0]


def repeated_sum(x, count):
    """x + x + …, one after another."""
    return jax.lax.fori_loop(0, count, lambda i, total: total + x, jnp.zeros_like(x))


def expanded_power(x):
    """(x − 1)⁷, multiplied out: noise of 10⁻¹⁴ within .01 of 1."""
    return jnp.polyval(jnp.asarray([1, -7, 21, -35, 35, -21, 7, -1], x.dtype), x)


def apart(u):
    """Two numbers, about 60 apart."""
    return u - jnp.asarray([0.0, 60.0], u.dtype)


def hilbert(size, x):
    i = jnp.arange(size, dtype=x.dtype)
    return 1 / (i[:, None] + i[None, :] + 1 + x)


PLANTED = (
    true(
        "equality-of-thirds",
        "0.1·3·u = 0.3·u; computed, they differ in most draws and in all disturbed arithmetics",
        sample=uniform,
        conclusion=lambda u, _: margin(jnp.where(u * 0.1 * 3 == u * 0.3, 1.0, -1.0)),
        allowed=INCONCLUSIVE,
    ),
    true(
        "order-of-thirds-probabilistic",
        "0.1·3·u ≤ 0.3·u always; one in twenty computed failures was missed by four disturbances",
        kind="probabilistic",
        sample=uniform,
        conclusion=lambda u, _: margin(jnp.where(u * 0.1 * 3 <= u * 0.3, 1.0, -1.0)),
        failure_probability=lambda u, _: 0.01,
        draws=400,
        allowed=INCONCLUSIVE,
    ),
    true(
        "kink-at-thirds",
        "a kink is no jump: max(0.1·3·u − 0.3·u, 0) ≤ 10⁻⁹",
        sample=uniform,
        conclusion=lambda u, _: margin(
            1e-9 - jnp.where(u * 0.1 * 3 > u * 0.3, u * 0.1 * 3 - u * 0.3, 0.0)
        ),
    ),
    true(
        "outer-product-psd",
        "λ_min(x xᵀ) = 0 > −10⁻¹⁵; computed, it is −10⁻¹⁵ in half of the draws",
        sample=normals(8),
        conclusion=lambda x, _: margin(smallest_eigenvalue(jnp.outer(x, x)) + 1e-15),
        allowed=NOT_REFUTED,
    ),
    true(
        "gram-matrix-positive",
        "λ_min of the Gram matrix of two points in general position is far above rounding",
        sample=normals(16),
        conclusion=lambda x, _: margin(smallest_eigenvalue(x.reshape(2, 8) @ x.reshape(2, 8).T)),
    ),
    true(
        "logarithm-below-x",
        "log(1 + x) < x by x²/2; computed with log, its error is 10⁻¹⁶ however small x is",
        sample=log_uniform(-12, -5),
        conclusion=lambda x, _: exceeds(x, jnp.log(1 + x)),
        allowed=NOT_REFUTED,
    ),
    true(
        "logarithm-below-x-by-log1p",
        "the same without cancellation in the logarithm: the difference has seven digits",
        sample=log_uniform(-7, -1),
        conclusion=lambda x, _: exceeds(x, jnp.log1p(x)),
        allowed=NOT_REFUTED,
    ),
    true(
        "logarithm-below-x-for-large-x",
        "far from any rounding",
        sample=between(0.5, 5.0),
        conclusion=lambda x, _: exceeds(x, jnp.log(1 + x)),
    ),
    true(
        "variance-of-large-numbers",
        "E x² − (E x)² ≥ 0, about 1 here; both terms are 10¹⁶",
        sample=normals(8),
        conclusion=lambda x, _: margin(jnp.mean((1e8 + x) ** 2) - jnp.mean(1e8 + x) ** 2),
        allowed=NOT_REFUTED,
    ),
    true(
        "variance-of-a-constant",
        "E x² − (E x)² + 10⁻²⁰ > 0 for eight equal numbers: 0 up to rounding",
        conclusion=lambda x, _: margin(
            jnp.mean(jnp.full(8, x) ** 2) - jnp.mean(jnp.full(8, x)) ** 2 + 1e-20
        ),
        allowed=NOT_REFUTED,
    ),
    true(
        "sum-in-a-loop-from-above",
        "1000 times x, added up, is 1000 x; 10⁻²⁰ makes it strictly more",
        sample=uniform,
        conclusion=lambda x, _: margin(repeated_sum(x, 1000) - 1000 * x + 1e-20),
        allowed=NOT_REFUTED,
    ),
    true(
        "sum-in-a-loop-from-below",
        "the same the other way round",
        sample=uniform,
        conclusion=lambda x, _: margin(1000 * x - repeated_sum(x, 1000) + 1e-20),
        allowed=NOT_REFUTED,
    ),
    true(
        "telescoping-sum",
        "the differences add up to the last minus the first number",
        sample=normals(200),
        conclusion=lambda x, _: margin(jnp.sum(jnp.diff(x)) - (x[-1] - x[0]) + 1e-20),
        allowed=NOT_REFUTED,
    ),
    true(
        "sums-in-two-orders",
        "a sum does not depend on the order",
        sample=normals(500),
        conclusion=lambda x, _: margin(1e-20 + jnp.sum(x) - jnp.cumsum(x[::-1])[-1]),
        allowed=NOT_REFUTED,
    ),
    true(
        "product-of-inverse",
        "x(1/x) is 1, so above 1 − 10⁻¹⁸",
        conclusion=lambda x, _: margin(x * (1 / x) - 1 + 1e-18),
        allowed=NOT_REFUTED,
    ),
    true(
        "root-of-a-square",
        "√(x²) is |x|",
        conclusion=lambda x, _: margin(jnp.sqrt((x * jnp.pi) ** 2) - jnp.abs(x * jnp.pi) + 1e-20),
        allowed=NOT_REFUTED,
    ),
    true(
        "pythagoras",
        "sin² + cos² is 1",
        sample=between(0.0, 1e3),
        conclusion=lambda x, _: margin(jnp.sin(x) ** 2 + jnp.cos(x) ** 2 - 1 + 1e-18),
        allowed=NOT_REFUTED,
    ),
    true(
        "cosine-quotient-at-most-half",
        "(1 − cos x)/x² < ½; computed near 10⁻⁸, it is 0 or up to .9",
        sample=between(1.06e-8, 1.4e-8),
        conclusion=lambda x, _: exceeds(0.5, (1 - jnp.cos(x)) / x**2),
        allowed=NOT_REFUTED,
    ),
    false(
        "cosine-quotient-above-half",
        "(1 − cos x)/x² > ½ holds nowhere, and everywhere between these x when computed",
        sample=between(1.06e-8, 1.4e-8),
        conclusion=lambda x, _: exceeds((1 - jnp.cos(x)) / x**2, 0.5),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "cosine-quotient-for-large-x",
        "far from any rounding",
        sample=between(0.5, 3.0),
        conclusion=lambda x, _: exceeds(0.5, (1 - jnp.cos(x)) / x**2),
    ),
    false(
        "cosine-quotient-above-half-for-large-x",
        "the same, negated",
        sample=between(0.5, 3.0),
        conclusion=lambda x, _: exceeds((1 - jnp.cos(x)) / x**2, 0.5),
    ),
    true(
        "expanded-power-positive",
        "(x − 1)⁷ > 0 for x > 1: 10⁻¹⁹ under noise of 10⁻¹⁴",
        sample=between(1.001, 1.004),
        conclusion=lambda x, _: margin(expanded_power(x)),
        allowed=NOT_REFUTED,
    ),
    false(
        "expanded-power-negative",
        "(x − 1)⁷ < 0 for x > 1: the noise has it so in half of the draws",
        sample=between(1.001, 1.004),
        conclusion=lambda x, _: margin(-expanded_power(x)),
        allowed=NOT_CONSISTENT,
    ),
    true(
        "hilbert-determinant-positive",
        "the determinant of a Hilbert matrix of size 14 is 10⁻¹⁰⁸, computed with no digit",
        sample=between(0.0, 0.01),
        conclusion=lambda x, _: margin(jnp.linalg.det(hilbert(14, x))),
        allowed=NOT_REFUTED,
    ),
    true(
        "projection-shortens",
        "|P x| ≤ |x|, with equality for x in the range of P, up to 10⁻²⁰",
        sample=normals(6),
        conclusion=lambda x, _: margin(
            jnp.linalg.norm(x)
            - jnp.linalg.norm(x * (jnp.sum(x * x) / jnp.linalg.norm(x) ** 2))
            + 1e-20
        ),
        allowed=NOT_REFUTED,
    ),
    true(
        "small-term-beside-a-large-one",
        "x + 10¹⁷ − 10¹⁷ = x > 0, computed as 0 or 16",
        sample=uniform,
        conclusion=lambda u, _: margin((u + 1) + 1e17 - 1e17),
        allowed=NOT_REFUTED,
    ),
    true(
        "hyperbolic-tangent-below-one",
        "tanh x < 1, computed as 1 from x = 20 on",
        sample=between(20.0, 100.0),
        conclusion=lambda x, _: exceeds(1.0, jnp.tanh(x)),
        allowed=NOT_REFUTED,
    ),
    true(
        "log-sum-exp-above-maximum",
        "log(e^x + e^y) > max(x, y), by e^{−60} here: computed as equal",
        sample=uniforms(2),
        conclusion=lambda u, _: exceeds(jax.nn.logsumexp(apart(u)), jnp.max(apart(u))),
        allowed=NOT_REFUTED,
    ),
    false(
        "log-sum-exp-below-maximum",
        "log(e^x + e^y) > max(x, y) + 10⁻³ is false for far apart x and y",
        sample=uniforms(2),
        conclusion=lambda u, _: exceeds(jax.nn.logsumexp(apart(u)), 1e-3 + jnp.max(apart(u))),
    ),
    true(
        "slack-of-one-billionth",
        "1 + 10⁻⁹(1 + u) > 1: decided in float64, and only there",
        sample=uniform,
        conclusion=lambda u, _: exceeds(1 + 1e-9 * (1 + u), 1.0),
    ),
    false(
        "slack-of-one-billionth-missing",
        "1 − 10⁻⁹(1 + u) > 1 is false by as little",
        sample=uniform,
        conclusion=lambda u, _: exceeds(1 - 1e-9 * (1 + u), 1.0),
    ),
    true(
        "premise-within-rounding",
        "the premise x + 10¹⁷ − 10¹⁷ < 0 is false in every draw, but computed as 0: undecided",
        sample=uniform,
        hypotheses={"negative": lambda u, _: margin(1e17 - ((u + 1) + 1e17))},
        conclusion=lambda u, _: margin(-1 - u, 1e-12),
        allowed=INCONCLUSIVE | {"vacuous"},
    ),
    true(
        "rotation-of-20000-in-one-batch",
        "|Q z|² = |z|² for Q = 1 in three dimensions, whatever the batch",
        sample=normals(3),
        conclusion=lambda z, _: margin(
            1e-12 - jnp.abs(jnp.sum((jnp.eye(3) @ z) ** 2) / jnp.sum(z**2) - 1), 1e-14
        ),
        draws=20_000,
    ),
    true(
        "mean-of-a-cancellation",
        "E[(10⁸ + x)² − 10¹⁶ − 2·10⁸x] = E x² = 1, computed in steps of 2",
        kind="moment",
        quantity=lambda x, _: (1e8 + x) ** 2 - 1e16 - 2e8 * x,
        claims=lambda config: Claim(1.0, 0.2),
        draws=2000,
        allowed=NOT_REFUTED,
    ),
)
