"""Explicit bounds: Gaussian integrals, true tails, and networks that keep to them."""

import math
from typing import Any

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

from theory.infinite_width import bounds, kernels, lazy
from theory.networks.descent import descent_for_time
from theory.networks.network import Params, frozen_readout, init, outputs, pre_activations
from theory.networks.training import train

EPS = float(np.finfo(np.float64).eps)
FALSE_ALARM = 1e-6  # of each statistical test, over its seed

RATIOS = (0.0, 1e-3, 0.3, 1.0, 2.5, 50.0)


# --- crossing probabilities -----------------------------------------------------------------------

CROSSINGS = {
    "crossing_probability": (bounds.crossing_probability, 0),
    "weighted_crossing": (bounds.weighted_crossing, 2),
    "fourth_crossing": (bounds.fourth_crossing, 4),
}
AT_INFINITY = {0: 1, 2: 1, 4: 3}  # E|A|^p


@pytest.mark.parametrize("r", RATIOS)
@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_are_gaussian_integrals(name, r):
    """E[|A|^p 1(|B| ≤ r|A|)], p = 0, 2 and 4: the integral over B is an error function."""
    function, power = CROSSINGS[name]

    def integrand(a):
        return 2 * a**power * scipy.stats.norm.pdf(a) * math.erf(r * a / math.sqrt(2))

    expected, error = scipy.integrate.quad(integrand, 0, 40, epsabs=1e-13, epsrel=1e-12, limit=500)
    assert abs(function(jnp.array(r)) - expected) <= max(error, 1e-12)


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_against_draws(name):
    """10⁶ draws, normal up to 1e-3 (A⁴ has kurtosis 68): six standard errors, 1e-8 in all."""
    function, power = CROSSINGS[name]
    a, b = np.random.default_rng(0).normal(size=(2, 10**6))
    for r in RATIOS:
        values = a**power * (np.abs(b) <= r * np.abs(a))
        error = values.std() / math.sqrt(len(values))
        assert abs(values.mean() - function(jnp.array(r))) <= 6 * error


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings_at_the_ends(name):
    """0 at r = 0, E|A|^p at r → ∞, and increasing in between."""
    function, power = CROSSINGS[name]
    values = function(jnp.array([*RATIOS, 1e9]))
    assert values[0] == 0
    assert values[-1] == pytest.approx(AT_INFINITY[power], abs=4e-9)
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

    best: Any = scipy.optimize.minimize_scalar(
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


@pytest.mark.parametrize("r", [1e-3, 0.3, 2.0, 50.0])
def test_moments_at_crossings_satisfy_bernsteins_condition(r):
    """E[A^{2q} 1(|B| ≤ r|A|)] = 2^q q! (2/π)∫₀^{arctan r} cos^{2q} ≤ (q!/2) ψ₄(r) 2^{q−2}."""
    variance = float(bounds.fourth_crossing(jnp.array(r)))
    for q in range(2, 20):
        arc, _ = scipy.integrate.quad(lambda t, q=q: math.cos(t) ** (2 * q), 0, math.atan(r))
        moment = 2**q * math.factorial(q) * 2 / math.pi * arc
        assert moment <= math.factorial(q) / 2 * variance * 2 ** (q - 2) * (1 + 1e-9)
        if q == 2:
            assert moment == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("s", [0.01, 0.5, 3.0, 50.0])
def test_normal_quantile(s):
    """P(|A| ≥ t) = e^{−s}, and t is below the Chernoff bound √(2s)."""
    t = bounds.normal_quantile(s)
    assert 2 * scipy.stats.norm.sf(t) == pytest.approx(math.exp(-s), rel=1e-12)
    assert t <= math.sqrt(2 * s)


def test_deviations_of_weighted_means():
    """50 000 means of m = 20 terms Σ_j w_jA²g_j with dependent g_j: at most e^{−s} exceed.

    The bound with the root of one g_j alone is exceeded too often: all of them are needed.
    """
    m, draws, s = 20, 50_000, 2.0
    weights, ratios = np.array([1.0, 2.0, 0.5]), np.array([0.2, 0.5, 2.0])
    a, b = np.random.default_rng(6).normal(size=(2, draws, m))
    within = np.abs(b)[..., None] <= ratios * np.abs(a)[..., None]
    sums = np.mean(a**2 * (within @ weights), axis=1)
    excess = sums - weights @ np.asarray(bounds.weighted_crossing(jnp.array(ratios)))
    roots = weights * np.sqrt(np.asarray(bounds.fourth_crossing(jnp.array(ratios))))
    allowed = scipy.stats.binom.isf(FALSE_ALARM, draws, math.exp(-s))
    deviation = float(bounds.weighted_deviation(roots.sum(), weights.sum(), s, m))
    assert np.sum(excess > deviation) <= allowed
    assert np.sum(excess > float(bounds.weighted_deviation(roots[0], 0.0, s, m))) > allowed


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


def by_hand(x, y, z, m, slope, time, s):
    """B(z) of docs/statements/lazy.md, term by term: its three parts, each (q,)."""
    n, d = x.shape

    def sigma(p):
        return math.sqrt(p @ p / d + 1)

    def phi(p, q, slope):
        u, v = np.append(p / math.sqrt(d), 1.0), np.append(q / math.sqrt(d), 1.0)
        u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
        angle = 2 * math.atan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
        return slope + (1 - slope) ** 2 * (math.pi - angle) / (2 * math.pi)

    def reaches(p):
        pulls = y * (x @ p + 1)
        up, down = sum(v for v in pulls if v > 0) / n, -sum(v for v in pulls if v < 0) / n
        return [time * max(up - slope * down, 0), time * max(down - slope * up, 0)]

    def arc(r, power):
        moments = {0: (1, 0, 0), 2: (1, 1, 0), 4: (3, 3, 2)}[power]
        share = r / (1 + r * r)
        return (
            2
            / math.pi
            * sum(
                c * v
                for c, v in zip(moments, (math.atan(r), share, share / (1 + r * r)), strict=True)
            )
        )

    def deviation(root, total):
        return root * math.sqrt(2 * s / m) + 2 * total * s / m

    def parts(q):
        size = min(
            1 + 2 * math.sqrt(s / m) + 2 * s / m,
            (1 + slope**2) / 2 + math.sqrt(3 * (1 + slope**4) * s / m) + 2 * s / m,
        )
        initial = sigma(q) * scipy.stats.norm.isf(math.exp(-s) / 2) * math.sqrt(size)
        share = [time * abs(p @ q + 1) / n for p in x]
        kernel = deviation(
            sum(w * math.sqrt(3 * phi(p, q, slope**2)) for w, p in zip(share, x, strict=True)),
            sum(share),
        )
        mean, root, total = 0.0, 0.0, sum(share)
        for w, p in zip(share, x, strict=True):
            r = [reach / (sigma(p) * math.sqrt(m)) for reach in reaches(p)]
            mean += w * sum(arc(v, 2) for v in r) / 4
            root += w * math.sqrt(sum(arc(v, 4) for v in r) / 4)
        for reach in reaches(q):
            r = reach / (sigma(q) * math.sqrt(m))
            mean += reach * arc(r, 0) / 4
            root += reach * math.sqrt(arc(r, 4) / 4)
            total += reach
        return initial, kernel, (1 - slope) * (mean + deviation(root, total))

    return np.array([parts(q) for q in z]).T


points = hnp.arrays(np.float64, (5, 3), elements=st.floats(-100, 100).map(lambda v: round(v, 6)))
queries = hnp.arrays(np.float64, (4, 3), elements=st.floats(-100, 100).map(lambda v: round(v, 6)))
widths = st.integers(1, 10**6)
slopes = st.sampled_from([0.0, 0.01, 0.5, 0.99])
times = st.floats(1e-3, 1e3)
exponents = st.floats(0.1, 50.0)
LABELS = np.array([1.0, -1.0, -1.0, 1.0, -1.0])
ROUNDING = 200 * EPS  # some fifty operations on positive numbers, so relative errors just add up


def bound(x, z, m, slope, time, s):
    x, y, z = jnp.array(x), jnp.array(LABELS[: len(x)]), jnp.array(z)
    return np.array(bounds.output_bound(x, y, z, m, slope, time, s))


@given(points, queries, widths, slopes, times, exponents)
def test_output_bound_term_by_term(x, z, m, slope, time, s):
    expected = by_hand(x, LABELS, z, m, slope, time, s)
    actual = bound(x, z, m, slope, time, s)
    # ⟨x, z⟩ + 1 may cancel: relative to the sum of its absolute terms, and Tκ/σ√m with it. A root
    # halves the digits of what cancels to nearly 0.
    cancelled = 1 + time * np.max(np.abs(x) @ np.abs(z).T + np.max(np.abs(x) @ np.abs(x).T) + 1)
    lost = math.sqrt(ROUNDING) * cancelled * (1 + math.sqrt(s / m))
    np.testing.assert_allclose(actual[:2], expected[:2], rtol=ROUNDING, atol=ROUNDING * cancelled)
    np.testing.assert_allclose(actual[2], expected[2], rtol=1e-9, atol=lost)
    total = bounds.output_bound(
        jnp.array(x), jnp.array(LABELS), jnp.array(z), m, slope, time, s
    ).total
    np.testing.assert_allclose(total, actual.sum(axis=0), rtol=4 * EPS)


@pytest.mark.slow
@given(points, queries, widths, slopes, times, exponents, st.floats(1.0, 10.0))
def test_output_bound_is_monotone(x, z, m, slope, time, s, factor):
    """Never negative; grows with T and the exponent, falls with the width."""
    here = bound(x, z, m, slope, time, s)
    assert (here >= 0).all()
    slack = 1 + ROUNDING
    assert (here <= slack * bound(x, z, m, slope, factor * time, s)).all()
    assert (here <= slack * bound(x, z, m, slope, time, factor * s)).all()
    assert (here * slack >= bound(x, z, math.ceil(factor * m), slope, time, s)).all()
    at_rest = bound(x, z, m, slope, 0.0, s)
    np.testing.assert_array_equal(at_rest[0], here[0])
    np.testing.assert_array_equal(at_rest[1:], 0.0)


def test_output_bound_falls_strictly_with_the_width():
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    path = np.array([bound(x, z, m, 0.3, 2.0, 3.0) for m in (1, 10, 100, 10_000)])
    assert (np.diff(path, axis=0) < 0).all()


@given(st.floats(1e-12, 1.0, exclude_max=True), st.integers(1, 10**6))
def test_exponents_add_up_to_the_failure_probability(delta, n):
    """6e^{−s}; 2n e^{−s''} + 64(n + 1)e^{−s'}; 4(n + 1)e^{−s} + n(n + 3)e^{−s''}."""
    close = 100 * EPS
    assert 6 * math.exp(-bounds.output_exponent(delta)) == pytest.approx(delta, rel=close)
    assert 4 * math.exp(-bounds.output_exponent(delta, 2)) == pytest.approx(delta, rel=close)
    s_kernel, s_lazy = bounds.certified_exponents(delta, n)
    assert bounds.certified_failure(n, s_kernel, s_lazy) == pytest.approx(delta, rel=close)
    s, s_kernel = bounds.uniform_exponents(delta, n)
    spent = 4 * (n + 1) * math.exp(-s) + n * (n + 3) * math.exp(-s_kernel)
    assert spent == pytest.approx(delta, rel=close)


def test_reach_by_hand():
    """κ_± at z = (2, 4) are 11/2 (label 1) and 5/2 (label 1, ⟨x, z⟩ + 1 = −5)."""
    x, y, z = jnp.array([[1.0, 2.0], [-3.0, 0.0]]), jnp.ones(2), jnp.array([[2.0, 4.0]])
    np.testing.assert_allclose(bounds.reach(x, y, z, 3.0)[:, 0], [16.5, 7.5])
    np.testing.assert_allclose(bounds.reach(x, -y, z, 3.0)[:, 0], [7.5, 16.5])
    np.testing.assert_allclose(bounds.reach(x, y, z, 3.0, 0.5)[:, 0], [12.75, 0.0])
    np.testing.assert_allclose(bounds.reach(x, y, z, jnp.array([2.0, 0.0]))[:, 0], [11.0, 0.0])
    ratio = bounds.crossing_ratio(bounds.reach(x, y, z, 3.0), z, 100)
    np.testing.assert_allclose(ratio[:, 0], np.array([16.5, 7.5]) / math.sqrt(1100))


@given(hnp.arrays(np.float64, 5, elements=st.floats(0, 1)), st.floats(1e-6, 1e6))
def test_rounding_up_stays_on_the_grid(share, top):
    """At least the value, at most √2 times it or the smallest of the grid, and at most the top."""
    value = share * top
    rounded = np.asarray(bounds.round_up(jnp.array(value), jnp.full(5, top)))
    assert (rounded >= value).all()
    smallest = top * 2 ** (-(bounds.GRID - 1) / 2)
    assert (rounded <= np.maximum(math.sqrt(2) * value, smallest) * (1 + 1e-12)).all()
    assert (rounded <= top * (1 + 1e-12)).all()
    steps = -2 * np.log2(rounded / top)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_bounds_for_more_losses_are_no_sharper_at_equal_weights():
    """With α = T and equal exponents the kernel parts agree, and the lazy parts are in order."""
    rng = np.random.default_rng(8)
    x, z, y = jnp.array(rng.normal(size=(5, 3))), jnp.array(rng.normal(size=(4, 3))), LABELS
    y, time, m, slope, s = jnp.array(y), 1.5, 300, 0.4, 4.0
    certified = bounds.certified_bound(x, y, z, m, slope, time, jnp.full(5, time), s, s)
    uniform = bounds.uniform_bound(x, y, z, m, slope, time, s, s)
    sharp = bounds.output_bound(x, y, z, m, slope, time, s)
    np.testing.assert_allclose(certified.kernel, uniform.kernel, rtol=1e-12)
    np.testing.assert_allclose(uniform.kernel, sharp.kernel, rtol=1e-12)
    assert (certified.lazy >= uniform.lazy).all()
    assert (uniform.lazy >= sharp.lazy).all()
    np.testing.assert_array_equal(certified.initial, 0.0)
    half = bounds.certified_bound(x, y, z, m, slope, time, jnp.full(5, time / 2), s, s)
    np.testing.assert_allclose(half.kernel, certified.kernel / 2, rtol=1e-12)
    assert (half.lazy < certified.lazy / 2).all()


# --- the lazy error, neuron by neuron -------------------------------------------------------------


def lazy_error_and_limit(params, x, y, z, slope, time):
    """|f(z; T) − f(z; 0) − T k_m(z)|, and what it cannot exceed, without any probability.

    The larger of L_+ and L_−, the sums of all terms of one sign, whose means B(z) bounds:
    (1 − γ)[(T/n) Σ_k |c_k| Σ_i a_i² 1{i can cross at x_k, in the sense that counts as ±}
    + Σ_{i: ±a_i > 0} |a_i|(ρ(z)|a_i| − |h_i(z)|)₊].
    """
    x, y, z = (jnp.array(v) for v in (x, y, z))
    end = train(frozen_readout(slope), params, x, y, descent_for_time(time, 200)).params
    kernel = time * np.asarray(y @ kernels.finite_hidden_ntk(params, x, z, slope)) / len(x)
    error = np.abs(outputs(end, z, slope) - outputs(params, z, slope) - kernel)

    def room(points):
        """(points, m) how much further than to 0 neurons can go, negative if they cannot."""
        up, down = np.asarray(bounds.reach(x, y, points, time, slope))
        h, a = np.asarray(pre_activations(params, points)), np.asarray(params.a)
        # A positive h has to fall: by down if a > 0, by up if a < 0.
        way = np.where((h >= 0) == (a >= 0)[None, :], down[:, None], up[:, None])
        return way * np.abs(a)[None, :] - np.abs(h)

    a, h_x = np.asarray(params.a), np.asarray(pre_activations(params, x))
    crosses, pull = room(x) >= 0, np.asarray(y)[:, None] * np.asarray(x @ z.T + 1)
    sums = []
    for sign in (1, -1):
        gains = [crosses & ((h_x < 0) == (side * sign > 0)) for side in (1, -1)]
        at_x = sum(
            (gain @ a**2) @ np.maximum(side * pull, 0)
            for side, gain in zip((1, -1), gains, strict=True)
        )
        at_z = np.maximum(room(z), 0) @ np.where(sign * a > 0, np.abs(a), 0)
        sums.append((1 - slope) * (time * at_x / len(x) + at_z))
    return error, np.maximum(*sums)


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
    assert limit[0] == pytest.approx(2 * 0.1 * 0.25 * 2.0 * 7, rel=1e-9)  # h = 1e-9 is not 0
    # The step on which it crosses, one of 200, still moves it at the full rate.
    assert error[0] == pytest.approx(0.95 * limit[0], rel=1 / 200)


# --- networks keep to the bound, and not to less --------------------------------------------------

N, D, M, TIME, SLOPE, DRAWS = 6, 2, 400, 1.5, 0.1, 2000
S = 3.0


@pytest.fixture(scope="module")
def drawn():
    """Deviations of each part, one of one query from each of DRAWS networks, and the bound."""
    rng = np.random.default_rng(3)
    # Alike, with one label: neurons add up rather than cancel, so that bounds are nearly reached.
    x = jnp.array(rng.normal(size=(N, D)) * 0.3 + 1.5)
    y, z = jnp.ones(N), jnp.array([[1.5, 1.5]])
    network, descent = frozen_readout(SLOPE), descent_for_time(TIME, 6, 0.5)
    limit = TIME * lazy.signal(x, y, z, SLOPE)

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
    return values, bounds.output_bound(x, y, z, M, SLOPE, TIME, S)


# Failure probability of each part (docs/statements/lazy.md), and a factor it cannot be divided by.
PARTS = {
    "initial": (2 * math.exp(-S), 4),
    "kernel": (2 * math.exp(-S), 4),
    "lazy": (2 * math.exp(-S), 10),
    "total": (6 * math.exp(-S), 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_networks_keep_to_the_bound_but_not_to_a_fraction(part, drawn):
    values, bound = drawn
    delta, fraction = PARTS[part]
    size = float(getattr(bound, part)[0])
    allowed = scipy.stats.binom.isf(FALSE_ALARM / len(PARTS), DRAWS, delta)
    assert np.sum(values[part] > size) <= allowed
    assert np.sum(values[part] > size / fraction) > allowed
