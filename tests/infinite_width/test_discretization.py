"""Descent against flow in function space: the bounds hold, and are not idle."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from theory.infinite_width import discretization, function_space
from theory.networks.descent import descent_for_time

N, Q, TIME = 5, 4, 4.0
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(N + Q, 8))
KERNEL = FEATURES @ FEATURES.T
K, K_TEST = jnp.array(KERNEL[:N, :N]), jnp.array(KERNEL[N:, :N])
Y = jnp.array([1.0, -1.0, 1.0, 1.0, -1.0])
F_TRAIN, F_TEST = jnp.array(RNG.normal(size=N)), jnp.array(RNG.normal(size=Q))


def descent(loss, steps):
    return function_space.function_space_descent(
        K, K_TEST, Y, descent_for_time(TIME, steps, loss=loss), F_TRAIN, F_TEST
    ).test[-1]


@pytest.mark.parametrize("steps", [20, 200])
def test_squared_loss(steps):
    step = TIME / steps / N
    assert float(jnp.linalg.eigvalsh(K)[-1]) * step < 1
    flow = function_space.gradient_flow_mse(K, K_TEST, Y, TIME, F_TRAIN, F_TEST)
    bound = discretization.descent_from_flow_mse(K, K_TEST, Y - F_TRAIN, step, steps)
    ratio = np.abs(descent("squared", steps) - flow) / bound
    assert ratio.max() <= 1
    assert ratio.max() > 0.3


def test_squared_loss_in_one_dimension_is_tight():
    """x = λη/n → 0: the first-order term of e^{−Jx} − (1 − x)^J is Jx²/2·e^{−Jx}."""
    kernel, test, steps = jnp.eye(1), jnp.full((1, 1), 0.5), 1000
    descent = descent_for_time(2.0, steps, loss="squared")
    path = function_space.function_space_descent(
        kernel, test, jnp.ones(1), descent, jnp.zeros(1), 0.0
    )
    flow = function_space.gradient_flow_mse(
        kernel, test, jnp.ones(1), 2.0, jnp.zeros(1), jnp.zeros(1)
    )
    bound = discretization.descent_from_flow_mse(kernel, test, jnp.ones(1), 2.0 / steps, steps)
    assert 0.99 < float(jnp.abs(path.test[-1] - flow)[0] / bound[0]) <= 1


@pytest.mark.parametrize("steps", [20, 200])
def test_logistic_loss(steps):
    def field(_, f):
        weights = np.asarray(Y) * scipy.special.expit(-np.asarray(Y) * f[:N]) / N
        return KERNEL[:, :N] @ weights

    start = np.concatenate([F_TRAIN, F_TEST])
    flow = scipy.integrate.solve_ivp(field, (0, TIME), start, rtol=1e-11, atol=1e-11).y[N:, -1]
    bound = discretization.descent_from_flow_logistic(
        K, jnp.array(np.diag(KERNEL)[N:]), Y, F_TRAIN, TIME / steps / N, steps
    )
    ratio = np.abs(descent("logistic", steps) - flow) / bound
    assert ratio.max() <= 1
    assert ratio.max() > 0.005
