"""Draws that are none: an ignored key, NumPy's randomness, constants; tautologies; batches."""

import jax
import jax.numpy as jnp
import numpy as np
from soundness.planted import (
    INCONCLUSIVE,
    NOT_REFUTED,
    const,
    false,
    normals,
    sharp,
    true,
    uniform,
    uniforms,
)

from theory import Claim, margin

COUNT = 6


def ignoring_key(value):
    """A sampler that returns the same number for every key."""
    return lambda key, config: jnp.asarray(value)


def with_fixed_key(key, config):
    """Normals of a key of its own: the first is −.2, the third 1.3, or some such."""
    return jax.random.normal(jax.random.key(5), (4,))


def with_numpy(key, config):
    """NumPy's randomness is drawn once, while the sampler is traced."""
    return jnp.asarray(np.random.default_rng(5).normal(size=4))


def with_global_numpy(key, config):
    return jnp.asarray(np.random.RandomState(5).uniform(size=4))


def constant_network(key, config):
    """Weights and data that no key enters, beside a key that nobody uses."""
    return {"w": jnp.ones((2, 3)), "x": jnp.asarray([1.0, -1.0, 0.5])}


MOMENT = {"kind": "moment"}
RATE = {"kind": "rate", "scales": const(2.0 ** np.arange(3, 9))}
DECAY = {"kind": "decay", "scales": const(np.arange(1.0, 7.0))}

PLANTED = (
    false(
        "fixed-key-deterministic",
        "|x| < 3 is false for normals, not for these four",
        sample=with_fixed_key,
        conclusion=lambda x, _: sharp(3.0 - jnp.max(jnp.abs(x))),
        allowed=INCONCLUSIVE,
    ),
    false(
        "numpy-deterministic",
        "the same with NumPy's randomness",
        sample=with_numpy,
        conclusion=lambda x, _: sharp(4.0 - jnp.max(jnp.abs(x))),
        allowed=INCONCLUSIVE,
    ),
    false(
        "global-numpy-deterministic",
        "all of four uniforms exceed a thousandth: false, but not for these",
        sample=with_global_numpy,
        conclusion=lambda u, _: sharp(jnp.min(u) - 1e-3),
        allowed=INCONCLUSIVE,
    ),
    false(
        "constant-network-deterministic",
        "the output is below 1 for these weights, not for all",
        sample=constant_network,
        conclusion=lambda i, _: sharp(1.0 - jnp.sum(i["w"] @ i["x"]) / 2),
        allowed=INCONCLUSIVE,
    ),
    false(
        "same-number-probabilistic",
        "P(x > 1) ≤ .01 is false for a normal; the number .5 never exceeds 1",
        kind="probabilistic",
        sample=ignoring_key(0.5),
        conclusion=lambda x, _: sharp(1.0 - x),
        failure_probability=const(0.01),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    true(
        "same-number-probabilistic-true",
        "P(x > 1) ≤ .2 is true for a normal; the number 1.5 exceeds it 500 times",
        kind="probabilistic",
        sample=ignoring_key(1.5),
        conclusion=lambda x, _: sharp(1.0 - x),
        failure_probability=const(0.2),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    false(
        "same-number-mean",
        "the number 1.5, five hundred times, is no sample of anything with mean 1.5",
        **MOMENT,
        sample=ignoring_key(1.5),
        quantity=lambda x, _: x,
        claims=lambda config: Claim(1.5, 0.1),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    true(
        "same-number-mean-true",
        "the mean of a normal is 0; the number 1.5 is one draw of it",
        **MOMENT,
        sample=ignoring_key(1.5),
        quantity=lambda x, _: x,
        claims=lambda config: Claim(0.0, 0.5),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    true(
        "numpy-mean-true",
        "the mean of four normals is 0; once drawn it is another number",
        **MOMENT,
        sample=with_numpy,
        quantity=lambda x, _: jnp.mean(x),
        claims=lambda config: Claim(0.0, 0.05),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    true(
        "same-number-empirical-true",
        "the same for an experiment",
        kind="empirical",
        sample=ignoring_key(-1.5),
        quantity=lambda x, _: x,
        claims=lambda config: Claim(0.0, 0.5, side="at least"),
        draws=500,
        allowed=INCONCLUSIVE,
    ),
    true(
        "fixed-uniforms-rate",
        "the exponent of the mean is −½; one draw of six uniforms has another",
        **RATE,
        sample=lambda key, config: jax.random.uniform(jax.random.key(1), (COUNT,)),
        quantity=lambda u, _: jnp.asarray(2.0 ** np.arange(3, 9)) ** -0.5 * (0.1 + u),
        claims=lambda config: Claim(-0.5, 0.1),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    false(
        "fixed-uniforms-rate-off",
        "a law that holds for one draw",
        **RATE,
        sample=ignoring_key(2.0),
        quantity=lambda x, _: jnp.asarray(2.0 ** np.arange(3, 9)) ** -0.5 * x,
        claims=lambda config: Claim(-0.5, 0.1),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    true(
        "fixed-uniforms-decay",
        "failures of one draw, 200 times",
        **DECAY,
        sample=lambda key, config: jax.random.uniform(jax.random.key(1), (COUNT,)),
        quantity=lambda u, _: jnp.where(u < jnp.exp(-0.25 * jnp.arange(1.0, 7.0)), 1.0, 0.0),
        claims=lambda config: Claim(0.25, 0.3),
        draws=200,
        allowed=INCONCLUSIVE,
    ),
    true(
        "key-ignored-by-a-true-one",
        "1 + x² > 0 for all x, but this is one of them",
        sample=ignoring_key(0.3),
        conclusion=lambda x, _: sharp(1 + x**2),
        allowed=INCONCLUSIVE,
    ),
    false(
        "counterexample-in-the-only-draw",
        "one counterexample is enough, however often it is drawn",
        sample=ignoring_key(-1.0),
        conclusion=lambda x, _: sharp(x),
        allowed={"refuted"},
    ),
    true(
        "tautology-constant",
        "2 > 1, whatever is drawn",
        conclusion=lambda x, _: margin(1.0, 0.0),
        allowed=NOT_REFUTED,
    ),
    true(
        "tautology-of-the-draw",
        "x − x + 1 > 0 is 1 > 0",
        conclusion=lambda x, _: sharp(x - x + 1),
        allowed=NOT_REFUTED,
    ),
    true(
        "tautology-equals-its-premise",
        "u > ½ implies u > ½",
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        conclusion=lambda u, _: sharp(u - 0.5),
        draws=200,
        allowed=NOT_REFUTED,
    ),
    false(
        "contradiction-constant",
        "0 > 1, whatever is drawn",
        conclusion=lambda x, _: margin(-1.0, 0.0),
        allowed={"refuted"},
    ),
    true(
        "discrete-instances",
        "four different instances in 400 draws, as a fair law of two bits has it",
        kind="probabilistic",
        sample=lambda key, config: jax.random.bernoulli(key, 0.5, (2,)),
        conclusion=lambda b, _: sharp(jnp.where(b.all(), -1.0, 1.0)),
        failure_probability=const(0.25),
        draws=400,
    ),
    false(
        "discrete-instances-off",
        "a quarter of the draws fail where a tenth may",
        kind="probabilistic",
        sample=lambda key, config: jax.random.bernoulli(key, 0.5, (2,)),
        conclusion=lambda b, _: sharp(jnp.where(b.all(), -1.0, 1.0)),
        failure_probability=const(0.1),
        draws=400,
    ),
    true(
        "constant-leaf-beside-a-random-one",
        "data that are fixed and weights that are drawn: draws all the same",
        sample=lambda key, config: {"x": jnp.ones(3), "w": jax.random.normal(key, (3,))},
        conclusion=lambda i, _: sharp(4 + jnp.sum((i["w"] - i["x"]) ** 2)),
    ),
    true(
        "equal-instances-until-the-last-digits",
        "draws that differ by 10⁻¹² of each other are different draws",
        sample=lambda key, config: 1 + 1e-12 * jax.random.normal(key),
        conclusion=lambda x, _: sharp(2 - x),
    ),
    true(
        "whole-key-as-the-instance",
        "a sampler may hand on its key",
        sample=lambda key, config: {"key": key, "x": jax.random.normal(key)},
        conclusion=lambda i, _: sharp(1 + i["x"] ** 2 + jax.random.uniform(i["key"])),
    ),
    true(
        "unused-key-beside-constants",
        "1 + 1 > 0 for all x, but x is the same in all draws and only the unused key differs",
        sample=lambda key, config: {"key": key, "x": jnp.ones(2)},
        conclusion=lambda i, _: sharp(1 + i["x"][0]),
        allowed=INCONCLUSIVE,
        says="but random keys",
    ),
    false(
        "unused-key-beside-one-draw-of-a-mean",
        "the number 1.5 beside five hundred keys is no sample of anything with mean 1.5",
        **MOMENT,
        sample=lambda key, config: {"key": key, "x": jnp.asarray(1.5)},
        quantity=lambda i, _: i["x"],
        claims=lambda config: Claim(1.5, 0.1, bounds=(0.0, 3.0)),
        draws=500,
        allowed=INCONCLUSIVE,
        says="but random keys",
    ),
    true(
        "key-of-which-the-premise-is-computed",
        "the draws differ in the premise, by the key alone",
        sample=lambda key, config: {"key": key, "x": jnp.ones(2)},
        hypotheses={"large": lambda i, _: sharp(jax.random.uniform(i["key"]) - 0.1)},
        conclusion=lambda i, _: sharp(1 + i["x"][0]),
    ),
    true(
        "unused-key-beside-draws",
        "the key does nothing, the numbers beside it are drawn",
        sample=lambda key, config: {"key": key, "x": jax.random.normal(key)},
        conclusion=lambda i, _: sharp(jnp.ones(()) + 0 * i["x"]),
    ),
    true(
        "one-batch-or-many",
        "seven draws a batch, and a remainder",
        kind="probabilistic",
        sample=uniforms(2),
        conclusion=lambda u, _: sharp(u[0] - 0.1),
        failure_probability=const(0.1),
        draws=501,
        batch=7,
    ),
    false(
        "one-draw-a-batch",
        "the rate of failures does not depend on the batch",
        kind="probabilistic",
        sample=uniforms(2),
        conclusion=lambda u, _: sharp(u[0] - 0.4),
        failure_probability=const(0.1),
        draws=200,
        batch=1,
    ),
    false(
        "padding-is-no-draw",
        "three draws in batches of two: the padding must not count as one more",
        sample=normals(2),
        conclusion=lambda x, _: sharp(3.5 - x[0]),
        draws=3,
        batch=2,
        allowed=INCONCLUSIVE | {"refuted"},
    ),
)
