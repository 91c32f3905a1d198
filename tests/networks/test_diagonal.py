"""Diagonal networks: descent against an integrator of flow, and against its own bound."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from theory.certificates import hypentropy
from theory.networks.diagonal import descend_diagonal

ALPHA = 0.4


def problem(n=2, d=5):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True), np.array([1.0, -1.0])[:n]


def flow(x, y, time):
    """w± at a time, of dw/dt = −∇½‖Xβ − y‖², by DOP853 and not by a formula."""
    d = x.shape[1]

    def slope(_, w):
        pull = 2 * (x @ (w[:d] ** 2 - w[d:] ** 2) - y) @ x
        return np.concatenate([-pull * w[:d], pull * w[d:]])

    start = np.full(2 * d, ALPHA)
    return integrate.solve_ivp(slope, (0, time), start, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]


def test_flow_ends_at_the_minimum():
    """Theorem 1 of Woodworth et al., by an integrator: 1e-9 is what its tolerances leave."""
    x, y = problem()
    w = flow(x, y, 200.0)
    beta, log_alpha = w[:5] ** 2 - w[5:] ** 2, float(np.log(ALPHA))
    np.testing.assert_allclose(x @ beta, y, atol=1e-10)
    best = hypentropy.at_dual(hypentropy.dual_solution(x, y, log_alpha) @ x, log_alpha)
    np.testing.assert_allclose(beta, best, atol=1e-9)
    other = hypentropy.at_dual(hypentropy.dual_solution(x, y, log_alpha + 0.1) @ x, log_alpha + 0.1)
    assert np.abs(beta - other).max() > 1e-3


def test_descent_by_hand_and_its_bound():
    (x, y), rate, steps = problem(), 0.05, 30
    plus, minus, total = np.full(5, ALPHA), np.full(5, ALPHA), np.zeros(2)
    for _ in range(steps):
        residual = x @ (plus**2 - minus**2) - y
        gradient = residual @ x
        plus, minus = plus - rate * 2 * plus * gradient, minus + rate * 2 * minus * gradient
        total += residual
    found = descend_diagonal(x, y, ALPHA, rate, steps)
    np.testing.assert_allclose(found.beta, plus**2 - minus**2, atol=1e-13)
    np.testing.assert_allclose(found.nu, -4 * rate * total, atol=1e-13)
    off = np.abs(hypentropy.dual_of(found.beta, np.log(ALPHA)) - found.nu @ x)
    assert (off <= found.defect).all()
    assert (off > 0.05 * found.defect).any()  # and it is no bound far away


def test_the_defect_vanishes_with_the_steps():
    """Like η: half of it at half of the steps, where s² is all that counts."""
    x, y = problem()
    coarse, fine = (descend_diagonal(x, y, ALPHA, 0.01 / k, 100 * k) for k in (1, 2))
    np.testing.assert_allclose(coarse.defect / fine.defect, 2.0, rtol=0.05)
    flow_beta = flow(x, y, 1.0)
    flow_beta = flow_beta[:5] ** 2 - flow_beta[5:] ** 2
    errors = [np.abs(run.beta - flow_beta).max() for run in (coarse, fine)]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.05)


def test_steps_that_are_too_long_are_seen():
    x, y = problem()
    assert descend_diagonal(x, y, ALPHA, 5.0, 3).largest > 1
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1, got 0"):
        descend_diagonal(x, jnp.asarray(y), ALPHA, 0.1, 0)
