"""Ascent on the smoothed margin: as it is printed, in NumPy, and what it keeps as logarithms."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.networks.readout import normalized_ascent


def as_printed(z, steps):
    """r(t + 1) = r(t) + η(t)m∇F(r(t)), the best normalized margin before step t and Σ1/β."""
    m = z.shape[1]
    r, beta, best, inverses = np.zeros(m), 1.0, -np.inf, 0.0
    for t in range(steps):
        a = r / m
        beta = max(beta, np.sqrt(m) * np.linalg.norm(a))
        best, inverses = max(best, (z @ a).min() / beta), inverses + 1 / beta
        p = np.exp(-(z @ a))
        gradient = p @ z / p.sum() / m
        r = r + beta * np.sqrt(2) / (np.abs(z).max() * np.sqrt(t + 1)) * m * gradient
    a = r / m
    beta = max(beta, np.sqrt(m) * np.linalg.norm(a))
    return best, inverses, beta, np.sqrt(m) * a / beta


@pytest.mark.parametrize("steps", [1, 2, 20])
def test_the_recursion_as_printed(steps):
    z = np.random.default_rng(1).normal(size=(3, 8)) + 0.5
    best, inverses, beta, end = as_printed(z, steps)
    found = normalized_ascent(z, steps)
    assert found.best == pytest.approx(best, abs=1e-12)
    assert found.inverses == pytest.approx(inverses, rel=1e-12)
    assert found.log_norm == pytest.approx(np.log(beta), abs=1e-12)
    np.testing.assert_allclose(found.end, end, atol=1e-12)


def test_norms_beyond_all_floats():
    """One point with equal features: ū stays at 1, and log β = Σ log(1 + √(2/(s + 1))) from the
    second step on, as the first starts at 0."""
    steps = 100_000
    found = normalized_ascent(jnp.ones((1, 4)), steps)
    log_beta = np.log(2**0.5) + np.sum(np.log1p(np.sqrt(2 / np.arange(2, steps + 1))))
    assert log_beta > 800  # exp of it is no float
    assert found.log_norm == pytest.approx(log_beta, rel=1e-9)
    assert found.best == pytest.approx(1.0, abs=1e-12)


def test_a_number_of_steps_is_needed():
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1, got 0"):
        normalized_ascent(jnp.ones((1, 2)), 0)
