"""The largest margin between its bounds: by hand, by another solver, and for wrong proposals."""

import numpy as np
import pytest
from scipy import optimize

from theory.certificates.feature_margin import largest_entry, margin_bounds, nearest_weights


def test_by_hand():
    """Features e₁ and e₂: the nearest point of their segment is (½, ½), at 1/√2."""
    features = np.eye(2)
    weights = nearest_weights(features)
    assert weights == pytest.approx([0.5, 0.5])
    low, high = margin_bounds(features, weights)
    assert low <= 0.5**0.5 <= high
    assert high - low < 1e-14


def test_a_point_that_does_not_bind():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    assert nearest_weights(features)[2] == 0
    low, high = margin_bounds(features, nearest_weights(features))
    assert low <= 0.5**0.5 <= high


@pytest.mark.parametrize("seed", range(3))
def test_against_another_solver(seed):
    """max t, ⟨φ_i, u⟩ ≥ t, ‖u‖² ≤ 1 by sequential quadratic programming."""
    features = np.random.default_rng(seed).normal(size=(4, 9))
    low, high = (float(b) for b in margin_bounds(features, nearest_weights(features)))
    start = np.append(np.zeros(9), -1.0)
    found = optimize.minimize(
        lambda v: -v[-1],
        start,
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda v: features @ v[:-1] - v[-1]},
            {"type": "ineq", "fun": lambda v: 1 - v[:-1] @ v[:-1]},
        ],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert -found.fun == pytest.approx(low, abs=1e-6)
    assert 0 <= high - low < 1e-12


def test_any_weights_bound_it_from_both_sides():
    features = np.random.default_rng(0).normal(size=(5, 20))
    best = margin_bounds(features, nearest_weights(features))
    for seed in range(5):
        weights = np.random.default_rng(seed).dirichlet(np.ones(5))
        low, high = margin_bounds(features, weights)
        assert low <= best.high
        assert high >= best.low
        assert high - low > 1e-3


def test_what_is_not_separable_has_no_positive_bound():
    features = np.array([[1.0, 2.0], [-1.0, -2.0]])
    low, high = margin_bounds(features, nearest_weights(features))
    assert low <= 0
    assert high < 1e-12


def test_largest_entry():
    assert largest_entry(np.array([[1.0, -3.0], [2.0, 0.0]])) == 3
