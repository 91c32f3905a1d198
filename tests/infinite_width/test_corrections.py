"""Coefficients of the corrections of finite width, against neurons, integrals and networks."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from theory import REGISTRY
from theory.data.sampling import draw
from theory.infinite_width import corrections
from theory.verification.evaluation import evaluate

X = np.array([[0.3, -0.8, 0.5], [1.2, 0.4, -0.9], [-0.2, 0.7, 1.1]])
Y = np.array([1.0, -1.0, 1.0])


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_kernel_variance_is_that_of_one_neuron(slope):
    """Entry by entry within 5 standard errors of 100,000 neurons (12 entries: alarm 1e-5)."""
    rng = np.random.default_rng(1)
    count, d = 100_000, X.shape[1]
    h = rng.normal(size=(count, d)) @ (X / math.sqrt(d)).T + rng.normal(size=(count, 1))
    derivative = np.where(h >= 0, 1.0, slope)
    # A² is independent of the signs: its moments 1 and 3 are known, and would only add noise.
    products = derivative[:, :, None] * derivative[:, None, :] * (X @ X.T + 1)
    mean, square = products.mean(axis=0), (products**2).mean(axis=0)
    error = (products**2).std(axis=0) / math.sqrt(count)
    mean_error = products.std(axis=0) / math.sqrt(count)
    found = np.asarray(corrections.kernel_variance(jnp.array(X), slope))
    allowed = 5 * (3 * error + 2 * np.abs(mean) * mean_error) + 1e-12
    assert (np.abs(found - (3 * square - mean**2)) <= allowed).all()


def test_kink_correction_of_two_points_in_closed_form(key):
    """Given h(x_1) = 0 the sign of h(x_2) is a fair coin: both cases of D, half of the time each.

    Opposite labels and ⟨x_1, x_2⟩ + 1 between γc and c: with x_2 active the speeds at the kinks
    point towards each other, without it they do not.
    """
    x, y, slope = jnp.array([[1.0, 1.0], [1.2, -0.3]]), jnp.array([1.0, -1.0]), 0.25
    products = np.asarray(x @ x.T) + 1
    expected, towards = 0.0, 0
    for k in (0, 1):
        losses = []
        for other in (1.0, slope):
            drift = y[1 - k] * other * products[0, 1] / 2
            above, below = (float(drift + y[k] * own * products[k, k] / 2) for own in (1.0, slope))
            if above * below < 0:
                towards += 1
                losses.append(abs(above) ** 3 + abs(below) ** 3)
            else:
                losses.append((above - below) ** 2 * abs(above + below))
        sigma = math.sqrt(float(x[k] @ x[k]) / 2 + 1)
        expected += np.mean(losses) / products[k, k] / sigma / (2 * math.pi)
    assert towards == 2
    keys = jax.random.split(key, 16)
    estimate = jax.jit(lambda key: corrections.kink_correction(key, x, y, slope, 1.0, 1024))
    found = np.array([estimate(k) for k in keys])
    assert found.mean() == pytest.approx(expected, abs=5 * found.std(ddof=1) / 4)


@pytest.mark.parametrize("steps", [1, 3])
def test_smooth_correction_of_one_point_by_integrating_over_neurons(key, steps):
    """n = 1: m(f_∞ − E f_m)y over a grid of (h, a) with their normal density, step for step."""
    x, time, m = np.array([[0.6, -0.3]]), 0.8, 1e6
    c, sigma = float(x[0] @ x[0]) + 1, math.sqrt(float(x[0] @ x[0]) / 2 + 1)
    a = np.linspace(-8, 8, 201)[:, None] / math.sqrt(m)
    h = np.linspace(-8, 8, 801)[None, :] * sigma

    def slope(h):
        return 2 / math.sqrt(math.pi) * np.exp(-(h**2))

    moved = h + 0 * a
    for _ in range(steps):
        moved = moved + time / steps * a * c * slope(moved)
    density = np.exp(-m * a**2 / 2 - h**2 / (2 * sigma**2)) * math.sqrt(m) / (2 * math.pi * sigma)
    # Only what is of third order in a: differences of nearly equal numbers otherwise.
    lacking = special.erf(h) + time * a * c * slope(h) ** 2 - special.erf(moved)
    integrand = m**2 * a * lacking * density
    expected = integrate.simpson(integrate.simpson(integrand, x=h[0], axis=1), x=a[:, 0])
    keys = jax.random.split(key, 16)
    points, labels = jnp.array(x), jnp.ones(1)
    estimate = jax.jit(
        lambda key: corrections.smooth_correction(key, points, labels, time, steps, 20_000)
    )
    found = np.array([estimate(k) for k in keys])
    assert found.mean() == pytest.approx(expected, abs=5 * found.std(ddof=1) / 4 + 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ntk.mean-correction", "ntk.mean-correction-smooth"])
def test_corrections_are_those_of_trained_networks(key, name):
    """Draw by draw on the points of the statement, at m = 4096: within 5 standard errors."""
    statement, draws = REGISTRY[name], 1000
    config = dataclasses.replace(statement.config, m_min=4096)
    measured = np.asarray(evaluate(statement, key, draws, config).quantity)[:, 0, 0]

    @jax.jit
    def coefficients(index):
        data, init = jax.random.split(jax.random.fold_in(key, index))
        x, y, _, _ = draw(data, config.data, config.n, config.d, queries=0)
        if name.endswith("smooth"):
            return corrections.smooth_correction(init, x, y, config.T, config.steps, 256)
        return corrections.kink_correction(init, x, y, config.slope, config.T, 256)

    predicted = np.array([coefficients(index) for index in range(draws)])
    if name.endswith("smooth"):
        difference = 4096 * measured - predicted
    else:
        difference = 64 * measured - predicted
    error = difference.std(ddof=1) / math.sqrt(draws)
    # Resolved: 3 % of the coefficient, so that a wrong factor would be seen.
    assert 5 * error < 0.25 * predicted.mean()
    assert abs(difference.mean()) < 5 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y, k: corrections.kernel_variance(x, 1.0), "slope"),
        (lambda x, y, k: corrections.kink_correction(k, x, y, -0.1, 1.0, 8), "slope"),
        (lambda x, y, k: corrections.kink_correction(k, x, 0 * y, 0.0, 1.0, 8), "y must be"),
        (lambda x, y, k: corrections.kink_correction(k, x, y, 0.0, 1.0, 0), "neurons"),
        (lambda x, y, k: corrections.smooth_correction(k, x, y, -1.0, 4, 8), "T must be"),
        (lambda x, y, k: corrections.smooth_correction(k, x, y, 1.0, 0, 8), "steps"),
    ],
)
def test_what_is_wrong_is_said(key, call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.array(X), jnp.array(Y), key)
