"""The movement of trained networks: closed forms, explicit matrices, padding."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.data.sampling import near_orthogonal, to_sphere
from theory.networks import network
from theory.networks.training import train
from theory.perturbations import after_training

NETWORK = network.all_trained()
SIGMA_0 = 0.5 - 1 / (2 * np.pi)


def labels(n):
    return jnp.where(jnp.arange(n) % 2 == 0, 1.0, -1.0)


@pytest.mark.parametrize(("n", "d", "m"), [(2, 4, 32), (6, 6, 100), (8, 20, 4096)])
def test_movement_on_orthogonal_points_has_a_closed_form(n, d, m, key):
    """K has eigenvalue mσ₀ + d/2, and n/2π·m more along the vector of ones."""
    moved = after_training.predicted_movement(near_orthogonal(key, n, d, 0.0, d**0.5), labels(n), m)
    low, high = SIGMA_0, SIGMA_0 + n / (2 * np.pi)
    at_low, at_high = (m * low + d / 2) ** 2, (m * high + d / 2) ** 2
    spread = (n + (n - 1) * low) / at_low, high / at_high
    assert moved.readout == pytest.approx(m * (low * spread[0] + high * spread[1]), rel=1e-10)
    assert moved.hidden == pytest.approx(d / 2 * sum(spread), rel=1e-10)


def test_the_constant_is_3_93_and_not_4_40(key):
    """m ≫ d: E‖Δa‖² = (1 + 1/σ₀)n/m, as f(·; 0) costs n/m and the labels n/(σ₀m)."""
    n, d, m = 16, 32, 10**7
    moved = after_training.predicted_movement(near_orthogonal(key, n, d, 0.0, d**0.5), labels(n), m)
    assert moved.readout * m / n == pytest.approx(1 + 1 / SIGMA_0, rel=1e-5)
    assert abs(moved.readout * m / n - 3.934) < 1e-3


def test_alignment_of_a_single_point(key):
    """n = 1: K = (m + d)/2 and E S* = ½ − m/(2d(m + d))."""
    x = to_sphere(jax.random.normal(key, (1, 8)))
    expected = 0.5 - 100 / (2 * 8 * 108)
    np.testing.assert_allclose(after_training.predicted_alignment(x, 100), [expected], rtol=1e-12)


def test_alignment_of_few_orthogonal_points_falls_like_n_over_d(key):
    """½ − (n/8σ₀)/d = ½ − 0.367 n/d for 1 ≪ n ≪ d ≪ m; the point itself weighs more, by O(1/d)."""
    n, d = 30, 600
    x = near_orthogonal(key, n, d, 0.0, d**0.5)
    lost = (0.5 - after_training.predicted_alignment(x, 10**8)) * d / n
    np.testing.assert_allclose(lost, 1 / (8 * SIGMA_0), rtol=3 / n)


def test_points_at_the_origin_count_for_nothing(key):
    x = to_sphere(jax.random.normal(key, (5, 4)))
    padded = jnp.concatenate([x, jnp.zeros((3, 4))])
    plain = after_training.predicted_movement(x, labels(5), 64)
    np.testing.assert_allclose(
        after_training.predicted_movement(padded, labels(8), 64), plain, rtol=1e-10
    )
    one, other = (after_training.fastest_descent(p, 64, 10) for p in (x, padded))
    # The loss is a mean over all points, so the rate grows with their number.
    assert other.learning_rate == pytest.approx(float(one.learning_rate) * 8 / 5, rel=1e-10)
    assert other.momentum == pytest.approx(float(one.momentum), rel=1e-9)


def test_descent_converges_as_fast_as_promised(key):
    """√μ a step, for eigenvalues in [λ_min/2, 3λ_max/2], and t√μ^t is what heavy ball can lose."""
    x = near_orthogonal(key, 6, 12, 0.0, 12**0.5)
    descent = after_training.fastest_descent(x, 2000, 40)
    initial = network.init(NETWORK, key, 2000, 12)
    trained = train(NETWORK, initial, x, labels(6), descent).params

    def residual(params):
        return jnp.linalg.norm(network.outputs(params, x, 0.0) - labels(6))

    assert residual(trained) < 40 * descent.momentum**20 * residual(initial)


def test_terms_are_those_of_the_product(key):
    keys = jax.random.split(key, 3)
    before = network.init(NETWORK, keys[0], 12, 5)
    step = network.init(NETWORK, keys[1], 12, 5)
    after = before._replace(w=before.w + 0.3 * step.w, a=before.a + 0.3 * step.a)
    x = jax.random.normal(keys[2], (4, 5))
    terms = after_training.alignment_terms(before, after, x)
    w, a, dw, da = (np.asarray(v) for v in (before.w, before.a, after.w - before.w, 0.3 * step.a))
    for k in range(4):
        d = np.diag((w @ np.asarray(x[k]) >= 0).astype(float))
        dd = np.diag((np.asarray(after.w) @ np.asarray(x[k]) >= 0).astype(float)) - d
        expected = {
            "initial": a @ w @ w.T @ d @ a,
            "a": a @ w @ w.T @ d @ da,
            "w": a @ w @ dw.T @ d @ a,
            "d": a @ w @ w.T @ dd @ a,
            "wa": a @ w @ dw.T @ d @ da,
            "da": a @ w @ w.T @ dd @ da,
            "wd": a @ w @ dw.T @ dd @ a,
            "wda": a @ w @ dw.T @ dd @ da,
        }
        for name, value in expected.items():
            assert float(getattr(terms, name)[k]) == pytest.approx(value, abs=1e-13), name
    trained = network.input_gradients(after, x, 0.0) @ (before.a @ before.w)
    np.testing.assert_allclose(terms.trained, trained, atol=1e-13)
    np.testing.assert_allclose(terms.change, trained - terms.initial, atol=1e-13)
    assert (np.abs(terms.trained - trained) <= terms.error).all()


def test_a_neuron_in_doubt_widens_the_error():
    """A pre-activation of exactly 0 could be off either way; its whole contribution is at stake."""
    params = network.Params(jnp.array([[1.0, 0.0], [0.0, 2.0]]), jnp.zeros(2), jnp.ones(2))
    x = jnp.array([[1.0, 0.0], [1.0, 1.0]])
    error = after_training.alignment_terms(params, params, x).error
    assert error[0] > 3.9  # a₂⟨w₂, v⟩ = 4
    assert error[1] < 1e-12


def test_bad_input_is_named(key):
    x = to_sphere(jax.random.normal(key, (3, 4)))
    with pytest.raises(ValueError, match="y must have shape"):
        inspect.unwrap(after_training.predicted_movement)(x, jnp.ones(2), 8)
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1, got 0"):
        after_training.fastest_descent(x, 8, 0)
    params = network.init(NETWORK, key, 6, 5)
    with pytest.raises(ValueError, match="x must have 5 columns"):
        inspect.unwrap(after_training.alignment_terms)(params, params, x)
