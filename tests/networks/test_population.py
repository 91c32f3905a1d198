"""Population risks of erf networks and their flow, against sampling and against gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from theory.networks.flow import runge_kutta
from theory.networks.population import (
    correlation,
    population_flow,
    population_risk,
    slope_in_product,
)

RNG = np.random.default_rng(0)
THETA, TEACHER = RNG.normal(size=(5, 3)), np.array([1.0, 0.0, 0.0])
WEIGHTS = np.full(5, 0.2)


def risk_of(theta):
    return population_risk(jnp.concatenate([theta, TEACHER[None]]), np.append(WEIGHTS, -1.0))


def test_the_risk_is_that_of_sampled_inputs():
    """4·10⁵ inputs: four standard errors, exceeded with probability 6·10⁻⁵."""
    x = np.random.default_rng(1).normal(size=(400_000, 3))
    squares = (special.erf(x @ THETA.T) @ WEIGHTS - special.erf(x @ TEACHER)) ** 2
    error = squares.std() / len(x) ** 0.5
    assert abs(risk_of(jnp.asarray(THETA)) - squares.mean()) < 4 * error
    assert abs(risk_of(jnp.asarray(1.1 * THETA)) - squares.mean()) > 4 * error


def test_the_slope_is_the_derivative_in_the_inner_product():
    def moment(inner):
        return 2 / jnp.pi * jnp.arcsin(correlation(inner, 0.7, 1.3))

    found = slope_in_product(0.4, 0.7, 1.3)
    np.testing.assert_allclose(found, jax.grad(moment)(0.4), rtol=1e-12)


def test_the_flow_starts_along_the_gradient_of_the_risk():
    """dR/dt = −Σ_i N|∂R/∂θ_i|² at 0, by a step so short that its square is lost."""
    gradient = jax.grad(risk_of)(jnp.asarray(THETA))
    start, end = population_flow(THETA, TEACHER, WEIGHTS, 1e-6, 1)
    expected = -5 * jnp.sum(gradient**2)
    np.testing.assert_allclose((end - start) / 1e-6, expected, rtol=1e-4)


def test_neurons_of_weight_zero_are_not_there():
    more = np.concatenate([THETA, RNG.normal(size=(3, 3))])
    found = population_flow(more, TEACHER, np.append(WEIGHTS, np.zeros(3)), 1.0, 4)
    np.testing.assert_allclose(found, population_flow(THETA, TEACHER, WEIGHTS, 1.0, 4), rtol=1e-12)


def test_risks_fall_and_no_longer_depend_on_the_step():
    coarse = population_flow(THETA, TEACHER, WEIGHTS, 2.0, 4)
    fine = population_flow(THETA, TEACHER, WEIGHTS, 2.0, 16)[::4]
    assert (np.diff(coarse) < 0).all()
    np.testing.assert_allclose(coarse, fine, atol=1e-3)


def test_a_step_is_of_fourth_order():
    """u' = −u, whose step is the Taylor polynomial of e^{−h} to h⁴; trees are steps of parts."""
    h = 0.3
    found = runge_kutta(lambda u: (-u[0], -2 * u[1]), (np.ones(2), np.ones(())), h)
    polynomial = [sum((-h * k) ** j / special.factorial(j) for j in range(5)) for k in (1, 2)]
    np.testing.assert_allclose(found[0], polynomial[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], polynomial[1], rtol=1e-14)


@pytest.mark.parametrize(
    ("time", "steps", "message"),
    [
        (1.0, 0, "steps must be an integer ≥ 1, got 0"),
        (0.0, 2, "time must be .*, got 0.0"),
    ],
)
def test_what_is_no_flow_is_refused(time, steps, message):
    with pytest.raises(ValueError, match=message):
        population_flow(THETA, TEACHER, WEIGHTS, time, steps)
