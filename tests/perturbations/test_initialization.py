"""Exact laws at initialization, against real networks, other integrals and exact moments."""

import functools
import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from theory.perturbations import initialization
from theory.perturbations.initialization import (
    alignment_failure,
    alignment_variance,
    alignment_variance_as_printed,
)

SIZES = {(64, 16): 20_000, (16, 16): 60_000, (8, 4): 200_000}  # (m, d) → number of networks
FALSE_ALARM = 1e-6  # of every statistical test in this file; 30 of them


@functools.cache
def networks(m, d):
    """S = aᵀWWᵀD_x a at ‖x‖ = √d of real networks, and whether all neurons are active at x."""
    rng = np.random.default_rng(m * 1000 + d)
    found = []
    for _ in range(10):
        count = SIZES[m, d] // 10
        w = rng.normal(size=(count, m, d)) / d**0.5
        a = rng.normal(size=(count, m)) / m**0.5
        x = rng.normal(size=d)
        active = w @ x >= 0
        found.append(
            (
                np.einsum("kmd,km,kd->k", w, a, np.einsum("kmd,km->kd", w, active * a)),
                active.all(axis=1),
            )
        )
    s, all_active = map(np.concatenate, zip(*found, strict=True))
    return s, all_active


def consistent_count(count, trials, p):
    """Whether Bin(trials, p) leaves FALSE_ALARM/2 on either side of the count."""
    return min(stats.binom.sf(count - 1, trials, p), stats.binom.cdf(count, trials, p)) > (
        FALSE_ALARM / 2
    )


# --- the probability of failure -------------------------------------------------------------------


@pytest.mark.parametrize(("m", "d"), SIZES)
def test_failure_is_as_frequent_in_real_networks(m, d):
    s, _ = networks(m, d)
    assert consistent_count(int(np.sum(s <= 0)), len(s), alignment_failure(m, d))


@pytest.mark.parametrize("threshold", [1 / 32, 0.5])
@pytest.mark.parametrize(("m", "d"), SIZES)
def test_failure_at_a_threshold_is_as_frequent_in_real_networks(m, d, threshold):
    """The event N = m, of probability 2⁻ᵐ, is counted as a failure: an upper bound."""
    s, all_active = networks(m, d)
    p = alignment_failure(m, d, threshold)
    assert consistent_count(int(np.sum((s <= threshold) | all_active)), len(s), p)
    assert stats.binom.cdf(int(np.sum(s <= threshold)), len(s), p - 2.0**-m) > FALSE_ALARM


@pytest.mark.parametrize(
    ("m", "d"), [(2, 1), (2, 50), (3, 7), (8, 4), (16, 16), (64, 16), (64, 200)]
)
def test_failure_is_another_integral_by_another_rule(m, d):
    """ρ = sin²φ in every term N of the binomial mixture, by adaptive quadrature."""
    total = 2.0**-m
    for active in range(1, m):

        def integrand(angle, active=active):
            density = 2 * np.sin(angle) ** (active - 1) * np.cos(angle) ** (m - active - 1)
            failure = special.betainc(d / 2, d / 2, (1 - np.sin(angle)) / 2)
            return density / special.beta(active / 2, (m - active) / 2) * failure

        value, _ = integrate.quad(integrand, 0, np.pi / 2, epsabs=0, epsrel=1e-11, limit=200)
        total += special.comb(m, active) / 2.0**m * value
    assert alignment_failure(m, d) == pytest.approx(total, rel=1e-10, abs=0)


def test_failure_of_the_smallest_networks_in_closed_form():
    # m = 1: S = a²‖w‖² if active, 0 otherwise.
    for d in (1, 3, 100):
        assert alignment_failure(1, d) == pytest.approx(0.5, rel=1e-12)
    # m = 2, d = 1: with b_i = a_i w_i symmetric and iid, S ≤ 0 if none is active (¼), or one is
    # (½) and the other one outweighs it with the opposite sign (½·½).
    assert alignment_failure(2, 1) == pytest.approx(1 / 4 + 1 / 2 * 1 / 4, rel=1e-12)


def test_failure_at_a_threshold_against_a_different_mixture():
    """Given α = ‖Da‖², β = ‖(1−D)a‖², r² = α·χ²_d/d: S ≤ c has probability Φ((c − r²)/(r√(β/d))).

    Averaged over a million draws of (N, α, β, χ²): a standard error below 4e-4, five of them.
    """
    rng = np.random.default_rng(0)
    m, d, draws = 8, 4, 1_000_000
    active = rng.binomial(m, 0.5, draws)
    alpha = rng.chisquare(np.maximum(active, 1)) / m
    beta = rng.chisquare(np.maximum(m - active, 1)) / m
    r = np.sqrt(alpha * rng.chisquare(d, draws) / d)
    for threshold in (1e-3, 1 / 32, 0.3, 1.5):
        chance = special.ndtr((threshold - r**2) / (r * np.sqrt(beta / d)))
        chance[(active == 0) | (active == m)] = 1.0  # S = 0, and counted as a failure
        error = 5 * chance.std() / draws**0.5
        assert error < 2e-3
        assert alignment_failure(m, d, threshold) == pytest.approx(chance.mean(), abs=error)


@pytest.mark.parametrize("d", [3, 16])
def test_failure_of_wide_networks_approaches_that_of_half_active_ones(d):
    """m → ∞: ρ → ½ with variance 3/(4m), so the rest is O(1/m) and shrinks tenfold with it."""
    limit = special.betainc(d / 2, d / 2, (1 - 0.5**0.5) / 2)
    excess = [alignment_failure(m, d) / limit - 1 for m in (2000, 20_000)]
    assert excess[1] > 0
    assert excess[0] / excess[1] == pytest.approx(10, rel=0.05)  # the next order is (d/m)²


@pytest.mark.parametrize("threshold", [0.0, 0.1875])
def test_failure_is_smooth_in_the_width_up_to_very_wide_networks(threshold):
    """P(m) = P(∞)(1 + c/m + O(c²/m²)), c < 100: the widest two widths give the others.

    Fixed nodes missed the law of ρ, 0.9/√m wide: P(S ≤ 0.1875) was 73 % too large at m = 10⁶.
    """
    wide = {m: alignment_failure(m, 16, threshold) for m in (9_000, 11_000, 10**5, 10**6)}
    slope = (wide[10**5] - wide[10**6]) / (1e-5 - 1e-6)
    for m in (9_000, 11_000):  # to either side of where the rule changes
        expected = wide[10**6] + slope * (1 / m - 1e-6)
        assert wide[m] == pytest.approx(expected, rel=1.5e-4)  # > (c/m)²
        assert abs(wide[m] / wide[10**6] - 1) > 1e-3


@pytest.mark.parametrize("m", [2, 5, 8])
def test_failure_in_high_dimension_approaches_that_no_neuron_is_active(m):
    """d → ∞: S → ρQ, which is 0 with probability 2⁻ᵐ; one active neuron comes next, like 1/√d."""
    excess = [alignment_failure(m, 100**k) * 2.0**m - 1 for k in (2, 3, 4)]
    assert excess[2] > 0
    assert excess[1] / excess[2] == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("m", [2, 16])
def test_failure_decreases_with_the_dimension_and_increases_with_the_threshold(m):
    by_dimension = [alignment_failure(m, d) for d in (1, 2, 3, 5, 10, 50, 500)]
    assert all(np.diff(by_dimension) < 0)
    by_threshold = [alignment_failure(m, 5, c) for c in (0.0, 1e-3, 1 / 32, 0.5, 3.0)]
    assert all(np.diff(by_threshold) > 0)
    assert by_threshold[-1] < 1
    # S ≤ 10³ has a probability of 1 up to tails of χ² laws below e^{−300}, and to rounding.
    assert alignment_failure(m, 5, 1e3) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("m", "d"), [(2, 2), (16, 16), (1000, 200)])
def test_failure_is_continuous_at_zero_up_to_the_atom(m, d):
    """P(S ≤ c) → P(S ≤ 0) + 2⁻ᵐ (the event N = m).

    The logarithm of a probability e^{−O(d)} changes by O(d) as the bounded S moves by O(1), hence
    by O(10⁻⁹d) up to c = 10⁻⁹: 10⁻⁶ leaves a factor of at least 5.
    """
    exact = alignment_failure(m, d) + 2.0**-m
    assert exact < alignment_failure(m, d, 1e-9) < exact * (1 + 1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "m must be an integer ≥ 1, got 0"),
        ((4, 0), "d must be an integer ≥ 1, got 0"),
        ((4, 4, -1e-3), r"threshold must be a finite number in \[0, inf\), got -0\.001"),
        ((4, 4, float("nan")), r"threshold must be a finite number in \[0, inf\), got nan"),
        ((4, 4, float("inf")), r"threshold must be a finite number in \[0, inf\), got inf"),
    ],
)
def test_failure_says_what_it_needs(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        alignment_failure(*arguments)


# --- moments --------------------------------------------------------------------------------------


def exact_moments(m, d):
    """E S and E S² by Wick's theorem over all neurons, with D independent fair coins.

    S = Σ_ij a_i a_j D_j ⟨w_i, w_j⟩; E⟨w_i,w_j⟩⟨w_k,w_l⟩ = [ij][kl] + ([ik][jl] + [il][jk])/d.
    """
    mean = sum(Fraction(1, m) * Fraction(1, 2) for _ in range(m))  # only i = j has a mean
    second = Fraction(0)
    for i, j, k, l in itertools.product(range(m), repeat=4):  # noqa: E741
        readout = Fraction((i == j) * (k == l) + (i == k) * (j == l) + (i == l) * (j == k), m**2)
        weights = (i == j) * (k == l) + Fraction((i == k) * (j == l) + (i == l) * (j == k), d)
        second += readout * weights * (Fraction(1, 2) if j == l else Fraction(1, 4))
    return mean, second


@pytest.mark.parametrize("m", [1, 2, 3, 6])
@pytest.mark.parametrize("d", [1, 2, 7])
def test_moments_are_those_of_wicks_theorem(m, d):
    mean, second = exact_moments(m, d)
    variance = float(second - mean**2)
    assert mean == initialization.MEAN
    assert alignment_variance(m, d) == pytest.approx(variance, rel=1e-14)
    printed = float(Fraction(5, 4 * m) + Fraction(1, d) + Fraction(2, m * d))
    assert alignment_variance_as_printed(m, d) == pytest.approx(printed, rel=1e-14)
    # The two agree at m = 1 only: they differ by 1/(4d) − 1/(4md).
    assert (printed > 1.001 * variance) == (m > 1)


@pytest.mark.parametrize(("m", "d"), SIZES)
def test_moments_are_those_of_real_networks(m, d):
    """With the true activations; five standard errors are a false alarm in 2e6 by the CLT."""
    s, _ = networks(m, d)
    assert abs(s.mean() - initialization.MEAN) < 5 * s.std() / len(s) ** 0.5
    squares = (s - initialization.MEAN) ** 2
    error = squares.std() / len(s) ** 0.5
    assert abs(squares.mean() - alignment_variance(m, d)) < 5 * error
    # The printed variance is far outside.
    assert squares.mean() < alignment_variance_as_printed(m, d) - 5 * error


@pytest.mark.parametrize("variance", [alignment_variance, alignment_variance_as_printed])
def test_variances_say_what_they_need(variance):
    with pytest.raises(ValueError, match="m must be an integer ≥ 1, got 0"):
        variance(0, 3)
    with pytest.raises(ValueError, match="d must be an integer ≥ 1, got 0"):
        variance(3, 0)


# --- decay rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.01, 0.25, 1.0, 2.0, 7.0, 1000.0])
def test_alignment_decay_is_the_infimum_over_both_rare_events(ratio):
    """inf over ν = N/m and ρ of KL(ν‖½) + ½KL(ν‖ρ) − (κ/2) log(1 − ρ), by brute force."""

    def divergence(p, q):
        return special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)

    def cost(logits):
        nu, rho = special.expit(logits)
        return divergence(nu, 0.5) + divergence(nu, rho) / 2 - ratio / 2 * np.log1p(-rho)

    start = min(itertools.product(np.linspace(-15, 3, 19), repeat=2), key=cost)
    found = optimize.minimize(cost, start, method="Nelder-Mead", options={"fatol": 1e-13})
    assert initialization.alignment_decay(ratio) == pytest.approx(found.fun, rel=1e-6)


def test_alignment_decay_has_the_limits_of_both_extremes():
    """Per dimension ½ log 2 for wide networks, per neuron log 2 in high dimension."""
    assert initialization.alignment_decay(1e-9) / 1e-9 == pytest.approx(math.log(2) / 2, rel=1e-6)
    assert initialization.alignment_decay(1e12) == pytest.approx(math.log(2), rel=1e-5)
    with pytest.raises(ValueError, match=r"ratio must be a finite number in \(0, inf\), got 0"):
        initialization.alignment_decay(0.0)


@pytest.mark.parametrize("ratio", [0.5, 1, 4])
def test_alignment_decay_is_the_slope_of_the_exact_law_on_a_ray(ratio):
    """−log P = c + ½ log m + Jm + O(1/m), so that differences leave O(1/m²)."""
    log_p = [-math.log(alignment_failure(m, int(ratio * m))) for m in (64, 128, 256)]
    slopes = [
        (b - a - math.log(2) / 2) / m for a, b, m in zip(log_p, log_p[1:], (64, 128), strict=False)
    ]
    errors = [slope - initialization.alignment_decay(ratio) for slope in slopes]
    assert abs(errors[1]) < 2e-4
    assert abs(errors[1]) < 0.35 * abs(errors[0])  # O(1/m²), so ¼


# --- norms of the readout and of gradients --------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("m", "d"), [(1, 1), (3, 2), (7, 20), (24, 3)])
@pytest.mark.parametrize("threshold", [1 / 16, 1.0])
def test_gradient_norm_cdf_keeps_its_relative_accuracy(m, d, threshold):
    """Against arbitrary precision, each chi-square law integrated over its own variable."""
    with mpmath.workdps(20):
        half = mpmath.mpf(d) / 2

        def given(active, chi):
            norm = m * threshold / chi
            return mpmath.gammainc(mpmath.mpf(active) / 2, 0, norm / 2, regularized=True)

        def integrand(v):
            chi = mpmath.exp(v)
            density = mpmath.exp(half * (mpmath.log(half) + v - chi)) / mpmath.gamma(half)
            mixture = sum(mpmath.binomial(m, k) * given(k, chi) for k in range(1, m + 1))
            return density * (1 + mixture) / mpmath.mpf(2) ** m

        # The integrand decays like e^{dv/2} on one side, and doubly exponentially on the other.
        limits = [-100 / d, -10 / d**0.5, -3 / d**0.5, 0, 2 / d**0.5, 3 + 3 / d]
        found: Any = mpmath.quad(integrand, limits)
        expected = float(found)
    assert initialization.gradient_norm_cdf(m, d, threshold) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("m", "d"), [(400, 1), (256, 16), (16, 256)])
def test_gradient_norm_cdf_of_large_networks_by_adaptive_quadrature(m, d):
    def integrand(v):
        density = np.exp(stats.chi2.logpdf(d * np.exp(v), d) + v) * d
        return density * initialization.active_readout_cdf(m, 1 / 16 / np.exp(v))

    breaks = [-10, -5, -3, -2, -1, -0.5, 0, 0.5, 1]
    value, _ = integrate.quad(integrand, -50, 6, epsabs=0, epsrel=1e-12, limit=500, points=breaks)
    assert initialization.gradient_norm_cdf(m, d, 1 / 16) == pytest.approx(value, rel=1e-10)


def test_norms_are_as_often_small_as_in_real_networks():
    """With the true activations; at two thresholds each."""
    rng = np.random.default_rng(5)
    m, d, draws = 12, 6, 100_000
    w, a = rng.normal(size=(draws, m, d)) / d**0.5, rng.normal(size=(draws, m)) / m**0.5
    active = np.where(w @ rng.normal(size=d) >= 0, a, 0.0)
    readout = np.sum(active**2, axis=1)
    gradient = np.sum(np.einsum("km,kmd->kd", active, w) ** 2, axis=1)
    for threshold in (1 / 8, 1.0):
        below = int(np.sum(readout <= threshold))
        assert consistent_count(
            below, draws, float(initialization.active_readout_cdf(m, threshold))
        )
    for threshold in (1 / 16, 1.0):
        below = int(np.sum(gradient <= threshold))
        assert consistent_count(below, draws, initialization.gradient_norm_cdf(m, d, threshold))


# --- the large step -------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "draws"), [(100, 20_000), (2500, 4000)])
def test_large_step_failure_is_that_of_wide_networks(d, draws):
    """At m = 4d, W split into its part along x and the rest, whose product with a, Da is normal.

    The limit leaves out O(1/√m + 1/√d), mostly the fluctuation of S by √(3/(4d)): its effect on
    the probability is of second order and below 0.02 here; four standard errors are added.
    """
    rng = np.random.default_rng(d)
    m, failures = 4 * d, 0
    for _ in range(draws):
        h, a = rng.normal(size=m), rng.normal(size=m) / m**0.5
        active = np.where(h >= 0, a, 0.0)
        along, norm = a @ h, a @ a
        rho, chi = active @ active / norm, rng.chisquare(d - 1) / d
        rest = norm * (rho * chi + (rho * (1 - rho) * chi / d) ** 0.5 * rng.normal())
        s = along * (active @ h) / d + rest
        y = rng.choice([-1, 1])
        doubt = special.expit(-y * (a @ np.maximum(h, 0)))
        failures += -y * along + d**0.25 * doubt * s <= 0
    expected = initialization.large_step_failure(d)
    error = 4 * (expected * (1 - expected) / draws) ** 0.5
    assert failures / draws == pytest.approx(expected, abs=error + 0.02 * 10 / d**0.5)


def test_large_step_failure_by_a_double_integral():
    """The probability of u ≥ (η/2)s(−(u + g)/2) by a fine grid over both normals."""
    grid = np.linspace(-8, 8, 4001)
    density = stats.norm.pdf(grid) * (grid[1] - grid[0])
    for d in (1, 100, 10**8):
        fails = grid[:, None] >= d**0.25 / 2 * special.expit(-(grid[:, None] + grid) / 2)
        assert initialization.large_step_failure(d) == pytest.approx(
            density @ fails @ density, abs=2e-3
        )


@pytest.mark.parametrize(("m", "s"), [(1, 1), (7, 7), (7, 2), (40, 1), (500, 20)])
def test_the_share_of_the_largest_squares(m, s):
    """All of them are all; the largest of m by its own distribution; else by simulation."""
    found = initialization.largest_squares(m, s)
    if s == m:
        assert found == pytest.approx(1, abs=1e-9)
    rng = np.random.default_rng(m)
    drawn = np.sort(rng.normal(size=(20_000, m)) ** 2, axis=1)[:, m - s :].sum(axis=1) / m
    error = drawn.std() / len(drawn) ** 0.5
    assert abs(drawn.mean() - found) < 4 * error  # false alarm: 6e-5


def test_the_share_of_the_largest_squares_of_many():
    """s/m → q: 2(tφ(t) + P(g > t)) with P(|g| > t) = q."""
    m, s = 1_000_000, 10_000
    t = -float(special.ndtri(s / m / 2))
    limit = 2 * (t * np.exp(-t * t / 2) / np.sqrt(2 * np.pi) + s / m / 2)
    assert initialization.largest_squares(m, s) == pytest.approx(limit, rel=1e-4)


def test_the_share_of_the_largest_squares_refuses_impossible_counts():
    with pytest.raises(ValueError, match="s must be an integer in \\[1, 5\\], got 6"):
        initialization.largest_squares(5, 6)
