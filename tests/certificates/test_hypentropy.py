"""The hypentropy potential, its dual and least norms: in 4000 digits and by brute force."""

import itertools
import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from theory.certificates import hypentropy
from theory.certificates.hypentropy import Labels

LOG_ALPHAS = (3.0, 0.0, -2.0, -40.0, -300.0, -2000.0)
BETA = np.array([0.0, 1e-9, -0.3, 2.0, -50.0])


def exact(beta, log_alpha):
    """α²Σq(β_i/α²) with the printed q, in 4000 digits, as α⁴ may be 1e-3475."""
    with mpmath.workdps(4000):
        alpha = mpmath.exp(2 * mpmath.mpf(log_alpha))
        total = mpmath.mpf(0)
        for b in beta:
            z = mpmath.mpf(float(b)) / alpha
            total += 2 - mpmath.sqrt(4 + z**2) + z * mpmath.asinh(z / 2)
        return float(alpha * total)


def problem(n=3, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], n)


def exactly(y):
    return Labels(jnp.asarray(y), jnp.zeros(len(y)))


@pytest.mark.parametrize("log_alpha", LOG_ALPHAS)
def test_the_potential_as_printed(log_alpha):
    assert hypentropy.potential(BETA, log_alpha) == pytest.approx(exact(BETA, log_alpha), rel=1e-13)


@pytest.mark.parametrize("log_alpha", LOG_ALPHAS)
def test_dual_and_primal_are_inverse(log_alpha):
    tau = hypentropy.dual_of(BETA, log_alpha)
    tolerance = 1e-14 * (1 + np.abs(tau).max())
    np.testing.assert_allclose(hypentropy.at_dual(tau, log_alpha), BETA, rtol=tolerance)
    with mpmath.workdps(4000):
        by_hand = [
            float(mpmath.asinh(mpmath.mpf(float(b)) / (2 * mpmath.exp(2 * mpmath.mpf(log_alpha)))))
            for b in BETA
        ]
    np.testing.assert_allclose(tau, by_hand, rtol=1e-14)


@pytest.mark.parametrize("log_alpha", [0.5, -3.0])
def test_the_dual_is_the_gradient(log_alpha):
    beta = BETA[1:]
    gradient = jax.grad(lambda b: hypentropy.potential(b, log_alpha))(jnp.asarray(beta))
    np.testing.assert_allclose(gradient, hypentropy.dual_of(beta, log_alpha), rtol=1e-10)


@pytest.mark.parametrize("log_alpha", LOG_ALPHAS)
def test_the_solution_solves_and_its_dual_is_tight(log_alpha):
    x, y = problem()
    nu = hypentropy.dual_solution(x, y, log_alpha)
    beta = hypentropy.at_dual(nu @ x, log_alpha)
    np.testing.assert_allclose(x @ beta, y, atol=1e-10)
    value, bound = (
        float(hypentropy.potential(beta, log_alpha)),
        float(hypentropy.dual_bound(x, y, nu, log_alpha)),
    )
    assert bound == pytest.approx(value, rel=1e-11)
    for scale in (0.9, 1.1):  # another ν bounds from below, too
        if scale * np.abs(nu @ x).max() + 2 * log_alpha < 300:
            assert hypentropy.dual_bound(x, y, scale * nu, log_alpha) < value


def test_no_interpolation_has_a_smaller_potential():
    (x, y), log_alpha = problem(), -1.0
    beta = np.asarray(hypentropy.at_dual(hypentropy.dual_solution(x, y, log_alpha) @ x, log_alpha))
    across = np.linalg.svd(x)[2][3:]  # of the kernel of X
    for seed in range(5):
        moved = beta + 1e-2 * np.random.default_rng(seed).normal(size=4) @ across
        assert hypentropy.potential(moved, log_alpha) > hypentropy.potential(beta, log_alpha)


def least_by_bases(x, y):
    """min ‖β‖₁ over Xβ = y: it is reached at a basic solution."""
    (n, d), best = x.shape, math.inf
    for basis in itertools.combinations(range(d), n):
        best = min(best, np.abs(np.linalg.solve(x[:, basis], y)).sum())
    return best


@pytest.mark.parametrize("seed", range(3))
def test_the_least_l1_norm(seed):
    x, y = problem(seed=seed)
    low, high = hypentropy.l1_bounds(x, exactly(y), *hypentropy.least_l1(x, y))
    assert low <= least_by_bases(x, y) <= high
    assert high - low < 1e-9


def test_other_proposals_bound_the_least_l1_norm_as_well():
    x, y = problem()
    rng, least = np.random.default_rng(1), least_by_bases(*problem())
    for _ in range(5):
        low, high = hypentropy.l1_bounds(x, exactly(y), rng.normal(size=7), rng.normal(size=3))
        assert low <= least <= high
    low, high = hypentropy.l1_bounds(x, exactly(y), np.zeros(7), np.zeros(3))
    assert low == 0


def test_the_least_l2_norm():
    x, y = problem()
    found = hypentropy.least_l2_square(x, exactly(y))
    assert abs(found.value - np.sum((np.linalg.pinv(x) @ y) ** 2)) < 1e-12
    assert found.error < 1e-12
    singular = hypentropy.least_l2_square(np.ones((2, 3)), exactly(np.ones(2)))
    assert np.isinf(singular.error)


@pytest.mark.parametrize("log_alpha", [np.nan, np.inf, 301.0, -1.1e4, -1e13])
def test_no_proposal_where_alpha_is_too_large_or_too_small(log_alpha):
    """Newton's method would go along falling α for as long as there is time."""
    nu = hypentropy.dual_solution(np.eye(2, 3), np.ones(2), log_alpha)
    np.testing.assert_array_equal(nu, [np.nan, np.nan])
