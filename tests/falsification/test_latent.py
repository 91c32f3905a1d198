"""A sampler opened: what comes out is what it draws, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.falsification.latent import from_scores, open_sampler, scores
from theory.keys import make_key


def draws(key, _):
    keys = jax.random.split(key, 8)
    return {
        "normal": jax.random.normal(keys[0], (3, 2)),
        "signs": jax.random.rademacher(keys[1], (4,), float),
        "uniform": jax.random.uniform(keys[2], (5,), minval=-1.0, maxval=3.0),
        "exponential": jax.vmap(lambda k: jax.random.exponential(k, (2,)))(keys[3:6]),
        "permuted": jax.random.permutation(keys[6], 6),
        "gamma": jax.random.gamma(keys[7], 2.0, (2,)),
    }


def test_its_own_numbers_give_its_own_draw():
    rebuilt, drawn = open_sampler(draws, make_key(0))
    numbers = drawn(make_key(3), ())
    assert [n.shape for n in numbers] == [(3, 2), (4,), (5,), (3, 2)]
    for got, expected in zip(
        jax.tree.leaves(rebuilt(make_key(3), (), numbers)),
        jax.tree.leaves(draws(make_key(3), ())),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


def test_numbers_at_the_ends_are_drawn_numbers_still():
    rebuilt, drawn = open_sampler(draws, make_key(0))
    for end in (1.0, 2.0, 2 - 2.0**-52):
        found = rebuilt(make_key(0), (), [jnp.full_like(n, end) for n in drawn(make_key(0), ())])
        assert np.isfinite(found["normal"]).all()
        assert (np.abs(found["normal"]) < 8.3).all()  # what float64 can draw
        assert ((found["uniform"] >= -1) & (found["uniform"] <= 3)).all()
        assert set(np.unique(found["signs"])) <= {-1.0, 1.0}


def test_derivatives_go_through():
    rebuilt, drawn = open_sampler(draws, make_key(0))
    start = scores(drawn(make_key(1), ()))
    slope = jax.grad(lambda s: jnp.sum(rebuilt(make_key(1), (), from_scores(s))["normal"]))(start)
    np.testing.assert_allclose(slope[0], 1.0, rtol=1e-6)  # the score of a normal number is itself


def test_numbers_of_one_key_stay_the_same_numbers():
    def twice(key, _):
        return jax.random.normal(key, (3,)), jax.random.normal(key, (3,))

    rebuilt, drawn = open_sampler(twice, make_key(0))
    numbers = [
        1 + jax.random.uniform(make_key(i), n.shape) for i, n in enumerate(drawn(make_key(0), ()))
    ]
    first, second = rebuilt(make_key(0), (), numbers)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("law", [jax.random.normal, jax.random.laplace, jax.random.logistic])
def test_scores_are_unbounded_variables_of_any_law(law):
    rebuilt, drawn = open_sampler(lambda key, _: law(key, (2,)), make_key(0))
    variables = scores(drawn(make_key(5), ()))
    np.testing.assert_allclose(
        rebuilt(make_key(0), (), from_scores(variables)), law(make_key(5), (2,)), rtol=1e-9
    )
