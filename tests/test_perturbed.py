"""Effects of perturbed samples on the boundary, and the accuracy they give."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory import perturbed
from theory.max_margin import max_margin_limit

RNG = np.random.default_rng(3)
X, Z = jnp.asarray(RNG.normal(size=(5, 40))), jnp.asarray(RNG.normal(size=(7, 40)))
TARGET = jnp.array([1.0, 1, -1, 1, -1])
SHIFT = jnp.asarray(RNG.normal(size=40)) / 4
LIMIT = max_margin_limit(X + TARGET[:, None] * SHIFT[None, :], TARGET, 0.5)


def test_the_effects_add_up_to_the_boundary_of_the_perturbed_set():
    found = perturbed.effects(LIMIT, X, TARGET, SHIFT, Z)
    np.testing.assert_allclose(found.mislabelled + found.perturbation, Z @ LIMIT.normal, rtol=1e-11)
    alone = (LIMIT.multipliers * TARGET) @ X
    np.testing.assert_allclose(found.mislabelled, Z @ alone, atol=1e-13)
    assert (found.error > 0).all()
    assert (found.error < 1e-10).all()


def test_the_effect_ratio_is_that_of_isotropic_queries():
    """Root mean squares over 10⁵ Gaussian queries: 0.3 % each, 5 standard errors."""
    z = jnp.asarray(np.random.default_rng(4).normal(size=(100_000, 40)))
    found = perturbed.effects(LIMIT, X, TARGET, SHIFT, z)
    measured = float(jnp.sqrt(jnp.mean(found.perturbation**2) / jnp.mean(found.mislabelled**2)))
    assert float(perturbed.effect_ratio(LIMIT, X, TARGET, SHIFT)) == pytest.approx(
        measured, rel=0.02
    )


def test_noise_accuracy_of_equal_multipliers():
    """K24a's setting, U([−1, 1]^d) with d = 10⁴, n = 10³, ε = 0.78: R² = d/3."""
    radius = math.sqrt(1e4 / 3)
    assert perturbed.noise_accuracy(1000, 100, 10_000, 0.78, radius) == pytest.approx(
        0.664, abs=1e-3
    )
    assert perturbed.noise_accuracy(1000, 1000, 10_000, 0.78, radius) == pytest.approx(
        0.893, abs=1e-3
    )


@pytest.mark.parametrize("slope", [0.1, 0.5, 0.9])
def test_noise_accuracy_tends_to_its_leading_order(slope):
    a = 1.3
    for d, tolerance in ((10**4, 0.02), (10**6, 2e-4)):
        epsilon = a / math.sqrt(d * 20 / 50)
        found = perturbed.noise_accuracy(50, 20, d, epsilon, 1.0, slope)
        assert found == pytest.approx(stats.norm.cdf(a), abs=tolerance)


def test_noise_accuracy_against_simulation_at_equal_multipliers():
    """NumPy, 400 draws: 5 standard errors; Σ_k λ_k y_k x_k with all λ equal is no closed form."""
    rng = np.random.default_rng(5)
    n, n_adv, d, epsilon = 20, 40, 400, 0.1
    found = []
    for _ in range(400):
        x, z = rng.normal(size=(n, d)), rng.normal(size=(n_adv, d))
        y, target = np.resize([1.0, -1.0], n), rng.choice([-1.0, 1.0], n_adv)
        q = y @ x
        normal = target @ (z + epsilon * d**0.5 * target[:, None] * q / np.linalg.norm(q))
        found.append(np.mean(y * (x @ normal) > 0))
    error = 5 * np.std(found) / len(found) ** 0.5
    expected = perturbed.noise_accuracy(n, n_adv, d, epsilon, 1.0)
    assert abs(np.mean(found) - expected) < error < 0.03


def test_bad_arguments():
    with pytest.raises(ValueError, match="epsilon"):
        perturbed.noise_accuracy(10, 10, 100, 0.0, 1.0)
    with pytest.raises(ValueError, match="n_adv"):
        perturbed.noise_accuracy(10, 0, 100, 0.1, 1.0)
