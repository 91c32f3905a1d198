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


@pytest.mark.parametrize("slope", [None, 0.5])
def test_noise_accuracy_of_another_direction(slope):
    """NumPy, 100 draws: v at cosine c to q, the rest of it random; 5 standard errors.

    Equal multipliers, or those of H λ = 2·1. Without what the rest of v adds to the variance it
    would be 0.016 more.
    """
    n, n_adv, d, epsilon, cosine = 100, 40, 2000, 0.15, 0.6
    rng = np.random.default_rng(6)
    found = []
    for _ in range(100):
        x, noise = (rng.normal(size=(k, d)) / d**0.5 for k in (n, n_adv))
        y, target = rng.permutation([1, -1] * (n // 2)), rng.choice([-1, 1], n_adv)
        q = normal(x, y, slope)
        rest = rng.normal(size=d)
        rest -= rest @ q * q
        v = cosine * q + (1 - cosine**2) ** 0.5 * rest / np.linalg.norm(rest)
        moved = noise + epsilon * target[:, None] * v
        found.append(np.mean(y * (x @ normal(moved, target, slope)) > 0))
    error = 5 * np.std(found) / len(found) ** 0.5
    expected = perturbed.noise_accuracy(n, n_adv, d, epsilon, 1.0, slope, cosine)
    assert abs(np.mean(found) - expected) < error < 0.01


def normal(x, y, slope):
    """q/‖q‖ of all λ equal, or of H λ = 1 by Richardson's iteration: H has eigenvalues 0.4 to 3."""
    weights = np.ones(len(x))
    if slope is not None:
        system = np.where(np.outer(y, y) > 0, 1, -2 * slope / (1 + slope**2)) * (x @ x.T)
        for _ in range(60):
            # No BLAS, whose threads wait for one another at every one of so many small products.
            weights += 0.55 * (1 - np.einsum("jk,k->j", system, weights))
        assert np.abs(1 - system @ weights).max() < 1e-4
    q = (weights * y) @ x
    return q / np.linalg.norm(q)


def test_agreement_on_a_plane_against_simulation():
    """NumPy, 1000 draws at equal norms: 1 − |angle|/π of the two boundaries; 5 standard errors."""
    n_adv, d, epsilon = 12, 300, 0.07
    rng = np.random.default_rng(7)
    found = []
    for _ in range(1000):
        noise, target = rng.normal(size=(n_adv, d)) / d**0.5, rng.choice([-1, 1], n_adv)
        moved = noise + epsilon * target[:, None] * np.eye(d)[0]
        along, across = normal(moved, target, 0.5)[:2]
        found.append(1 - abs(np.arctan2(across, along)) / np.pi)
    error = 5 * np.std(found) / len(found) ** 0.5
    expected = perturbed.plane_agreement(n_adv, d, epsilon, 1.0, 0.5)
    assert abs(np.mean(found) - expected) < error < 0.03


def test_agreement_on_a_plane_at_both_ends():
    """½ + (2/π) b φ(0) for small b; 1 − (2/π) ∫₀^∞ Φ(−bt) dt = 1 − (2/π) φ(0)/b for large b."""
    density = 1 / math.sqrt(2 * math.pi)
    for b, limit in ((1e-2, 0.5 + 2e-2 / math.pi * density), (30, 1 - 2 / math.pi * density / 30)):
        found = perturbed.plane_agreement(1, 10**8, b * 1e-4, 1.0, 0.5)
        assert found == pytest.approx(limit, abs=1e-5)


def test_bad_arguments():
    with pytest.raises(ValueError, match="cosine"):
        perturbed.noise_accuracy(10, 10, 100, 0.1, 1.0, 0.5, 1.5)
    with pytest.raises(ValueError, match="slope"):
        perturbed.plane_agreement(10, 100, 0.1, 1.0, 0.0)
    with pytest.raises(ValueError, match="epsilon"):
        perturbed.noise_accuracy(10, 10, 100, 0.0, 1.0)
    with pytest.raises(ValueError, match="n_adv"):
        perturbed.noise_accuracy(10, 0, 100, 0.1, 1.0)
