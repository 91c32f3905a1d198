"""Deterministic statements: few draws, premises, exact zeros, a solver between, many conditions."""

import jax.numpy as jnp
import numpy as np
from soundness.planted import (
    INCONCLUSIVE,
    NOT_CONSISTENT,
    NOT_REFUTED,
    VACUOUS,
    false,
    integers,
    normals,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import exceeds, margin


def solved(instance):
    """x with A x = b, by the host."""
    a, b = instance
    return {"a": a, "b": b, "x": np.linalg.solve(a, b)}


def solved_badly(instance):
    """The same, wrong by .1 where b starts with a negative number."""
    solution = solved(instance)
    return solution | {"x": solution["x"] + 0.1 * (instance[1][0] < 0)}


def solved_sometimes(instance):
    """The same, and no solution where b starts with a negative number."""
    solution = solved(instance)
    return solution | {"x": solution["x"] * (np.nan if instance[1][0] < 0 else 1.0)}


def system(key, config):
    values = normals(12)(key, config)
    return values[:9].reshape(3, 3) + 8 * jnp.eye(3), values[9:]


def residual(instance, _):
    return sharp(1e-9 - jnp.max(jnp.abs(instance["a"] @ instance["x"] - instance["b"])))


PLANTED = (
    false(
        "one-in-ten",
        "about twenty counterexamples",
        conclusion=lambda x, _: sharp(1.28 - x),
        draws=200,
    ),
    false(
        "every-draw",
        "nothing but counterexamples",
        conclusion=lambda x, _: sharp(-1.0 - x**2),
    ),
    false(
        "one-draw",
        "half of the draws fail; one draw that holds tests nothing",
        conclusion=lambda x, _: sharp(x),
        draws=1,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "five-draws",
        "one draw in fifty fails: five draws cannot see it",
        conclusion=lambda x, _: sharp(2.05 - x),
        draws=5,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "thirteen-draws",
        "thirteen draws find a failure rate of .2 with less than 95 % power",
        conclusion=lambda x, _: sharp(2.3 - x),
        draws=13,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "premise-met-too-rarely",
        "about three draws of 200 meet the premise, and one in twenty of them fails",
        sample=uniforms(2),
        hypotheses={"rare": lambda u, _: sharp(u[0] - 0.985)},
        conclusion=lambda u, _: sharp(u[1] - 0.05),
        draws=200,
        allowed=NOT_CONSISTENT,
    ),
    false(
        "counterexamples-behind-a-premise",
        "beyond the premise it holds, within it half of the draws fail",
        sample=uniforms(2),
        hypotheses={"small": lambda u, _: sharp(0.2 - u[0])},
        conclusion=lambda u, _: sharp(jnp.where(u[0] < 0.2, u[1] - 0.5, 1.0)),
        draws=300,
    ),
    false(
        "counterexamples-where-the-premise-is-undecided",
        "the premise is 0 within its error exactly where the conclusion fails",
        sample=uniform,
        hypotheses={"close": lambda u, _: margin(jnp.where(u < 0.5, 0.1, 1.0), 0.5)},
        conclusion=lambda u, _: sharp(u - 0.5),
        allowed=INCONCLUSIVE,
    ),
    false(
        "one-entry-of-many",
        "the smallest of fifty normals is below −1 nearly always",
        sample=normals(50),
        conclusion=lambda x, _: margin(x + 1.0, 1e-12).all(),
    ),
    false(
        "strict-at-a-tie",
        "three coins show the same face in one draw of four: the margin is the integer 0",
        sample=lambda key, config: integers(0, 2)(key, config),
        conclusion=lambda n, _: exceeds(jnp.max(n), jnp.min(n)),
    ),
    false(
        "strict-at-a-stated-zero",
        "x − x with a stated error of 0 is not positive",
        conclusion=lambda x, _: margin(x - x, 0.0),
        allowed=NOT_CONSISTENT,  # a constant margin: it may be named as one
    ),
    false(
        "strict-between-sums",
        "x + y is y + x, so not greater: zero to the last digit, of floats",
        sample=normals(2),
        conclusion=lambda x, _: exceeds(x[0] + x[1], x[1] + x[0]),
        allowed=NOT_CONSISTENT,
    ),
    false(
        "strict-sign",
        "the product of two signs is −1 in half of the draws",
        sample=normals(2),
        conclusion=lambda x, _: margin(jnp.sign(x[0]) * jnp.sign(x[1]) + 1, 0.0),
    ),
    false(
        "solver-is-wrong",
        "half of the proposed solutions are none",
        sample=system,
        solve=solved_badly,
        conclusion=residual,
        draws=40,
    ),
    false(
        "solver-finds-nothing",
        "half of the systems get NaN for a solution",
        sample=system,
        solve=solved_sometimes,
        conclusion=residual,
        draws=40,
        allowed=INCONCLUSIVE,
    ),
    false(
        "premise-never-met-nor-conclusion",
        "nothing was tested",
        hypotheses={"huge": lambda x, _: sharp(x - 100)},
        conclusion=lambda x, _: sharp(-1.0 - x**2),
        allowed=VACUOUS,
    ),
    true("always", "1 + x² > 0", conclusion=lambda x, _: sharp(1 + x**2)),
    true(
        "fourteen-draws",
        "as many as find a failure rate of .2 with 95 % power",
        conclusion=lambda x, _: sharp(1 + x**2),
        draws=14,
    ),
    true(
        "cauchy-schwarz",
        "⟨x, y⟩² < |x|²|y|² for vectors in general position",
        sample=normals(8),
        conclusion=lambda x, _: exceeds(
            jnp.sum(x[:4] ** 2) * jnp.sum(x[4:] ** 2), jnp.sum(x[:4] * x[4:]) ** 2
        ),
    ),
    true(
        "means-of-two-kinds",
        "the arithmetic mean exceeds the geometric one",
        sample=uniforms(4),
        conclusion=lambda u, _: exceeds(jnp.mean(u), jnp.exp(jnp.mean(jnp.log(u)))),
    ),
    true(
        "triangle-with-slack",
        "|x| + |y| + 10⁻⁹ > |x + y|, with equal signs too",
        sample=normals(2),
        conclusion=lambda x, _: exceeds(jnp.sum(jnp.abs(x)) + 1e-9, jnp.abs(jnp.sum(x))),
    ),
    true(
        "premise-and-square",
        "u > ½ implies u² > ¼",
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        conclusion=lambda u, _: sharp(u**2 - 0.25),
        draws=200,
    ),
    true(
        "premise-excludes-counterexamples",
        "false in half of the draws, which the premise excludes",
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        conclusion=lambda u, _: sharp(u - 0.4),
        draws=200,
    ),
    true(
        "premise-undecided-beside-counterexamples",
        "the premise fails where the conclusion does, but inside its error",
        sample=uniform,
        hypotheses={"large": lambda u, _: margin(u - 0.5, 0.3)},
        conclusion=lambda u, _: sharp(u - 0.4),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    true(
        "premise-not-a-number",
        "no draw is known to satisfy the premise",
        hypotheses={"root": lambda x, _: sharp(jnp.sqrt(-1.0 - x**2))},
        conclusion=lambda x, _: sharp(1 + x**2),
        allowed=INCONCLUSIVE,
    ),
    true(
        "one-premise-fails-another-is-not-a-number",
        "one premise that certainly fails settles the matter",
        hypotheses={
            "root": lambda x, _: sharp(jnp.sqrt(-1.0 - x**2)),
            "huge": lambda x, _: sharp(x - 100),
        },
        conclusion=lambda x, _: sharp(-1.0 - x**2),
        allowed=VACUOUS,
    ),
    true(
        "many-conditions",
        "fifty entries, all of them positive",
        sample=normals(50),
        conclusion=lambda x, _: margin(x**2 + 0.1, 1e-12).all(),
    ),
    true(
        "solver-is-right",
        "residuals far below the slack",
        sample=system,
        solve=solved,
        conclusion=residual,
        draws=40,
    ),
    true(
        "coin-flips",
        "two different instances in a hundred draws are no reason to count only two",
        sample=integers(0, 2),
        conclusion=lambda n, _: margin(2 - n[0]),
        allowed=NOT_REFUTED,
    ),
)
