"""Explicit bounds: Gaussian integrals, true tails, and networks that keep to them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory import bounds, kernels, limits
from theory.networks import Params, frozen_readout, init, outputs, pre_activations
from theory.training import descent_for_time, train

EPS = float(np.finfo(np.float64).eps)
FALSE_ALARM = 1e-6  # of each statistical test, over its seed

RATIOS = (0.0, 1e-3, 0.3, 1.0, 2.5, 50.0)


# --- crossing probabilities -----------------------------------------------------------------------

CROSSINGS = {
    "crossing_probability": (bounds.crossing_probability, 0),
    "weighted_crossing": (bounds.weighted_crossing, 2),
}


@pytest.mark.parametrize("r", RATIOS)
@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_are_gaussian_integrals(name, r):
    """E[|A|^p 1(|B| ≤ r|A|)], p = 0 and 2: the integral over B is an error function."""
    function, power = CROSSINGS[name]

    def integrand(a):
        return 2 * a**power * scipy.stats.norm.pdf(a) * math.erf(r * a / math.sqrt(2))

    expected, error = scipy.integrate.quad(integrand, 0, 40, epsabs=1e-13, epsrel=1e-12, limit=500)
    assert abs(function(jnp.array(r)) - expected) <= max(error, 1e-12)


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_against_draws(name):
    """10⁶ draws: Bernstein with v = 3, c = 2 for A², and with 1, 1 (so too) for an indicator."""
    function, power = CROSSINGS[name]
    a, b = np.random.default_rng(0).normal(size=(2, 10**6))
    s = math.log(2 * len(RATIOS) / FALSE_ALARM)
    tolerance = math.sqrt(6 * s / len(a)) + 2 * s / len(a)
    for r in RATIOS:
        mean = np.mean(a**power * (np.abs(b) <= r * np.abs(a)))
        assert abs(mean - function(jnp.array(r))) <= tolerance


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_at_the_ends(name):
    """0 at r = 0, 1 at r → ∞ (E A² = 1), and increasing in between."""
    values = CROSSINGS[name][0](jnp.array([*RATIOS, 1e9]))
    assert values[0] == 0
    assert values[-1] == pytest.approx(1, abs=2e-9)
    assert (jnp.diff(values) > 0).all()


# --- Bernstein's inequality -----------------------------------------------------------------------


def test_moments_of_a_squared_normal_satisfy_bernsteins_condition():
    """(2q − 1)!! ≤ (q!/2)·v·c^{q−2} with v = 3, c = 2, in integers; equality at q = 2."""
    for q in range(2, 31):
        moment = math.prod(range(1, 2 * q, 2))  # E A^{2q}
        assert 2 * moment <= math.factorial(q) * 3 * 2 ** (q - 2)
    assert 2 * math.prod((1, 3)) == math.factorial(2) * 3


@pytest.mark.parametrize("m", [1, 10, 1000])
@pytest.mark.parametrize("s", [0.1, 1.0, 5.0, 20.0])
def test_chi_square_deviation_inverts_chernoffs_bound(s, m):
    """inf_λ (vλ²/(2(1 − cλ)) + s/m)/λ with v = 3, c = 2: the deviation of probability e^{−s}."""

    def deviation(x):
        return (3 * x**2 / (2 * (1 - 2 * x)) + s / m) / x

    best = scipy.optimize.minimize_scalar(
        deviation, bounds=(1e-9, 0.5 - 1e-9), method="bounded", options={"xatol": 1e-12}
    )
    # At the minimum an error of λ enters squared.
    assert bounds.chi_square_deviation(s, m) == pytest.approx(best.fun, rel=1e-8)


@pytest.mark.parametrize("m", [1, 2, 10, 100, 10_000])
def test_chi_square_deviation_is_a_tail_bound(m):
    """Σ A_i² ~ χ²_m exactly: g = 1 exceeds its mean with probability at most e^{−s}, g = −1 too."""
    for s in (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0):
        deviation = float(bounds.chi_square_deviation(s, m))
        assert scipy.stats.chi2.sf(m * (1 + deviation), m) <= math.exp(-s)
        assert scipy.stats.chi2.cdf(m * (1 - deviation), m) <= math.exp(-s)


# g, and the mean of A²g: for |B| ≤ |A| it is ψ(1) = (2/π)(π/4 + ½).
WEIGHTS = {
    "one": (lambda a, b: np.ones_like(a), 1.0),
    "crossing": (lambda a, b: (np.abs(b) <= np.abs(a)).astype(float), 0.5 + 1 / math.pi),
    "signs": (lambda a, b: np.sign(b), 0.0),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_deviations_of_drawn_means(name):
    """50 000 means of m = 20 terms A²g: the number of excesses is binomial at rate e^{−s} at most.

    A quarter of the deviation is exceeded too often, whichever g: this can fail.
    """
    m, draws, s = 20, 50_000, 2.0
    a, b = np.random.default_rng(1).normal(size=(2, draws, m))
    weight, mean = WEIGHTS[name]
    excess = np.mean(a**2 * weight(a, b), axis=1) - mean
    deviation = float(bounds.chi_square_deviation(s, m))
    allowed = scipy.stats.binom.isf(FALSE_ALARM / 2, draws, math.exp(-s))
    assert np.sum(excess > deviation) <= allowed
    assert np.sum(excess < -deviation) <= allowed
    assert np.sum(excess > deviation / 4) > allowed


# --- the bound on the output ----------------------------------------------------------------------


def by_hand(x, z, m, slope, time, s, s_lazy):
    """B(z) of docs/statements/lazy.md, term by term: its three parts, each (q,)."""
    n, d = x.shape
    magnitude = np.abs(x @ z.T + 1)

    def chi(u):
        return math.sqrt(6 * u / m) + 2 * u / m

    def parts(j):
        def psi(point, kappa):
            r = time * kappa / (math.sqrt(point @ point / d + 1) * math.sqrt(m))
            return 2 / math.pi * (math.atan(r) + r / (1 + r**2)) + chi(s_lazy)

        def kappa(point):
            return np.mean(np.abs(x @ point + 1))

        sigma = math.sqrt(z[j] @ z[j] / d + 1)
        both = [psi(p, kappa(p)) + psi(z[j], kappa(z[j])) for p in x]
        return (
            sigma * math.sqrt(2 * s * (1 + 2 * math.sqrt(s / m) + 2 * s / m)),
            time * kappa(z[j]) * chi(s),
            time * (1 - slope) * sum(magnitude[k, j] * both[k] for k in range(n)) / n,
        )

    return np.array([parts(j) for j in range(len(z))]).T


points = hnp.arrays(np.float64, (5, 3), elements=st.floats(-100, 100).map(lambda v: round(v, 6)))
queries = hnp.arrays(np.float64, (4, 3), elements=st.floats(-100, 100).map(lambda v: round(v, 6)))
widths = st.integers(1, 10**6)
slopes = st.sampled_from([0.0, 0.01, 0.5, 0.99])
times = st.floats(1e-3, 1e3)
exponents = st.floats(0.1, 50.0)
ROUNDING = 200 * EPS  # some fifty operations on positive numbers, so relative errors just add up


def bound(x, z, m, slope, time, s, s_lazy):
    x, z = jnp.array(x), jnp.array(z)
    return np.array(bounds.output_bound(x, z, m, slope, time, s, s_lazy))


@given(points, queries, widths, slopes, times, exponents, exponents)
def test_output_bound_term_by_term(x, z, m, slope, time, s, s_lazy):
    expected = by_hand(x, z, m, slope, time, s, s_lazy)
    actual = bound(x, z, m, slope, time, s, s_lazy)
    # ⟨x, z⟩ + 1 may cancel: relative to the sum of its absolute terms, and Tκ/σ√m with it.
    cancelled = 1 + time * np.max(np.abs(x) @ np.abs(z).T + np.max(np.abs(x) @ np.abs(x).T) + 1)
    np.testing.assert_allclose(actual, expected, rtol=ROUNDING, atol=ROUNDING * cancelled)
    total = bounds.output_bound(jnp.array(x), jnp.array(z), m, slope, time, s, s_lazy).total
    np.testing.assert_allclose(total, actual.sum(axis=0), rtol=4 * EPS)


@given(points, queries, widths, slopes, times, exponents, exponents, st.floats(1.0, 10.0))
def test_output_bound_is_monotone(x, z, m, slope, time, s, s_lazy, factor):
    """Never negative; grows with T and either exponent, falls with the width."""
    here = bound(x, z, m, slope, time, s, s_lazy)
    assert (here >= 0).all()
    assert (limits.kappa(jnp.array(x), jnp.array(z)) >= 0).all()
    slack = 1 + ROUNDING
    assert (here <= slack * bound(x, z, m, slope, factor * time, s, s_lazy)).all()
    assert (here <= slack * bound(x, z, m, slope, time, factor * s, factor * s_lazy)).all()
    assert (here * slack >= bound(x, z, math.ceil(factor * m), slope, time, s, s_lazy)).all()
    at_rest = bound(x, z, m, slope, 0.0, s, s_lazy)
    np.testing.assert_array_equal(at_rest[0], here[0])
    np.testing.assert_array_equal(at_rest[1:], 0.0)


def test_output_bound_falls_strictly_with_the_width():
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    path = np.array([bound(x, z, m, 0.3, 2.0, 3.0, 3.0) for m in (1, 10, 100, 10_000)])
    assert (np.diff(path, axis=0) < 0).all()


@given(st.floats(1e-12, 1.0, exclude_max=True), st.integers(1, 10**6))
def test_exponents_and_failure_probability_are_inverse(delta, n):
    """4e^{−s} = (n + 1)e^{−s'} = δ/2; e^{−s} carries the rounding of s, up to 50ε."""
    s, s_lazy = bounds.exponents(delta, n)
    assert s > 0
    assert s_lazy > 0
    assert bounds.output_bound_failure(n, s, s_lazy) == pytest.approx(delta, rel=100 * EPS)
    assert 4 * math.exp(-s) == pytest.approx((n + 1) * math.exp(-s_lazy), rel=100 * EPS)


def test_crossing_ratio():
    """Tκ(z)/(σ(z)√m): σ and κ by hand at z = 0, and for parallel data."""
    x, z = jnp.array([[1.0, 2.0], [-3.0, 0.0]]), jnp.array([[0.0, 0.0], [2.0, 4.0]])
    # κ(0) = 1, σ(0) = 1; κ(z) = (11 + 5)/2, σ(z)² = 20/2 + 1.
    expected = [3 / math.sqrt(100), 3 * 8 / math.sqrt(11 * 100)]
    np.testing.assert_allclose(bounds.crossing_ratio(x, z, 100, 3.0), expected, rtol=8 * EPS)


# --- the lazy error, neuron by neuron -------------------------------------------------------------


def lazy_error_and_limit(params, x, y, z, slope, time):
    """|f(z; T) − f(z; 0) − T k_m(z)|, and what it cannot exceed, without any probability.

    T(1 − γ)(1/n) Σ_k |⟨x_k, z⟩ + 1| Σ_i a_i²(1{i can cross at x_k} + 1{i can cross at z}), which
    is what B(z) bounds by Ψ(x_k) + Ψ(z).
    """
    x, y, z = (jnp.array(v) for v in (x, y, z))
    end = train(frozen_readout(slope), params, x, y, descent_for_time(time, 200)).params
    kernel = time * np.asarray(y @ kernels.finite_hidden_ntk(params, x, z, slope)) / len(x)
    error = np.abs(outputs(end, z, slope) - outputs(params, z, slope) - kernel)

    def crossing(points):
        reach = time * np.abs(params.a) * np.asarray(limits.kappa(x, points))[:, None]
        return (np.abs(pre_activations(params, points)) <= reach) @ np.square(params.a)

    magnitude = np.abs(x @ z.T + 1)
    return error, time * (1 - slope) * np.mean(
        magnitude * (crossing(x)[:, None] + crossing(z)), axis=0
    )


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.9])
def test_lazy_error_of_drawn_networks(slope, key):
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(5, 3)), rng.normal(size=(40, 3))
    params = init(frozen_readout(slope), key, 30, 3)
    error, limit = lazy_error_and_limit(params, x, np.ones(5), z, slope, 1.0)
    assert (error <= limit * (1 + ROUNDING)).all()
    assert (error > 0.01 * limit).any()  # some do cross


def test_lazy_error_of_the_worst_neuron():
    """One that crosses 0 at once, at x = z: error a²T(1 − γ²)(⟨x, z⟩ + 1), limit 1 − γ twice.

    So no factor smaller than (1 + γ)/2 of 1 − γ would do, 0.95 here.
    """
    slope, x = 0.9, np.array([[1.0, 2.0, -1.0]])
    params = Params(jnp.zeros((1, 3)), jnp.array([1e-9]), jnp.array([-0.5]))
    error, limit = lazy_error_and_limit(params, x, np.ones(1), x, slope, 2.0)
    assert limit[0] == pytest.approx(2 * 0.1 * 0.25 * 2.0 * 7, rel=ROUNDING)
    # The step on which it crosses, one of 200, still moves it at the full rate.
    assert error[0] == pytest.approx(0.95 * limit[0], rel=1 / 200)


# --- networks keep to the bound, and not to less --------------------------------------------------

N, D, M, TIME, SLOPE, DRAWS = 6, 2, 400, 1.5, 0.1, 2000
S, S_LAZY = 3.0, 3.0 + math.log(N + 1)


@pytest.fixture(scope="module")
def drawn():
    """Deviations of each part, one of one query from each of DRAWS networks, and the bound."""
    rng = np.random.default_rng(3)
    # Alike, with one label: neurons add up rather than cancel, so that bounds are nearly reached.
    x = jnp.array(rng.normal(size=(N, D)) * 0.3 + 1.5)
    y, z = jnp.ones(N), jnp.array([[1.5, 1.5]])
    network, descent = frozen_readout(SLOPE), descent_for_time(TIME, 6, 0.5)
    limit = TIME * limits.signal(x, y, z, SLOPE)

    @jax.jit
    def deviations(keys):
        def one(key):
            start = init(network, key, M, D)
            end = train(network, start, x, y, descent).params
            kernel = TIME * y @ kernels.finite_hidden_ntk(start, x, z, SLOPE) / N
            before, after = (outputs(params, z, SLOPE)[0] for params in (start, end))
            return {
                "initial": before,
                "kernel": kernel[0] - limit[0],
                "lazy": after - before - kernel[0],
                "total": after - limit[0],
            }

        return jax.vmap(one)(keys)

    values = deviations(jax.random.split(jax.random.key(4), DRAWS))
    values = {name: np.abs(value) for name, value in values.items()}
    return values, bounds.output_bound(x, z, M, SLOPE, TIME, S, S_LAZY)


# Failure probability of each part (docs/statements/lazy.md), and a factor it cannot be divided by.
PARTS = {
    "initial": (2 * math.exp(-S), 4),
    "kernel": (2 * math.exp(-S), 4),
    "lazy": ((N + 1) * math.exp(-S_LAZY), 50),
    "total": (bounds.output_bound_failure(N, S, S_LAZY), 20),
}


@pytest.mark.parametrize("part", PARTS)
def test_networks_keep_to_the_bound_but_not_to_a_fraction(part, drawn):
    values, bound = drawn
    delta, fraction = PARTS[part]
    size = float(getattr(bound, part)[0])
    allowed = scipy.stats.binom.isf(FALSE_ALARM / len(PARTS), DRAWS, delta)
    assert np.sum(values[part] > size) <= allowed
    assert np.sum(values[part] > size / fraction) > allowed
