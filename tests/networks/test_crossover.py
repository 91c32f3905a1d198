"""Networks beside their linearization: what both are, by automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.networks.crossover import train_beside_linearization

RNG = np.random.default_rng(0)
THETA, SIGNS = RNG.normal(size=(6, 3)), np.array([1.0, -1, 1, 1, -1, -1])
X, Y = RNG.normal(size=(4, 3)), np.array([1.0, -1, 1, 1])


def model(theta):
    return SIGNS @ jnp.tanh(theta @ X.T) / 6


def test_both_start_at_0_and_move_as_their_kernels_say():
    """f' = mJJᵀy/n at the start for both, J by automatic differentiation."""
    jacobian = jax.jacobian(model)(jnp.asarray(THETA)).reshape(4, -1)
    path = train_beside_linearization(THETA, SIGNS, X, Y, 2.0, 1e-5, 1)
    expected = 6 * jacobian @ jacobian.T @ Y / 4
    for part in path:
        np.testing.assert_array_equal(part[0], 0)
        np.testing.assert_allclose(part[1] / 1e-5, expected, rtol=1e-4)


def test_the_linearization_is_its_exponential():
    jacobian = np.asarray(jax.jacobian(model)(jnp.asarray(THETA)).reshape(4, -1))
    values, vectors = np.linalg.eigh(6 * jacobian @ jacobian.T / 4)
    exact = vectors @ ((1 - np.exp(-2.0 * values)) * (vectors.T @ Y))
    found = train_beside_linearization(THETA, SIGNS, X, Y, 2.0, 2.0, 32).linear[-1]
    np.testing.assert_allclose(found, exact, atol=1e-7)


def test_at_a_large_scale_the_network_is_its_linearization():
    for scale, apart in ((1.0, 1e-3), (1e4, 0.0)):
        path = train_beside_linearization(THETA, SIGNS, X, Y, scale, 2.0, 8)
        found = np.abs(path.network - path.linear).max()
        assert found > apart
        assert scale < 10 or found < 1e-3


@pytest.mark.parametrize(
    ("scale", "time", "steps", "message"),
    [
        (0.0, 1.0, 1, "scale must be .*, got 0.0"),
        (1.0, -1.0, 1, "time must be .*, got -1.0"),
        (1.0, 1.0, 0, "steps must be an integer ≥ 1, got 0"),
    ],
)
def test_what_is_no_training_is_refused(scale, time, steps, message):
    with pytest.raises(ValueError, match=message):
        train_beside_linearization(THETA, SIGNS, X, Y, scale, time, steps)
