"""Descent with weight decay: without any it is `train`, and outside the data nothing else acts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.networks import Descent, all_trained, init, train
from theory.networks.decay import descend_with_decay

N, D, M = 5, 7, 6
NETWORK = all_trained(0.2)


@pytest.fixture
def problem():
    keys = jax.random.split(jax.random.key(3), 2)
    x = jnp.pad(jax.random.normal(keys[0], (N, 4)), ((0, 0), (0, D - 4)))
    return init(NETWORK, keys[1], M, D), x, jnp.array([1.0, -1, 1, -1, 1])


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_without_decay_it_is_gradient_descent(problem, loss):
    params, x, y = problem
    found = descend_with_decay(NETWORK, params, x, y, 0.3, 0.0, 10, loss)
    expected = train(NETWORK, params, x, y, Descent(0.3, 10, loss)).params
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_off_the_points_weights_shrink_and_do_nothing_else(problem):
    start, x, y = problem
    params = descend_with_decay(NETWORK, start, x, y, 0.3, 0.1, 10)
    np.testing.assert_allclose(params.w[:, 4:], start.w[:, 4:] * (1 - 0.03) ** 10, rtol=1e-5)
    moved = params.w[:, :4] - start.w[:, :4] * (1 - 0.03) ** 10
    assert float(jnp.abs(moved).max()) > 0.01
