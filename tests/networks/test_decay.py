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
    found = descend_with_decay(NETWORK, params, x, y, Descent(0.3, 10, loss), 0.0)
    expected = train(NETWORK, params, x, y, Descent(0.3, 10, loss)).params
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_off_the_points_weights_shrink_and_do_nothing_else(problem):
    start, x, y = problem
    params = descend_with_decay(NETWORK, start, x, y, Descent(0.3, 10), 0.1)
    np.testing.assert_allclose(params.w[:, 4:], start.w[:, 4:] * (1 - 0.03) ** 10, rtol=1e-5)
    moved = params.w[:, :4] - start.w[:, :4] * (1 - 0.03) ** 10
    assert float(jnp.abs(moved).max()) > 0.01


@pytest.mark.parametrize(
    ("descent", "decay", "message"),
    [
        (Descent(0.3, 2, momentum=0.5), 0.1, "descent must have a constant rate, no momentum"),
        (Descent(0.3, 2, schedule="plateau"), 0.1, "descent must have a constant rate"),
        (Descent(0.3, 2, "logistic", log_loss=True), 0.1, "descent must have a constant rate"),
        (Descent(0.3, 2), -0.1, r"decay must be .* got -0\.1"),
    ],
)
def test_what_it_does_not_do_is_refused(problem, descent, decay, message):
    params, x, y = problem
    with pytest.raises(ValueError, match=message):
        descend_with_decay(NETWORK, params, x, y, descent, decay)
