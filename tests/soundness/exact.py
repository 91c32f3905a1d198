"""Strict and non-strict conditions, exact zeros, and infinities that are meant."""

import jax.numpy as jnp
from soundness.numerics import repeated_sum, smallest_eigenvalue
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    REFUSED,
    false,
    integers,
    normals,
    true,
    uniform,
    uniforms,
)

from theory import at_least, exceeds, margin

LARGE = 2**53


PLANTED = (
    true(
        "integer-zero-non-strict",
        "the larger of two dice is at least the smaller one, with equality in one of six",
        sample=integers(1, 7),
        conclusion=lambda n, _: at_least(jnp.max(n), jnp.min(n)),
    ),
    false(
        "integer-zero-strict",
        "the same, said to be greater",
        sample=integers(1, 7),
        conclusion=lambda n, _: exceeds(jnp.max(n), jnp.min(n)),
    ),
    true(
        "integer-margin-non-strict",
        "⌊n/2⌋ ≥ 0, and 0 for n = 1",
        sample=integers(0, 10),
        conclusion=lambda n, _: margin(n[0] // 2, strict=False),
    ),
    false(
        "integer-margin-strict",
        "the same, said to be positive",
        sample=integers(0, 10),
        conclusion=lambda n, _: margin(n[0] // 2, strict=True),
    ),
    false(
        "integer-margin-negative-non-strict",
        "n − 5 ≥ 0 is false for half of them",
        sample=integers(0, 10),
        conclusion=lambda n, _: margin(n[0] - 5, strict=False),
    ),
    true(
        "stated-zero-non-strict",
        "max(x, 0) ≥ 0: an exact 0 in half of the draws, by its stated error",
        conclusion=lambda x, _: margin(jnp.maximum(x, 0.0), 0.0, strict=False),
    ),
    false(
        "stated-zero-strict",
        "max(x, 0) > 0 is false in half of the draws",
        conclusion=lambda x, _: margin(jnp.maximum(x, 0.0), 0.0),
    ),
    false(
        "zero-inside-a-stated-error",
        "the same with an error: the zeros are undecided",
        conclusion=lambda x, _: margin(jnp.maximum(x, 0.0), 1e-9),
        allowed=INCONCLUSIVE,
    ),
    true(
        "zero-inside-a-stated-error-non-strict",
        "max(x, 0) ≥ 0 within an error: undecided as well",
        conclusion=lambda x, _: margin(jnp.maximum(x, 0.0), 1e-9, strict=False),
        allowed=NOT_REFUTED,
    ),
    true(
        "large-integers-non-strict",
        "max ≥ min beyond 2⁵³",
        sample=integers(LARGE, LARGE + 9),
        conclusion=lambda n, _: at_least(jnp.max(n), jnp.min(n)),
    ),
    false(
        "large-integers-by-one",
        "a ≥ b + 1 is false for equal ones beyond 2⁵³, which are one float with their neighbours",
        sample=integers(LARGE, LARGE + 9),
        conclusion=lambda n, _: at_least(jnp.max(n), jnp.min(n) + 1),
    ),
    true(
        "sum-formula-both-ways",
        "1 + … + n = n(n + 1)/2 exactly",
        sample=integers(1, 100),
        conclusion=lambda n, _: at_least(
            jnp.sum(jnp.where(jnp.arange(100) <= n[0], jnp.arange(100), 0)),
            n[0] * (n[0] + 1) // 2,
        ),
        allowed=NOT_REFUTED,  # a constant margin: it may be named as a tautology
    ),
    false(
        "unsigned-non-strict",
        "a ≥ b for uint8: false for half of them, and no difference is negative",
        sample=integers(0, 256, "uint8"),
        conclusion=lambda n, _: at_least(n[0], n[1]),
        allowed=NOT_CONSISTENT | REFUSED,
    ),
    true(
        "premise-non-strict-at-its-edge",
        "n ≥ 50 implies n > 49",
        sample=integers(45, 55),
        hypotheses={"large": lambda n, _: at_least(n[0], 50)},
        conclusion=lambda n, _: exceeds(n[0], 49),
    ),
    false(
        "premise-non-strict-includes-its-edge",
        "n ≥ 50 does not imply n > 50",
        sample=integers(45, 55),
        hypotheses={"large": lambda n, _: at_least(n[0], 50)},
        conclusion=lambda n, _: exceeds(n[0], 50),
    ),
    true(
        "outer-product-semi-definite",
        "λ_min(x xᵀ) = 0 ≥ 0; computed, it is −10⁻¹⁵ in half of the draws",
        sample=normals(8),
        conclusion=lambda x, _: margin(smallest_eigenvalue(jnp.outer(x, x)), strict=False),
        allowed=NOT_REFUTED,
    ),
    false(
        "outer-product-positive-definite",
        "λ_min(x xᵀ) = 0 is not positive; computed, it is in half of the draws",
        sample=normals(8),
        conclusion=lambda x, _: margin(smallest_eigenvalue(jnp.outer(x, x))),
        allowed=NOT_CONSISTENT,
    ),
    false(
        "shifted-outer-product-semi-definite",
        "x xᵀ − .1 has a negative eigenvalue, far outside of any rounding",
        sample=normals(4),
        conclusion=lambda x, _: margin(
            smallest_eigenvalue(jnp.outer(x, x) - 0.1 * jnp.eye(4)), strict=False
        ),
    ),
    true(
        "sum-in-a-loop",
        "1000 times x, added up, is at least 1000 x",
        sample=uniform,
        conclusion=lambda x, _: at_least(repeated_sum(x, 1000), 1000 * x),
        allowed=NOT_REFUTED,
    ),
    true(
        "variance-non-negative",
        "E x² ≥ (E x)², about numbers of 10⁸",
        sample=normals(8),
        conclusion=lambda x, _: at_least(jnp.mean((1e8 + x) ** 2), jnp.mean(1e8 + x) ** 2),
        allowed=NOT_REFUTED,
    ),
    true(
        "triangle-non-strict",
        "|x| + |y| ≥ |x + y|, with equality for equal signs",
        sample=normals(2),
        conclusion=lambda x, _: at_least(jnp.sum(jnp.abs(x)), jnp.abs(jnp.sum(x))),
        allowed=NOT_REFUTED,
    ),
    true(
        "infinite-bound-declared",
        "a bound that is +∞ in half of the draws, as declared",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.where(u < 0.5, jnp.inf, 2.0), u, infinite=True),
    ),
    true(
        "infinite-margin-declared",
        "the same as a margin",
        sample=uniform,
        conclusion=lambda u, _: margin(jnp.where(u < 0.5, jnp.inf, 1 + u), infinite=True),
    ),
    false(
        "minus-infinite-bound-declared",
        "a bound that is −∞ in half of the draws fails there",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.where(u < 0.5, -jnp.inf, 2.0), u, infinite=True),
    ),
    true(
        "infinite-bound-undeclared",
        "without a declaration, ∞ may be an overflow",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.where(u < 0.5, jnp.inf, 2.0), u),
        allowed=INCONCLUSIVE,
    ),
    false(
        "infinite-on-both-sides-declared",
        "∞ > ∞ is nothing",
        sample=uniform,
        conclusion=lambda u, _: exceeds(
            jnp.where(u < 0.5, jnp.inf, 2.0), jnp.where(u < 0.5, jnp.inf, 1.0), infinite=True
        ),
        allowed=NOT_CONSISTENT,
    ),
    false(
        "nan-bound-declared-infinite",
        "NaN is not ∞",
        sample=uniform,
        conclusion=lambda u, _: exceeds(jnp.where(u < 0.5, jnp.nan, 2.0), u, infinite=True),
        allowed=INCONCLUSIVE,
    ),
    true(
        "infinite-entries-declared",
        "the minimum over entries of which some are +∞, in some draws all of them",
        sample=uniforms(3),
        conclusion=lambda u, _: exceeds(
            jnp.where(u < 0.7, jnp.inf, 2.0), jnp.max(u) * jnp.ones(3), infinite=True
        ).all(),
    ),
)
