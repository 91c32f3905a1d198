"""The proof that training stays in the cone, against trajectories that stay and that leave."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from theory.certificates.cone import stays_in_cone
from theory.certificates.max_margin import (
    inside_cone,
    kkt_margins,
    max_margin_limit,
    support_vectors,
)
from theory.networks.descent import Descent
from theory.networks.network import Params, fixed_signs
from theory.networks.training import train

M = 4
A = jnp.array([1.0, 1, -1, -1]) / 2


def certificate(w, x, y, slope, loss="exponential", active=None):
    limit = max_margin_limit(x, y, slope, active)
    return stays_in_cone(Params(jnp.asarray(w), jnp.zeros(M), A), limit, x, y, slope, loss)


def flow(w, x, y, slope, loss="exponential", steps=4000):
    """The smallest depth in the cone along descent of log L in small steps."""
    params = Params(jnp.asarray(w), jnp.zeros(M), A)
    descent = Descent(0.005, steps, loss, log_loss=True)
    trained = train(
        fixed_signs(slope), params, x, y, descent, observe=lambda p: inside_cone(p, x, y)
    )
    return float(jnp.min(trained.trace))


def exact_solution(x, y, slope, log_tau):
    """Ŵ log τ + R with ⟨V_k, R⟩ = −log λ_k, R in the span of the V_k, written out sample by sample.

    V_k has the rows a_i y_k φ'_ik x_k.
    """
    limit = max_margin_limit(x, y, slope)
    phi = np.where(np.asarray(A)[:, None] * np.asarray(y)[None, :] > 0, 1, slope)
    v = np.einsum("i,k,ik,kd->kid", A, y, phi, x).reshape(len(y), -1)
    shift = np.linalg.lstsq(v, -np.log(np.asarray(limit.multipliers)))[0]
    return (log_tau * (np.asarray(limit.multipliers) @ v) + shift).reshape(M, -1)


def obtuse(degrees=155.0):
    angle = math.radians(degrees)
    return jnp.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]]), jnp.ones(2)


def random_points(seed, n=5, d=8):
    rng = np.random.default_rng(seed)
    y = np.resize([1.0, -1.0], n)
    x = np.linalg.qr(rng.normal(size=(d, d)))[0][:n] + 0.15 * rng.normal(size=(n, d)) / d**0.5
    return jnp.asarray(x), jnp.asarray(y)


@pytest.mark.parametrize("slope", [0.2, 0.7])
def test_the_exact_solution_has_distance_zero(slope):
    x, y = random_points(0)
    found = certificate(exact_solution(x, y, slope, 8.0), x, y, slope)
    assert bool(found.holds)
    # ρ = depth/ratio ≈ (depth − ρ)/ratio; no number is a ratio to ρ = 0, as some compilers find.
    assert np.isnan(found.ratio) or float(found.value / found.ratio) < 1e-6
    # The gradient of the loss is the velocity Ŵ/τ: both sides from definitions, by differences.
    before, after = (exact_solution(x, y, slope, s) for s in (8.0 - 1e-5, 8.0 + 1e-5))
    velocity = (after - before) / 2e-5 * math.exp(-8.0)
    w = exact_solution(x, y, slope, 8.0)
    h = w @ np.asarray(x).T
    f = np.asarray(A) @ np.where(h >= 0, h, slope * h)
    loss_weights = np.exp(-np.asarray(y) * f) * np.asarray(y)
    gradient = (np.asarray(A)[:, None] * np.where(h >= 0, 1, slope) * loss_weights) @ np.asarray(x)
    np.testing.assert_allclose(velocity, gradient, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("loss", [pytest.param("exponential", marks=pytest.mark.slow), "logistic"])
def test_what_is_certified_stays(loss):
    """Random weights in the cone of two points at 155°: some leave it, none of the certified."""
    x, y = obtuse()
    slope, rng = 0.1, np.random.default_rng(1)
    starts = [
        exact_solution(x, y, slope, 12.0) + spread * rng.normal(size=(M, 2))
        for spread in np.repeat([0.05, 0.3, 1.0], 5)
    ]
    towards = np.array([1.0, 1, -1, -1])[:, None]
    for _ in range(15):  # pre-activations of the right sign, from 0.01 to 1
        h = towards * 10 ** rng.uniform(-2, 0, (M, 2))
        starts.append(np.linalg.solve(np.asarray(x), h.T).T)
    certified, left = [], []
    for w in starts:
        params = Params(jnp.asarray(w), jnp.zeros(M), A)
        if float(inside_cone(params, x, y)) <= 0:
            continue
        certified.append(bool(certificate(w, x, y, slope, loss).holds))
        left.append(flow(w, x, y, slope, loss) <= 0)
    assert any(certified)
    assert any(left)
    assert not any(c and leaves for c, leaves in zip(certified, left, strict=True))


def test_training_that_leaves_the_cone_is_not_certified():
    """The example of docs/statements/orthogonal.md: strictly inside at first, and it leaves."""
    x, y = obtuse()
    h = np.array([[0.1, 0.01], [0.01, 0.5], [-0.01, -0.01], [-0.01, -0.01]])
    w = np.linalg.solve(np.asarray(x), h.T).T
    assert float(inside_cone(Params(jnp.asarray(w), jnp.zeros(M), A), x, y)) > 0
    assert not bool(certificate(w, x, y, 0.1).holds)
    assert flow(w, x, y, 0.1, steps=8000) < 0


def test_the_distance_to_the_exact_solution_never_grows():
    x, y = random_points(2)
    params = Params(
        jnp.asarray(exact_solution(x, y, 0.5, 5.0))
        + 0.3 * jnp.asarray(np.random.default_rng(0).normal(size=(M, x.shape[1]))),
        jnp.zeros(M),
        A,
    )
    distances = []
    for _ in range(6):
        found = certificate(params.w, x, y, 0.5)
        assert bool(found.holds)
        distances.append(float(found.value / (found.ratio - 1)))
        params = train(
            fixed_signs(0.5), params, x, y, Descent(0.01, 100, "exponential", log_loss=True)
        ).params
    assert (np.diff(distances) < 0).all()
    assert distances[0] > 0.1


@pytest.mark.slow
def test_logistic_loss_and_idle_samples_cost_something():
    """ρ grows by what the exact solution neglects, and a sample off the active set is one."""
    rng = np.random.default_rng(3)
    y = jnp.asarray(np.resize([1.0, -1.0], 6))
    x = jnp.asarray(rng.normal(size=(6, 20)) + 0.9 * np.asarray(y)[:, None])
    active = jnp.asarray(support_vectors(np.asarray(x), np.asarray(y), 0.5))
    limit = max_margin_limit(x, y, 0.5, active)
    assert not bool(active.all())
    assert all(float(jnp.min(part)) > 0 for part in kkt_margins(limit, x, y))
    halves = jnp.stack([limit.u_plus] * 2 + [limit.u_minus] * 2) / 2

    def rho(scale, loss):
        found = certificate(scale * halves, x, y, 0.5, loss, active)
        return float(found.value / (found.ratio - 1))

    assert rho(5.0, "logistic") > rho(5.0, "exponential")
    assert bool(certificate(40.0 * halves, x, y, 0.5, "logistic", active).holds)


def test_unknown_loss():
    x, y = obtuse()
    with pytest.raises(ValueError, match="loss must be one of exponential, logistic"):
        certificate(np.ones((M, 2)), x, y, 0.5, "squared")


def test_a_slack_within_its_error_proves_nothing():
    """An idle sample whose slack may be 0: what the exact solution neglects is not bounded."""
    rng = np.random.default_rng(3)
    y = jnp.asarray(np.resize([1.0, -1.0], 6))
    x = jnp.asarray(rng.normal(size=(6, 20)) + 0.9 * np.asarray(y)[:, None])
    active = jnp.asarray(support_vectors(np.asarray(x), np.asarray(y), 0.5))
    limit = max_margin_limit(x, y, 0.5, active)
    halves = jnp.stack([limit.u_plus] * 2 + [limit.u_minus] * 2) / 2
    params = Params(40.0 * halves, jnp.zeros(M), A)
    assert bool(stays_in_cone(params, limit, x, y, 0.5).holds)
    smallest = float(jnp.min(jnp.where(active, jnp.inf, limit.slack)))
    unsure = limit._replace(response_error=jnp.asarray(1.1 * smallest))
    assert bool(stays_in_cone(params, unsure, x, y, 0.5).undecided)
