"""Statements whose counterexamples the tests of certificates write."""

import jax
import jax.numpy as jnp

from theory import Deterministic, Hypothesis, Parameters, Statement, exceeds, parameter
from theory.margins import margin


class Setting(Parameters):
    """Sizes, and a constant that is too small."""

    n: int = parameter(3, "points", low=1)
    d: int = parameter(2, "dimension", low=1)
    c: float = parameter(1.25, "constant", low=0)


def bounded(x, config):
    return margin(4 - jnp.abs(x)).all()


def conclusion(x, config):
    """c·Σ_k ‖x_k‖ exceeds the largest product, of either sign, and e^{x_11/4}: false."""
    gram = x @ x.T
    shifted = jnp.where(gram > 0, gram, -gram / 3)
    lengths = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0))
    return exceeds(config.c * jnp.sum(lengths), jnp.max(shifted) + jnp.exp(x[0, 0] / 4))


LEMMA = Statement(
    id="lemmas.too-small",
    sample=lambda key, c: 1.5 * jax.random.normal(key, (c.n, c.d)),
    hypotheses={"bounded": Hypothesis(bounded, "|x| < 4")},
    claim=Deterministic(conclusion),
    config=Setting(),
)
OTHER = Statement(
    id="lemmas.other",
    sample=lambda key, c: 1.5 * jax.random.normal(key, (c.n, c.d)),
    hypotheses={"bounded": Hypothesis(bounded, "|x| < 4")},
    claim=Deterministic(lambda x, c: exceeds(c.c, jnp.max(x))),
    config=Setting(),
)
WITHOUT_PROGRAM = Statement(
    id="lemmas.sorted",
    sample=lambda key, c: jax.random.normal(key, (3,)),
    claim=Deterministic(lambda x, c: exceeds(jnp.sort(x)[0], jnp.sort(x)[1])),
    config=Setting(),
)
