"""The max-margin limit, against quadratic programs, rational arithmetic and real networks."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize

from theory.certificates.max_margin import (
    global_margins,
    inside_cone,
    kkt_margins,
    limit_output,
    max_margin_limit,
    multiplier_range,
    near_orthogonality,
    same_span,
    sharp_multiplier_range,
    support_vectors,
)
from theory.networks.network import Params

N, D = 5, 8
LABELS = np.array([1.0, -1.0, -1.0, 1.0, 1.0])
SLOPES = (0.1, 0.5, 0.9)


def leaky(h, slope):
    return np.where(h >= 0, h, slope * h)


def points(seed, n=N, d=D, mixing=0.3):
    """Points of norms 1 to 2, orthogonal at `mixing` 0 and Gaussian when it is large."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0][:n]
    x = basis + mixing * rng.normal(size=(n, d)) / d**0.5
    return x * rng.uniform(1, 2, (n, 1)) / np.linalg.norm(x, axis=1, keepdims=True)


def solved(x, y, slope):
    return max_margin_limit(jnp.asarray(x, float), jnp.asarray(y, float), slope)


def is_kkt_point(limit, x, y):
    return all(np.min(part) > 0 for part in kkt_margins(limit, jnp.asarray(x), jnp.asarray(y)))


# --- the closed form ------------------------------------------------------------------------------


def margin_rows(x, y, slope):
    """y_k f(x_k) as a linear form in (u₊, u₋), where ⟨u₊,x_k⟩y_k > 0 > ⟨u₋,x_k⟩y_k."""
    rows = []
    for point, label in zip(x, y, strict=True):
        plus, minus = (1.0, -slope) if label > 0 else (-slope, 1.0)
        rows.append(np.concatenate([plus * point, minus * point]) / 2)
    return np.array(rows)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("seed", range(3))
def test_limit_is_the_least_norm_solution_with_margins_one(seed, slope):
    """The primal by least squares: the shortest (u₊, u₋) whose margins are all 1.

    λ are the multipliers of min ¼(‖u₊‖² + ‖u₋‖²), which is ½‖W‖² of the network: ½u = Aᵀλ.
    """
    x = points(seed)
    limit, rows = solved(x, LABELS, slope), margin_rows(x, LABELS, slope)
    u = np.linalg.lstsq(rows, np.ones(N))[0]
    multipliers = np.linalg.lstsq(rows.T, u / 2)[0]
    # Condition numbers below 10² leave 10⁻¹³ of either solution.
    np.testing.assert_allclose(np.concatenate([limit.u_plus, limit.u_minus]), u, atol=1e-12)
    np.testing.assert_allclose(limit.multipliers, multipliers, atol=1e-12)
    np.testing.assert_allclose(limit.normal, (LABELS * multipliers) @ x, atol=1e-12)
    difference = np.asarray(limit.u_plus - limit.u_minus)
    np.testing.assert_allclose(difference, (1 + slope) * np.asarray(limit.normal), atol=1e-12)


@pytest.mark.parametrize("slope", SLOPES)
def test_limit_solves_the_quadratic_program_with_inequalities(slope):
    """With λ > 0 all margins are tight, and SLSQP finds the same point from margins ≥ 1."""
    x = points(0)
    limit, rows = solved(x, LABELS, slope), margin_rows(x, LABELS, slope)
    assert min(limit.multipliers) > 0
    found = optimize.minimize(
        lambda u: u @ u / 2,
        np.zeros(2 * D),
        jac=lambda u: u,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda u: rows @ u - 1, "jac": lambda u: rows},
        options={"ftol": 1e-14},
    )
    assert found.success
    # SLSQP stops when the objective is stationary to 1e-14, so its point is good to 1e-7.
    np.testing.assert_allclose(np.concatenate([limit.u_plus, limit.u_minus]), found.x, atol=1e-6)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("seed", range(3))
def test_margins_on_the_training_set_are_one(seed, slope):
    x = points(seed, mixing=0.3 * slope)  # small slopes need more orthogonality
    limit = solved(x, LABELS, slope)
    assert is_kkt_point(limit, x, LABELS)
    plus, minus = np.asarray(limit.u_plus), np.asarray(limit.u_minus)
    for point, label in zip(x, LABELS, strict=True):
        output = (leaky(plus @ point, slope) - leaky(minus @ point, slope)) / 2
        assert label * output == pytest.approx(1, abs=1e-13)
    # limit_output is the same formula, off the training set too, where the boundary is linear.
    z = np.concatenate([x, np.random.default_rng(9).normal(size=(50, D))])
    expected = [(leaky(plus @ p, slope) - leaky(minus @ p, slope)) / 2 for p in z]
    outputs = np.asarray(limit_output(limit, jnp.asarray(z), slope))
    np.testing.assert_allclose(outputs, expected, atol=1e-13)
    np.testing.assert_array_equal(np.sign(outputs), np.sign(z @ np.asarray(limit.normal)))


@given(hnp.arrays(np.float64, N, elements=st.floats(0.125, 8)), st.floats(0.01, 0.99))
def test_orthogonal_points_have_multipliers_two_over_squared_norms(norms, slope):
    limit = solved(norms[:, None] * np.eye(N, D), LABELS, slope)
    # The system is diagonal: a handful of roundings.
    expected = 2 / ((1 + slope**2) * norms**2)
    np.testing.assert_allclose(limit.multipliers, expected, rtol=1e-14)


def solve_exactly(x, y, slope):
    """H λ = 2·1 by Gaussian elimination in rational arithmetic; None where H is singular."""
    n, slope = len(x), Fraction(slope)
    x = [[Fraction(float(entry)) for entry in row] for row in x]
    rows = []
    for j in range(n):
        products = [sum(a * b for a, b in zip(x[j], x[k], strict=True)) for k in range(n)]
        factors = [1 + slope**2 if y[j] == y[k] else -2 * slope for k in range(n)]
        rows.append([f * p for f, p in zip(factors, products, strict=True)] + [Fraction(2)])
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for r in range(n):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


def assert_error_bounds(limit, exact):
    error = float(limit.multiplier_error)
    if exact is None:
        assert not error < np.inf  # nothing is claimed about a singular system
        return
    for found, true in zip(np.asarray(limit.multipliers), exact, strict=True):
        assert error == np.inf or abs(Fraction(float(found)) - true) <= Fraction(error)


entries = st.one_of(st.integers(-3, 3).map(float), st.floats(-4, 4).map(lambda v: round(v, 6)))
labels = hnp.arrays(np.float64, 4, elements=st.sampled_from([-1.0, 1.0]))


@given(hnp.arrays(np.float64, (4, 6), elements=entries), labels, st.floats(0.01, 0.99))
def test_multiplier_error_bounds_the_error_for_any_points(x, y, slope):
    assert_error_bounds(solved(x, y, slope), solve_exactly(x, y, slope))


@given(hnp.arrays(np.float64, (4, 6), elements=st.floats(-1, 1)), st.integers(0, 40), labels)
def test_multiplier_error_bounds_the_error_for_nearly_equal_points(noise, bits, y):
    """Points around one point, at distances from 1 down to 2⁻⁴⁰: the system turns singular."""
    x = 1 + noise * 2.0**-bits
    assert_error_bounds(solved(x, y, 0.5), solve_exactly(x, y, 0.5))


def test_multiplier_error_is_small_where_the_system_is_well_conditioned():
    limit = solved(points(0), LABELS, 0.5)
    assert 0 < float(limit.multiplier_error) < 1e-12 * float(limit.multipliers.min())


def test_multiplier_error_claims_nothing_about_more_points_than_the_system_can_tell_apart():
    """H has rank at most 2d, the dimension of (u₊, u₋)."""
    x = np.random.default_rng(0).normal(size=(5, 2))
    assert float(solved(x, LABELS, 0.5).multiplier_error) == np.inf
    duplicate = np.concatenate([points(0)[:4], points(0)[:1]])
    assert float(solved(duplicate, LABELS, 0.5).multiplier_error) == np.inf


# --- the quadratic program ------------------------------------------------------------------------


def correlated(seed, n=6, d=12):
    """Points of two shifted classes: some margins exceed 1, and some λ of H⁻¹(2·1) are negative."""
    rng = np.random.default_rng(seed)
    y = np.resize([1.0, -1.0], n)
    return rng.normal(size=(n, d)) + 0.6 * y[:, None], y


def system(x, y, slope):
    return np.where(y[:, None] == y[None, :], 1 + slope**2, -2 * slope) * (x @ x.T)


@pytest.mark.parametrize("seed", range(8))
def test_support_vectors_are_those_of_all_subsets_tried_one_by_one(seed):
    """The KKT conditions of the quadratic program hold for one active set out of 2⁶."""
    x, y = correlated(seed)
    h = system(x, y, 0.5)
    found = []
    for bits in range(1, 2**6):
        chosen = np.array([bits >> k & 1 for k in range(6)], bool)
        multipliers = np.zeros(6)
        multipliers[chosen] = np.linalg.solve(h[np.ix_(chosen, chosen)], np.full(chosen.sum(), 2.0))
        if (multipliers[chosen] > 0).all() and ((h @ multipliers)[~chosen] >= 2).all():
            found.append(chosen)
    assert len(found) == 1
    np.testing.assert_array_equal(support_vectors(x, y, 0.5), found[0])
    limit = max_margin_limit(jnp.asarray(x), jnp.asarray(y), 0.5, jnp.asarray(found[0]))
    np.testing.assert_allclose(
        np.asarray(limit.slack), np.where(found[0], 0, h @ np.asarray(limit.multipliers) / 2 - 1)
    )
    assert (np.asarray(limit.multipliers)[~found[0]] == 0).all()


def test_a_wrong_active_set_has_a_negative_margin():
    x, y = correlated(0)
    right = support_vectors(x, y, 0.5)
    assert not right.all()
    for k in range(6):
        wrong = right.copy()
        wrong[k] = not wrong[k]
        limit = max_margin_limit(jnp.asarray(x), jnp.asarray(y), 0.5, jnp.asarray(wrong))
        assert float(min(kkt_margins(limit, jnp.asarray(x), jnp.asarray(y)).multipliers)) < 0


def test_support_vectors_of_a_singular_system_are_proposed_and_not_proven():
    x = np.concatenate([points(0)[:4], points(0)[:1]])
    active = support_vectors(x, LABELS[[0, 1, 2, 3, 0]], 0.5)
    limit = max_margin_limit(
        jnp.asarray(x), jnp.asarray(LABELS[[0, 1, 2, 3, 0]]), 0.5, jnp.asarray(active)
    )
    assert not active.all() or float(limit.multiplier_error) == np.inf


# --- invariances ----------------------------------------------------------------------------------


@given(st.permutations(range(N)), st.integers(0, 1000), st.sampled_from(SLOPES))
def test_limit_does_not_depend_on_the_order_of_the_samples(order, seed, slope):
    x = points(seed)
    limit, permuted = solved(x, LABELS, slope), solved(x[order], LABELS[order], slope)
    np.testing.assert_allclose(
        permuted.multipliers, limit.multipliers[jnp.array(order)], rtol=1e-11
    )
    for name in ("u_plus", "u_minus", "normal"):
        np.testing.assert_allclose(getattr(permuted, name), getattr(limit, name), atol=1e-11)


@given(st.integers(0, 1000), st.sampled_from(SLOPES))
def test_flipped_labels_exchange_the_two_halves(seed, slope):
    x = points(seed)
    limit, flipped = solved(x, LABELS, slope), solved(x, -LABELS, slope)
    np.testing.assert_allclose(flipped.multipliers, limit.multipliers, rtol=1e-11)
    np.testing.assert_allclose(flipped.u_plus, limit.u_minus, atol=1e-11)
    np.testing.assert_allclose(flipped.u_minus, limit.u_plus, atol=1e-11)
    np.testing.assert_allclose(flipped.normal, -limit.normal, atol=1e-11)


@given(st.integers(0, 1000), st.floats(0.125, 8))
def test_rotations_rotate_and_scalings_scale_the_limit(seed, scale):
    """x → c·xQ: multipliers by c⁻², weights and normal by c⁻¹ and Q."""
    x = points(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(D, D)))[0]
    limit, moved = solved(x, LABELS, 0.5), solved(scale * x @ rotation, LABELS, 0.5)
    np.testing.assert_allclose(scale**2 * moved.multipliers, limit.multipliers, rtol=1e-11)
    for name in ("u_plus", "u_minus", "normal"):
        expected = np.asarray(getattr(limit, name)) @ rotation
        np.testing.assert_allclose(scale * getattr(moved, name), expected, atol=1e-11)


# --- near-orthogonality ---------------------------------------------------------------------------


@pytest.mark.parametrize("slope", SLOPES)
def test_near_orthogonality_is_the_two_sides_of_the_theorem(slope):
    x = points(3)
    norms = [np.linalg.norm(row) for row in x]
    p_max = max(abs(x[j] @ x[k]) for j in range(N) for k in range(N) if j != k)
    found = near_orthogonality(jnp.asarray(x), slope)
    expected = slope**3 * min(norms) ** 4 / (3 * N * max(norms) ** 2)
    unit = max(norms) ** 2
    assert float(found.threshold) == pytest.approx(expected / unit, rel=1e-13)
    assert float(found.p_max) == pytest.approx(p_max / unit, rel=1e-13)


def test_near_orthogonality_looks_at_absolute_products_and_not_at_norms():
    x = jnp.array([[9.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.5, 1.0]])
    assert float(near_orthogonality(x, 0.5).p_max) == pytest.approx(9 / 81, rel=1e-15)
    assert float(near_orthogonality(x[:1], 0.5).p_max) == 0.0  # one point: no products
    assert float(near_orthogonality(x[:1], 0.5).threshold) == pytest.approx(0.125 / 3)


@given(
    hnp.arrays(np.float64, N, elements=st.floats(1, 1.5)),
    hnp.arrays(np.float64, (N, N), elements=st.floats(-1, 1)),
    st.sampled_from([0.0, 0.5, 0.999]),
    st.sampled_from(SLOPES),
)
def test_near_orthogonality_implies_the_certificate_and_both_ranges(norms, mixing, load, slope):
    """Gram matrices up to the threshold, of any signs: extreme ones included by the strategy."""
    p = load * slope**3 * norms.min() ** 4 / (3 * N * norms.max() ** 2)
    off = np.triu(mixing, 1) / max(np.abs(np.triu(mixing, 1)).max(), 1e-300)
    x = np.zeros((N, D))
    x[:, :N] = np.linalg.cholesky(np.diag(norms**2) + p * (off + off.T))
    sides = near_orthogonality(jnp.asarray(x), slope)
    assert sides.threshold >= sides.p_max
    limit = solved(x, LABELS, slope)
    assert is_kkt_point(limit, x, LABELS)
    multipliers, rounding = np.asarray(limit.multipliers), 1e-13
    for bounds in (multiplier_range, sharp_multiplier_range):
        low, high = bounds(jnp.asarray(x), slope)
        assert float(low) * (1 - rounding) <= multipliers.min()
        assert multipliers.max() <= float(high) * (1 + rounding)


@pytest.mark.parametrize("slope", SLOPES)
def test_multiplier_ranges_are_their_formulas_and_the_sharp_one_is_inside(slope):
    x = jnp.array([[3.0, 0.0, 4.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]])  # R_max² = 25, R_min² = 4
    wide, sharp = multiplier_range(x, slope), sharp_multiplier_range(x, slope)
    np.testing.assert_allclose(wide, (1 / 50, 3 / (8 * slope**2)), rtol=1e-14)
    cube = slope**3 / 3
    assert float((1 + slope**2) * 4 * sharp.high) == pytest.approx(2 / (1 - cube), rel=1e-14)
    expected = 2 - 2 * cube / (1 - cube)
    assert float((1 + slope**2) * 25 * sharp.low) == pytest.approx(expected, rel=1e-14)
    assert float(wide.low) < float(sharp.low) < float(sharp.high) < float(wide.high)


def test_the_sharp_range_is_nearly_attained():
    """Five points of one label whose products all equal ∓p, at the threshold: (n − 1)p = 4γ³/15.

    Then (1 + γ²)λ(1 ∓ (n − 1)p) = 2, (n − 1)/n of the way to the bounds at first order in γ³.
    """
    slope, p = 0.5, 0.5**3 / (3 * N)
    middle = 2 / (1 + slope**2)
    for sign, end in ((-1, "high"), (1, "low")):
        gram = (1 - sign * p) * np.eye(N) + sign * p
        x = jnp.asarray(np.linalg.cholesky(gram) @ np.eye(N, D))
        multipliers = np.asarray(solved(x, np.ones(N), slope).multipliers)
        np.testing.assert_allclose(multipliers, middle / (1 + sign * (N - 1) * p), rtol=1e-13)
        bound = float(getattr(sharp_multiplier_range(x, slope), end))
        assert 0.7 < (multipliers[0] - middle) / (bound - middle) < 0.8


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", SLOPES)
def test_certificates_are_their_definitions(slope):
    """At correlated points, where the parts have both signs."""
    x = points(2, mixing=2.0)
    limit = solved(x, LABELS, slope)
    lam, plus, minus = (np.asarray(p) for p in (limit.multipliers, limit.u_plus, limit.u_minus))
    found = kkt_margins(limit, jnp.asarray(x), jnp.asarray(LABELS))
    everywhere = global_margins(limit, jnp.asarray(x), jnp.asarray(LABELS), slope)
    for k in range(N):
        own = plus if LABELS[k] > 0 else minus
        same = sum(lam[j] * max(x[j] @ x[k], 0.0) for j in range(N) if LABELS[j] == LABELS[k])
        assert float(found.multipliers[k]) == lam[k]
        assert float(found.active[k]) == pytest.approx(LABELS[k] * (plus @ x[k]), abs=1e-12)
        assert float(found.inactive[k]) == pytest.approx(-LABELS[k] * (minus @ x[k]), abs=1e-12)
        expected = 2 * (own @ x[k]) - (1 - slope) * same
        assert float(everywhere[k]) == pytest.approx(expected, abs=1e-11)


def half_norm(w):
    return np.sum(w**2) / 2


def best_network(x, y, slope, starts, seed, width=4):
    """Smallest ½‖W‖² with margins ≥ 1 that SLSQP finds for a real network of ±1/√m readouts."""
    signs = np.where(np.arange(width) < width // 2, 1.0, -1.0) / width**0.5
    n, d = x.shape

    def margins(w):
        return y * (leaky(x @ w.reshape(width, d).T, slope) @ signs) - 1

    def gradients(w):
        h = x @ w.reshape(width, d).T
        factors = y[:, None] * np.where(h >= 0, 1.0, slope) * signs
        return (factors[:, :, None] * x[:, None, :]).reshape(n, -1)

    best = np.inf
    rng = np.random.default_rng(seed)
    for _ in range(starts):
        found = optimize.minimize(
            half_norm,
            3 * rng.normal(size=width * d),
            jac=lambda w: w,
            method="SLSQP",
            constraints={"type": "ineq", "fun": margins, "jac": gradients},
            options={"maxiter": 300},
        )
        if margins(found.x).min() >= -1e-6:
            best = min(best, found.fun)
    return best


def limit_half_norm(limit):
    """½‖W‖² of the closed form: half the neurons u₊/√m, half u₋/√m."""
    return float(limit.u_plus @ limit.u_plus + limit.u_minus @ limit.u_minus) / 4


def test_the_global_certificate_means_that_no_network_has_a_larger_margin():
    """Twenty starts of a real network of width 4 end at the certified closed form or above."""
    x, y = points(1, 3, 3), np.array([1.0, -1.0, 1.0])
    limit = solved(x, y, 0.5)
    assert is_kkt_point(limit, x, y)
    assert min(global_margins(limit, jnp.asarray(x), jnp.asarray(y), 0.5)) > 0
    # Constraints met to 1e-6 let the norm be smaller by a share of 2e-6.
    assert best_network(x, y, 0.5, 20, 0) == pytest.approx(limit_half_norm(limit), rel=1e-5)


def test_a_kkt_point_need_not_be_global():
    """Two unit points of one label at 155°, γ = 0.1 (specification, level 2 of the evidence).

    A quarter of the neurons along either point does better: c/4·(1 + γcos 155°) = 1 on both points
    at ½‖W‖² = c²/4: about twice the margin of the closed form.
    """
    cosine, sine = np.cos(np.deg2rad(155)), np.sin(np.deg2rad(155))
    slope, x, y = 0.1, np.array([[1.0, 0.0], [cosine, sine]]), np.ones(2)
    limit = solved(x, y, slope)
    assert is_kkt_point(limit, x, y)
    assert max(global_margins(limit, jnp.asarray(x), jnp.asarray(y), slope)) < 0
    c = 4 / (1 + slope * cosine)
    w = c / 2 * np.stack([x[0], x[1], 0 * x[0], 0 * x[0]])  # width 4
    outputs = leaky(x @ w.T, slope) @ (np.array([1, 1, -1, -1]) / 2)
    np.testing.assert_allclose(outputs, 1, rtol=1e-12)
    assert half_norm(w) == pytest.approx(c**2 / 4)
    assert np.sqrt(limit_half_norm(limit) / half_norm(w)) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("slope", SLOPES)
def test_inside_cone_is_the_smallest_normalized_alignment(slope):
    rng = np.random.default_rng(4)
    w, a = rng.normal(size=(6, D)), np.array([1.0, 1, 1, -1, -1, -1]) / 6**0.5
    x = points(4, mixing=0.3 * slope)

    def smallest(w, y):
        return min(
            a[i] * y[k] * (w[i] @ x[k]) / (abs(a[i]) * np.linalg.norm(w[i]) * np.linalg.norm(x[k]))
            for i in range(6)
            for k in range(N)
        )

    def found(w, y):
        params = Params(jnp.asarray(w), jnp.zeros(6), jnp.asarray(a))
        return float(inside_cone(params, jnp.asarray(x), jnp.asarray(y)))

    assert found(w, LABELS) == pytest.approx(smallest(w, LABELS), abs=1e-14)
    assert found(w, LABELS) < 0  # 30 random signs
    # Inside: every neuron has the closed form of its half, whose KKT margins are positive.
    limit = solved(x, LABELS, slope)
    halves = np.stack([limit.u_plus] * 3 + [limit.u_minus] * 3)
    assert found(halves, LABELS) == pytest.approx(smallest(halves, LABELS), abs=1e-14)
    assert found(halves, LABELS) > 0
    assert found(7.0 * halves, LABELS) == pytest.approx(found(halves, LABELS), rel=1e-13)
    assert found(halves, -LABELS) < 0
    halves[2] = 0.0  # a dead neuron is on the edge of the cone
    assert found(halves, LABELS) == 0


# --- coordinates in the span ----------------------------------------------------------------------


@pytest.mark.parametrize("d", [8, 40])
def test_same_span_keeps_all_inner_products(d):
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(3, d)), rng.normal(size=(4, d))
    reduced = same_span(jnp.asarray(x), jnp.asarray(z))
    assert (reduced[0].shape, reduced[1].shape) == ((3, 7), (4, 7))
    before, after = np.concatenate([x, z]), np.concatenate(reduced)
    # Householder's method, backward stable: d·eps·‖x‖² < 1e-12.
    np.testing.assert_allclose(after @ after.T, before @ before.T, atol=1e-12)


def test_same_span_leaves_points_that_span_everything():
    x, z = jnp.ones((3, 4)), jnp.zeros((1, 4))
    assert same_span(x, z)[0] is x
    assert same_span(x, z)[1] is z


# --- errors ---------------------------------------------------------------------------------------

GOOD = {"x": np.eye(3), "y": [1.0, -1.0, 1.0], "slope": 0.5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slope": 0.0}, r"slope must be a finite number in \(0, 1\), got 0\.0"),
        ({"slope": 1.0}, r"slope must be a finite number in \(0, 1\), got 1\.0"),
        ({"slope": float("nan")}, r"slope must be a finite number in \(0, 1\), got nan"),
        ({"x": np.eye(3) * np.nan}, "x must be finite, got 9 NaN or infinite of 9 entries"),
        ({"x": np.diag([1, np.inf, 1])}, "x must be finite, got 1 NaN or infinite of 9 entries"),
        ({"x": np.ones((3, 0))}, r"x must be a matrix .* got shape \(3, 0\)"),
        ({"y": [0.0, 1.0, 1.0]}, r"y must be −1 or \+1, got values \{0, 1\}; use 2\*y − 1"),
        ({"y": [1.0, -1.0, np.nan]}, r"y must be −1 or \+1, got values \{-1, 1, nan\}"),
    ],
)
def test_the_limit_says_what_it_needs(changes, message):
    arguments = GOOD | changes
    with pytest.raises(ValueError, match=f"^{message}$"):
        solved(**arguments)
    if "y" not in changes:
        with pytest.raises(ValueError, match=f"^{message}$"):
            near_orthogonality(jnp.asarray(arguments["x"]), arguments["slope"])
