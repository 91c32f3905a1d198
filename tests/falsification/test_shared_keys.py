"""Samplers whose random numbers are not free: no search may make what no key draws."""

import jax
import jax.numpy as jnp
import pytest
from falsification.planted import planted

from theory import Reals, at_least, exceeds, falsify
from theory.falsification.latent import open_sampler
from theory.keys import make_key


def normal(key, config):
    return jax.random.normal(key, (config.d,))


def fixed(key, config):
    return {"a": normal(make_key(0), config), "x": normal(key, config)}


def in_a_loop_too(key, config):
    keys = jax.random.split(key, config.n)
    draw = lambda k: normal(k, config)  # noqa: E731
    return {"a": jax.vmap(draw)(keys), "b": jax.lax.map(draw, keys)}


def in_a_branch_too(key, config):
    draw = lambda k: normal(k, config)  # noqa: E731
    coin = jax.random.uniform(jax.random.fold_in(key, 3)) < 0.5
    return {"a": jax.lax.cond(coin, draw, lambda k: normal(k, config), key), "b": draw(key)}


def resampled(key, config):
    of_index, of_points = jax.random.split(key)
    index = jax.random.randint(of_index, (config.n,), 0, 4)
    points = jax.vmap(lambda j: normal(jax.random.fold_in(of_points, j), config))(index)
    return {"index": index, "a": points}


def bits_too(key, config):
    bits = jax.random.bits(key, (config.d,), jnp.uint64)
    return {"u": jax.random.uniform(key, (config.d,)), "coin": (bits >> 63).astype(float)}


def key_too(key, config):
    return {"x": normal(key, config), "key": key}


def apart(i, c):
    return at_least(1e-9, jnp.max(jnp.abs(i["a"] - i["b"])))


def norm_of_fixed(c):
    return jnp.sum(fixed(make_key(1), c)["a"] ** 2) + 1e-6


def coins_agree(i, c):
    return at_least(1e-9, jnp.max(jnp.abs((i["u"] >= 0.5).astype(float) - i["coin"])))


def pair(i, c):
    distance = jnp.max(jnp.abs(i["a"][0] - i["a"][1]))
    return at_least(1e-9, jnp.where(i["index"][0] == i["index"][1], distance, 0.0))


TRUE = {
    "fixed": (fixed, lambda i, c: exceeds(norm_of_fixed(c), jnp.sum(i["a"] ** 2))),
    "loop": (in_a_loop_too, apart),
    "branch": (in_a_branch_too, apart),
    "resampled": (resampled, pair),
    "bits": (bits_too, coins_agree),
    "key": (key_too, lambda i, c: at_least(1e-9, jnp.max(jnp.abs(i["x"] - normal(i["key"], c))))),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_true_statements_are_not_refuted(name):
    sample, conclusion = TRUE[name]
    found = falsify(planted(name, sample, conclusion), evaluations=1000, shrink=False)
    assert found.verdict == "inconclusive", str(found)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_numbers_of_few_digits_are_taken(dtype):
    true = planted(
        "finite",
        lambda key, c: jax.random.normal(key, (c.d,), dtype),
        lambda x, c: exceeds(100.0, jnp.max(x.astype(float))),
    )
    assert falsify(true, evaluations=2000).tested > 0


def test_what_is_drawn_in_a_checkpoint_is_opened():
    def sample(key, given):
        return jax.checkpoint(lambda k: jax.random.normal(k, (3,)))(key)

    _, drawn = open_sampler(sample, make_key(0))
    assert [n.shape for n in drawn(make_key(0), ())] == [(3,)]


def test_an_array_that_follows_from_one_with_a_domain_needs_a_stage():
    def gram(key, config):
        x = jax.random.normal(key, (config.n, config.d))
        return {"x": x, "gram": x @ x.T}

    statement = planted(
        "derived", gram, lambda i, c: exceeds(jnp.trace(i["gram"]), -1.0), domain={"x": Reals()}
    )
    with pytest.raises(ValueError, match="'gram' is, as 'x'"):
        falsify(statement, evaluations=100)
