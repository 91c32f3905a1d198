"""Statistics against exact sums, known quantiles and simulated coverage."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from theory.statistics import (
    Interval,
    clopper_pearson,
    fit_decay,
    fit_rate,
    mean_interval,
    poisson_binomial_tail,
)

EPS = np.finfo(np.float64).eps

# --- failure rates --------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize(("failures", "trials"), [(1, 1), (1, 10), (5, 10), (9, 10), (3, 1000)])
def test_clopper_pearson_solves_its_defining_equations(failures, trials, confidence):
    low, high = clopper_pearson(failures, trials, confidence)
    tail = (1 - confidence) / 2
    # scipy finds the quantiles to about 1e-12; the tails amplify that by at most the trials.
    assert stats.binom.sf(failures - 1, trials, low) == pytest.approx(tail, rel=1e-8)
    if failures < trials:
        assert stats.binom.cdf(failures, trials, high) == pytest.approx(tail, rel=1e-8)
    else:
        assert high == 1


def test_clopper_pearson_at_the_edges():
    assert clopper_pearson(0, 0) == Interval(0.0, 1.0)
    assert clopper_pearson(0, 20, 0.9).low == 0
    # Closed forms: (1 − p₊)^n = tail without failures, p₋^n = tail with nothing else.
    assert clopper_pearson(0, 20, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 20), rel=1e-10)
    assert clopper_pearson(20, 20, 0.9).low == pytest.approx(0.05 ** (1 / 20), rel=1e-10)
    assert clopper_pearson(20, 20, 0.9).high == 1
    narrow, default = clopper_pearson(3, 20, 0.98), clopper_pearson(3, 20)
    assert default == clopper_pearson(3, 20, 0.99)
    assert default.low < narrow.low < narrow.high < default.high


@pytest.mark.parametrize(("failures", "trials"), [(-1, 5), (6, 5), (1, 0)])
def test_clopper_pearson_rejects_impossible_counts(failures, trials):
    with pytest.raises(ValueError, match=f"between 0 and trials = {trials}, got {failures}"):
        clopper_pearson(failures, trials)


@pytest.mark.parametrize("trials", [1, 4, 15])
def test_clopper_pearson_covers_every_probability(trials):
    """Coverage summed over all outcomes, no sampling."""
    confidence = 0.9
    intervals = np.array([clopper_pearson(k, trials, confidence) for k in range(trials + 1)])
    for p in np.linspace(0, 1, 401):
        covered = (intervals[:, 0] <= p) & (p <= intervals[:, 1])
        mass = stats.binom.pmf(np.arange(trials + 1), trials, p)
        assert mass[covered].sum() >= confidence - 1e-12  # rounding of the sum


probability = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-12]))


@given(hnp.arrays(np.float64, 6, elements=probability), st.integers(-1, 7))
def test_poisson_binomial_tail_is_the_sum_over_all_outcomes(probabilities, failures):
    brute = sum(
        math.prod(p if failed else 1 - p for p, failed in zip(probabilities, world, strict=True))
        for world in itertools.product([0, 1], repeat=6)
        if sum(world) >= failures
    )
    # Sums of positive terms on both sides: at most 64·7 roundings, relative.
    assert poisson_binomial_tail(failures, probabilities) == pytest.approx(
        brute, rel=500 * EPS, abs=0
    )


@pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.99])
@pytest.mark.parametrize("failures", [-1, 0, 1, 3, 10, 50, 51])
def test_poisson_binomial_tail_with_one_probability_is_binomial(p, failures):
    # Far tails (1e-50 at p = 1e-6, 10 failures) too: no digits are lost to 1 − cdf.
    expected = stats.binom.sf(failures - 1, 50, p)
    found = poisson_binomial_tail(failures, np.full(50, p))
    assert found == pytest.approx(expected, rel=1e-9, abs=0)


# --- means and rates ------------------------------------------------------------------------------


def test_mean_interval_covers_normal_means_as_often_as_it_says():
    """Exact for normal draws, so misses on either side are Bin(4000, 0.05).

    False-alarm rate 4e-6 in all.
    """
    samples = np.random.default_rng(1).normal(3.0, 2.0, (4000, 5))
    low, high = np.array([mean_interval(sample, 0.9) for sample in samples]).T
    for misses in (np.sum(low > 3.0), np.sum(high < 3.0)):
        assert stats.binom.isf(1 - 1e-6, 4000, 0.05) <= misses <= stats.binom.isf(1e-6, 4000, 0.05)


@given(hnp.arrays(np.float64, 4, elements=st.floats(-8, 8)), st.floats(0.01, 0.999))
def test_mean_interval_is_students(values, confidence):
    expected = stats.t.interval(confidence, 3, values.mean(), stats.sem(values) + 1e-300)
    # Widened by the rounding of the mean, 4·eps·8.
    np.testing.assert_allclose(mean_interval(values, confidence), expected, rtol=1e-12, atol=1e-14)


def test_mean_interval_of_one_observation_says_nothing():
    assert mean_interval(np.array([1.0])) == Interval(-np.inf, np.inf)


@pytest.mark.parametrize("draws", [3, 100, 1000])
def test_mean_interval_of_a_constant_contains_it(draws):
    """The mean of equal numbers may be off by roundings while their deviation is zero."""
    low, high = mean_interval(np.full(draws, 0.1))
    assert low <= 0.1 <= high
    assert high - low < 1e-12


SCALES = 2.0 ** np.arange(4, 10)


@pytest.mark.parametrize("exponent", [-0.5, -1.0, 0.0, 2.0])
def test_fit_rate_recovers_exact_power_laws(exponent):
    values = 3.0 * SCALES**exponent * np.ones((7, 1))
    fitted = fit_rate(SCALES, values)
    # Logarithms below 16 carry errors of 16·eps each; the weights sum to less than 1.
    assert fitted.exponent == pytest.approx(exponent, abs=1e-13)
    np.testing.assert_allclose(fitted.interval, exponent, atol=1e-12)
    np.testing.assert_allclose(fitted.means, 3.0 * SCALES**exponent, rtol=1e-14)


def test_fit_rate_takes_the_mean_over_draws_before_the_logarithm():
    """Mean value ∝ scale^exponent: noise that grows with the scale must not bend the slope."""
    spread = np.linspace(0, 0.9, len(SCALES))
    values = SCALES**-0.5 * np.stack([1 - spread, 1 + spread])
    assert fit_rate(SCALES, values).exponent == pytest.approx(-0.5, abs=1e-13)


def test_fit_rate_covers_the_exponent_of_noisy_power_laws():
    """Misses of a 90 % interval in 400 fits of 20 noisy draws.

    The interval relies on the central limit theorem (lognormal noise, σ = 0.2): its true miss rate
    is 0.10 to 0.12, so fewer misses than the 1e-6 quantile at 0.10 or more than that at 0.12 is a
    false alarm of rate 2e-6 at most.
    """
    rng = np.random.default_rng(2)
    misses = 0
    for _ in range(400):
        values = SCALES**-0.5 * np.exp(0.2 * rng.normal(size=(20, len(SCALES))))
        low, high = fit_rate(SCALES, values, 0.9, resamples=200).interval
        misses += not low <= -0.5 <= high
    assert stats.binom.isf(1 - 1e-6, 400, 0.10) <= misses <= stats.binom.isf(1e-6, 400, 0.12)


@pytest.mark.parametrize(("draws", "confidence"), [(4, 0.9), (4, 0.999), (30, 0.99)])
def test_fit_rate_interval_is_students_for_small_noise(draws, confidence):
    """With noise of 10⁻⁴ the slope is nearly a mean of draws: Student's interval of that mean."""
    noise = 1e-4 * np.random.default_rng(3).normal(size=(draws, len(SCALES)))
    logs = np.log(SCALES) - np.log(SCALES).mean()
    slopes = noise @ logs / (logs @ logs)
    half = stats.t.ppf((1 + confidence) / 2, draws - 1) * slopes.std(ddof=1) / np.sqrt(draws)
    low, high = fit_rate(SCALES, SCALES**-1 * (1 + noise), confidence, resamples=20_000).interval
    # A standard deviation from 20,000 resamples is off by 0.5 %; six of those.
    assert (high - low) / 2 == pytest.approx(half, rel=0.03)
    assert (high + low) / 2 == pytest.approx(-1 + slopes.mean(), abs=1e-7)


def test_fit_rate_of_one_draw_has_no_interval():
    fitted = fit_rate(SCALES, SCALES[None] ** -1)
    assert fitted.exponent == pytest.approx(-1, abs=1e-13)
    assert fitted.interval == Interval(-np.inf, np.inf)


def test_fit_rate_of_signed_draws_with_a_positive_mean():
    """Draws ±1 around the power law leave its means as they are, whatever the sign of a draw."""
    noise = np.repeat([[1.0], [-1.0]], 200, axis=0)
    values = SCALES**-1.0 * (1 + 5 * noise)
    with pytest.raises(ValueError, match="positive and finite"):
        fit_rate(SCALES, values)
    fitted = fit_rate(SCALES, values, signed=True)
    assert fitted.exponent == pytest.approx(-1.0, abs=1e-13)
    # The noise is the same at all scales, so it moves the line and not its slope.
    np.testing.assert_allclose(fitted.interval, -1.0, atol=1e-10)


@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.01])
def test_fit_rate_knows_nothing_where_the_sign_of_the_mean_is_in_doubt(shift):
    """Means negative, zero, or (0.01 ± 0.07) positive in some resamples only."""
    noise = np.repeat([[1.0], [-1.0]], 100, axis=0)
    fitted = fit_rate(SCALES, SCALES**-1.0 * (shift + noise), signed=True)
    assert fitted.interval == Interval(-np.inf, np.inf)
    assert np.isnan(fitted.exponent) == (shift <= 0)


@pytest.mark.parametrize(
    ("scales", "value", "message"),
    [
        (SCALES[:4], 1.0, "scales must be at least five to fit a rate, got 4"),
        (SCALES, 0.0, "values must be positive and finite"),
        (SCALES, -1.0, "values must be positive and finite"),
        (SCALES, np.nan, "values must be positive and finite"),
        (SCALES, np.inf, "values must be positive and finite"),
    ],
)
def test_fit_rate_rejects_what_has_no_logarithm_or_too_few_scales(scales, value, message):
    values = np.ones((3, len(scales)))
    values[1, 2] = value
    with pytest.raises(ValueError, match=message):
        fit_rate(scales, values)


# --- decays ---------------------------------------------------------------------------------------

STEPS = np.arange(2.0, 9.0)


def counts(rate, constant, trials, rng):
    return rng.binomial(trials, np.exp(-constant - rate * STEPS))


def test_fit_decay_recovers_exact_frequencies():
    """Counts that are exactly proportional to 2^(−s): the likelihood peaks at ln 2."""
    failures = 2 ** (12 - STEPS.astype(int))
    fit = fit_decay(STEPS, failures, 2**14)
    assert fit.rate == pytest.approx(math.log(2), abs=1e-6)
    assert fit.interval.low < math.log(2) < fit.interval.high


def test_fit_decay_maximizes_the_likelihood():
    """Against a grid over both parameters, no derivative used."""
    failures, trials = np.array([40, 22, 12, 3, 2, 0, 0]), 100
    rates, constants = np.meshgrid(np.linspace(0, 1.5, 301), np.linspace(-1.5, 1.5, 601))
    log_p = -constants[..., None] - rates[..., None] * STEPS
    possible = (log_p < 0).all(axis=-1)
    log_p = np.minimum(log_p, -1e-9)
    terms = failures * log_p + (trials - failures) * np.log(-np.expm1(log_p))
    log = np.where(possible, terms.sum(axis=-1), -np.inf)
    profile = log.max(axis=0)
    fit = fit_decay(STEPS, failures, trials, confidence=0.95)
    assert abs(fit.rate - rates[0][profile.argmax()]) < 0.01
    inside = rates[0][profile > profile.max() - stats.chi2.ppf(0.95, 1) / 2]
    assert fit.interval.low == pytest.approx(inside[0], abs=0.01)
    assert fit.interval.high == pytest.approx(inside[-1], abs=0.01)


@pytest.mark.slow
def test_fit_decay_covers_the_rate_as_often_as_it_says():
    """100 simulated sweeps of which most large scales have no failure; 90 % nominal.

    Between 80 and 98 % covered: P(Bin(100, 0.9) outside) = 0.3 %, Wilks' error aside.
    """
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        fit = fit_decay(STEPS, counts(0.9, 0.0, 300, rng), 300, confidence=0.9)
        covered += fit.interval.low <= 0.9 <= fit.interval.high
    assert 80 <= covered <= 98


def test_fit_decay_says_nothing_of_one_failing_scale():
    fit = fit_decay(STEPS, np.array([5, 0, 0, 0, 0, 0, 0]), 100)
    assert fit.interval == Interval(-math.inf, math.inf)


def test_fit_decay_takes_a_probability_that_does_not_decay():
    fit = fit_decay(STEPS, np.full(7, 50), 100)
    assert fit.rate == pytest.approx(0, abs=1e-6)
    assert fit.interval.low < 0 < fit.interval.high


@pytest.mark.parametrize(
    ("scales", "failures", "message"),
    [
        (STEPS[:4], np.ones(4, int), "scales must be at least five"),
        (STEPS, np.full(7, 101), "failures must be between 0 and trials = 100"),
        (STEPS, np.full(7, -1), "failures must be between 0"),
    ],
)
def test_fit_decay_rejects(scales, failures, message):
    with pytest.raises(ValueError, match=message):
        fit_decay(scales, failures, 100)
