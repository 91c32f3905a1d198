"""Neurons of either sign in any number: the closed form against definitions and training."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.certificates.cone import stays_in_cone
from theory.certificates.max_margin import (
    gram_factors,
    inside_cone,
    kkt_certificate,
    limit_output,
    max_margin_limit,
    near_orthogonality,
    solve,
    support_vectors,
)
from theory.networks.descent import Descent
from theory.networks.network import Params, fixed_signs
from theory.networks.training import train

N, D, SLOPE = 5, 8, 0.5
LABELS = np.array([1.0, -1.0, -1.0, 1.0, 1.0])
SHARES = (0.25, 0.75)


def points(seed, mixing=0.1):
    """Nearly orthogonal points of norms 1 to 2."""
    rng = np.random.default_rng(seed)
    x = np.linalg.qr(rng.normal(size=(D, D)))[0][:N] + mixing * rng.normal(size=(N, D)) / D**0.5
    return x * rng.uniform(1, 2, (N, 1)) / np.linalg.norm(x, axis=1, keepdims=True)


def solved(x, share):
    return max_margin_limit(jnp.asarray(x), jnp.asarray(LABELS), SLOPE, positive=share)


def leaky(h):
    return np.where(h >= 0, h, SLOPE * h)


def test_factors_by_hand():
    """α = ¾, γ = ½: 2(¾ + ¼·¼) = 1.625, 2(¼ + ¾·¼) = 0.875, −2γ = −1."""
    found = gram_factors(jnp.array([1.0, 1.0, -1.0]), 0.5, 0.75)
    expected = [[1.625, 1.625, -1.0], [1.625, 1.625, -1.0], [-1.0, -1.0, 0.875]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("share", SHARES)
def test_limit_is_the_least_norm_solution_with_margins_one(share):
    """Of min ½‖W‖² = ½(α‖u₊‖² + β‖u₋‖²), by least squares in √α u₊ and √β u₋."""
    x, other = points(0), 1 - share
    limit = solved(x, share)
    rows = []
    for point, label in zip(x, LABELS, strict=True):
        plus, minus = (1.0, -SLOPE) if label > 0 else (-SLOPE, 1.0)
        rows.append(np.concatenate([share**0.5 * plus * point, other**0.5 * minus * point]))
    rows = np.array(rows)
    v = np.linalg.lstsq(rows, np.ones(N))[0]
    u = np.concatenate([v[:D] / share**0.5, v[D:] / other**0.5])
    np.testing.assert_allclose(np.concatenate([limit.u_plus, limit.u_minus]), u, atol=1e-12)
    np.testing.assert_allclose(limit.multipliers, np.linalg.lstsq(rows.T, v)[0], atol=1e-12)
    normal = 2 * (share * u[:D] - other * u[D:]) / (1 + SLOPE)
    np.testing.assert_allclose(limit.normal, normal, atol=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_margins_are_one_and_the_boundary_is_linear(share):
    x = points(1)
    limit = solved(x, share)
    np.testing.assert_allclose(
        LABELS * np.asarray(limit_output(limit, jnp.asarray(x), SLOPE, share)), 1, atol=1e-12
    )
    z = np.random.default_rng(9).normal(size=(400, D))
    plus, minus = (leaky(z @ np.asarray(u)) for u in (limit.u_plus, limit.u_minus))
    f = share * plus - (1 - share) * minus
    np.testing.assert_allclose(limit_output(limit, jnp.asarray(z), SLOPE, share), f, atol=1e-12)
    np.testing.assert_array_equal(np.sign(f), np.sign(z @ np.asarray(limit.normal)))
    # With the wrong weights of the labels it would not be: these are other boundaries.
    equal = (np.asarray(limit.multipliers) * LABELS) @ x
    assert (np.sign(f) != np.sign(z @ equal)).any()


def active_set(h):
    """The one of all subsets that solves the KKT conditions of the quadratic program."""
    found = []
    for bits in range(1, 2**N):
        chosen = np.array([bits >> k & 1 for k in range(N)], bool)
        multipliers = np.zeros(N)
        multipliers[chosen] = np.linalg.solve(h[np.ix_(chosen, chosen)], np.full(chosen.sum(), 2.0))
        if (multipliers[chosen] > 0).all() and ((h @ multipliers)[~chosen] >= 2).all():
            found.append(chosen)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("seed", [3, 4, 7])
def test_support_vectors_are_those_of_all_subsets_tried_one_by_one(seed):
    """At the points of seed 4 either share has another set."""
    x = points(seed, mixing=3.0)
    sets = []
    for share in SHARES:
        h = np.asarray(gram_factors(jnp.asarray(LABELS), SLOPE, share)) * (x @ x.T)
        sets.append(active_set(h))
        np.testing.assert_array_equal(support_vectors(x, LABELS, SLOPE, share), sets[-1])
    assert not all(chosen.all() for chosen in sets)
    assert (seed == 4) == bool((sets[0] != sets[1]).any())


def network(share, seed, m=8):
    """Small weights, the first `share` of the neurons with a_i > 0."""
    w = 1e-3 * np.random.default_rng(seed).normal(size=(m, D))
    a = np.where(np.arange(m) < share * m, 1.0, -1.0) / m**0.5
    return Params(jnp.asarray(w), jnp.zeros(m), jnp.asarray(a))


@pytest.mark.parametrize("share", SHARES)
def test_training_ends_at_the_closed_form_of_its_own_share(share):
    """Near-orthogonal points: 3000 steps on log L, where directions miss about 1/log t."""
    x, y = jnp.asarray(points(3, mixing=0.002)), jnp.asarray(LABELS)
    threshold, p_max = near_orthogonality(x, SLOPE)
    assert threshold > p_max
    descent = Descent(0.25, 3000, "exponential", log_loss=True)
    params = train(fixed_signs(SLOPE), network(share, 0), x, y, descent).params
    assert inside_cone(params, x, y) > 0
    right = solve(x, y, SLOPE, positive=share)
    assert kkt_certificate(right).holds

    def cosine(limit):
        """Between the trained weights and those of a closed form."""
        w = jnp.where(params.a[:, None] > 0, limit.u_plus[None, :], limit.u_minus[None, :])
        return float(jnp.sum(w * params.w) / jnp.linalg.norm(w) / jnp.linalg.norm(params.w))

    assert 1 - cosine(right.limit) < 1e-4
    assert stays_in_cone(params, right.limit, x, y, SLOPE).holds
    # The closed form of equal halves is another direction, and is not where training ends.
    assert 1 - cosine(solve(x, y, SLOPE).limit) > 1e-3


@pytest.mark.parametrize("share", SHARES)
def test_the_exact_solution_has_distance_zero(share):
    """Ŵ log τ + R with ⟨V_k, R⟩ = −log λ_k, from the definition V_k = (a_i y_k φ'_ik x_k)_i."""
    x, params = points(4), network(share, 0)
    limit, a = solved(x, share), np.asarray(params.a)
    phi = np.where(a[:, None] * LABELS[None, :] > 0, 1, SLOPE)
    v = np.einsum("i,k,ik,kd->kid", a, LABELS, phi, x).reshape(N, -1)
    multipliers = np.asarray(limit.multipliers)
    w = 8.0 * (multipliers @ v) + np.linalg.lstsq(v, -np.log(multipliers))[0]
    w = jnp.asarray(w.reshape(params.w.shape))
    found = stays_in_cone(params._replace(w=w), limit, jnp.asarray(x), jnp.asarray(LABELS), SLOPE)
    assert found.holds
    assert np.isnan(found.ratio) or float(found.value / found.ratio) < 1e-6


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, np.nan])
def test_a_share_outside_of_its_range(share):
    with pytest.raises(ValueError, match=r"positive must be a .*number"):
        solved(points(0), share)
