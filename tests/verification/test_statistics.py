"""Statistics against exact sums, known quantiles and simulated coverage."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from untyped import known

from theory.verification.statistics import (
    Interval,
    clopper_pearson,
    decay_rate,
    failure_e_value,
    fit_decay,
    fit_rate,
    mean_interval,
    mean_sequence,
    poisson_binomial_tail,
    rate_sequence,
)
from theory.verification.statistics.betting import betting_interval
from theory.verification.statistics.means import hall_limits, skewness, trusted_draws
from theory.verification.statistics.rates import bend_and_shift

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


def brute_force_tail(failures, probabilities):
    """Sums of products, one trial after another."""
    counts = [1.0]
    for p in probabilities:
        extended = [*counts, 0.0]
        for k in range(len(counts), 0, -1):
            extended[k] = extended[k] * (1 - p) + counts[k - 1] * p
        extended[0] *= 1 - p
        counts = extended
    return math.fsum(counts[failures:])


@pytest.mark.parametrize(("trials", "high"), [(63, 0.3), (65, 1.0), (200, 1e-3), (1000, 0.1)])
def test_poisson_binomial_tails_of_many_trials_are_exact_and_rounded_upwards(trials, high):
    """Far tails too, which a transform of the law itself would lose below 1e-16."""
    p = np.random.default_rng(trials).uniform(0, high, trials)
    mean = int(p.sum())
    for failures in (1, mean, mean + 1, mean + 5, mean + (trials - mean) // 4, trials - 1, trials):
        exact = brute_force_tail(failures, p)
        found = poisson_binomial_tail(failures, p)
        if exact > 1e-290:
            assert found == pytest.approx(exact, rel=1e-10, abs=0)
            assert found >= exact * (1 - 4 * trials * EPS)  # the sum of products rounds, too


def test_poisson_binomial_tail_of_many_draws_is_quick_and_near_normal():
    """10⁵ draws; the normal law with continuity correction is off by a few per cent at 3 σ.

    About 0.2 s alone; 20 s would be a sum over pairs of draws again.
    """
    p = np.random.default_rng(0).uniform(0, 0.1, 10**5)
    mean, deviation = p.sum(), np.sqrt((p * (1 - p)).sum())
    start = time.perf_counter()
    tail = poisson_binomial_tail(int(mean + 3 * deviation), p)
    assert time.perf_counter() - start < 20
    expected = stats.norm.sf((int(mean + 3 * deviation) - 0.5 - mean) / deviation)
    assert tail == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("bad", [np.nan, -1e-9, 1 + 1e-9, np.inf])
def test_poisson_binomial_tail_refuses_what_is_no_probability(bad):
    with pytest.raises(ValueError, match="probabilities must lie in"):
        poisson_binomial_tail(2, np.array([0.1, bad, 0.2]))
    with pytest.raises(ValueError, match="shape"):
        poisson_binomial_tail(2, np.full((2, 2), 0.1))


# --- means ----------------------------------------------------------------------------------------


def misses_allowed(replications, level):
    """The level and three standard errors of a simulated miss rate: false-alarm rate 0.13 %."""
    return replications * level + 3 * math.sqrt(replications * level * (1 - level))


def test_hall_limits_are_students_without_skewness():
    values = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0]) + 3
    expected = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    np.testing.assert_allclose(hall_limits(values, 0.95), expected, rtol=1e-12)


def test_hall_limits_invert_the_transformation():
    """At the limits, g(T) is Student's quantile, g written out as printed in Hall (1992)."""
    values = np.random.default_rng(0).exponential(size=40)
    low, high = hall_limits(values, 0.99)
    skew = stats.skew(values)
    for limit, quantile in ((high, -1), (low, 1)):
        t = (values.mean() - limit) / stats.sem(values)
        g = t + skew * t**2 / 3 / 40**0.5 + skew**2 * t**3 / 27 / 40 + skew / 6 / 40**0.5
        assert g == pytest.approx(quantile * stats.t.ppf(0.995, 39), rel=1e-12)


LAWS = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
    "log-normal": (lambda rng, shape: np.exp(rng.normal(size=shape)), math.exp(0.5)),
    "log-normal 2": (lambda rng, shape: np.exp(2 * rng.normal(size=shape)), math.exp(2)),
    "rare": (lambda rng, shape: (rng.random(shape) < 0.01) * 1.0, 0.01),
    "product": (lambda rng, shape: np.prod(rng.chisquare(1, (2, *shape)), axis=0), 1.0),
}


@pytest.mark.parametrize("draws", [20, 50, 200])
@pytest.mark.parametrize("law", LAWS)
def test_true_means_are_refuted_no_more_often_than_the_level(law, draws):
    """Interval excludes the truth and the gate is open, 4000 samples at 99 %.

    Hall's interval is right to order 1/N: at most 1.2 % is allowed, with three standard errors.
    """
    sample, mean = LAWS[law]
    values = sample(np.random.default_rng(draws), (4000, draws))
    low, high = hall_limits(values, 0.99)
    trusted = (values.std(axis=1) > 0) & (draws >= 28 + 25 * skewness(values) ** 2)
    wrong = trusted & ((low > mean) | (high < mean))
    assert wrong.sum() <= misses_allowed(4000, 0.012)
    assert trusted_draws(1.0) == 53


def test_mean_interval_of_equal_draws_doubts_itself():
    found = mean_interval(np.full(1000, 0.1))
    assert found.interval.low <= 0.1 <= found.interval.high
    assert "the same in all 1000" in found.doubt
    assert mean_interval(np.array([1.0])).interval == Interval(-np.inf, np.inf)
    with pytest.raises(ValueError, match="must be finite, got 1 NaN"):
        mean_interval(np.array([1.0, np.nan]))


def test_zero_one_draws_with_bounds_are_clopper_pearson_at_three_quarters_of_the_level():
    values = np.repeat([1.0, 0.0], [3, 47])
    found = mean_interval(values, 0.99, bounds=(0, 1))
    assert found.interval == clopper_pearson(3, 50, 1 - 0.75 * (1 - 0.99))
    assert (found.method, found.exact, found.doubt) == ("Clopper–Pearson", True, "")
    none = mean_interval(np.zeros(50), 0.99, bounds=(0, 1))
    assert none.interval == clopper_pearson(0, 50, 1 - 0.75 * (1 - 0.99))


@pytest.mark.parametrize("law", ["uniform", "rare", "nearly 0 or 1"])
@pytest.mark.parametrize("draws", [5, 50])
def test_bounded_means_are_covered_at_every_number_of_draws(law, draws):
    """300 samples at 90 %; valid intervals, so the level is allowed and three standard errors."""
    rng, mean = np.random.default_rng(draws), {"uniform": 0.5, "rare": 0.02}.get(law, 0.5)
    misses = 0
    for _ in range(300):
        values = rng.random(draws)
        if law == "rare":  # between the bounds now and then
            values = np.where(rng.random(draws) < 0.04, values, 0)
        elif law != "uniform":
            values = np.where(rng.random(draws) < 0.9, np.round(values), values)
        low, high = mean_interval(values, 0.9, bounds=(0, 1)).interval
        misses += not low <= mean <= high
    assert misses <= misses_allowed(300, 0.1)


def test_bounded_intervals_scale_with_their_bounds_and_mirror():
    values = np.random.default_rng(3).beta(2, 5, 100)
    low, high = betting_interval(values, 0.99)
    assert betting_interval(1 - values, 0.99) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    scaled = mean_interval(5 * values - 2, 0.99, bounds=(-2, 3)).interval
    assert scaled == pytest.approx((5 * low - 2, 5 * high - 2), abs=1e-9)
    # Wider than the normal approximation and narrower than Hoeffding's inequality.
    assert 2 * 2.576 * stats.sem(values) < high - low < 2 * math.sqrt(math.log(200) / 200)


def test_values_outside_their_bounds_are_refused_but_not_their_errors():
    values = np.append(np.full(50, 0.5), 1.001)
    with pytest.raises(ValueError, match=r"declared bounds \[0, 1\], got 1.001 in 1 draw"):
        mean_interval(values, bounds=(0, 1))
    found = mean_interval(values, bounds=(0, 1), error=0.01)
    assert found.interval.high > mean_interval(np.minimum(values, 1), bounds=(0, 1)).interval.high


POWERS = [-1050, -1000, -600, 600, 1000, 1021]  # of two; 10^−316 to 10^307


@pytest.mark.parametrize("power", POWERS)
def test_means_do_not_depend_on_their_unit(power):
    """Scaled by a power of two: the same interval, scaled, to what subnormal numbers can say."""
    values, scale = 1 + np.random.default_rng(4).random(200), np.ldexp(1.0, power)
    least = float(np.finfo(float).smallest_subnormal)
    for bounds in (None, (-0.5, 2.5)):
        at_one = mean_interval(values, bounds=bounds)
        far = bounds and tuple(end * scale for end in bounds)
        found = mean_interval(values * scale, bounds=far, error=0.0)
        assert (found.method, found.doubt) == (at_one.method, "")
        # Subnormal values are rounded before they come here, each by half a unit.
        expected = np.ldexp([at_one.mean, *at_one.interval], power)
        np.testing.assert_allclose(
            [found.mean, *found.interval], expected, rtol=1e-13, atol=4 * least
        )
    wide = mean_interval(values * scale, error=scale)
    plain = mean_interval(values * scale)
    assert wide.interval.high - plain.interval.high == pytest.approx(scale, rel=1e-7)
    low, high = hall_limits(np.stack([values, values * scale]), 0.99)
    np.testing.assert_allclose(low[1], np.ldexp(low[0], power), rtol=1e-13, atol=4 * least)
    np.testing.assert_allclose(high[1], np.ldexp(high[0], power), rtol=1e-13, atol=4 * least)


def test_sequences_of_means_do_not_depend_on_their_unit():
    values = np.random.default_rng(4).random(60)
    at_one = mean_sequence(values, (0.0, 1.0)).last
    for power in (-1000, 1000):
        found = mean_sequence(np.ldexp(values, power), (0.0, float(np.ldexp(1.0, power)))).last
        np.testing.assert_allclose(found, np.ldexp(at_one, power), rtol=1e-13)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (0.0, math.inf), (-1.7e308, 1.7e308)])
def test_bounds_that_are_none_are_refused(bounds):
    for judged in (lambda: mean_interval(np.ones(9), bounds=bounds),
                   lambda: mean_sequence(np.ones(9), bounds)):  # fmt: skip
        with pytest.raises(ValueError, match="bounds must"):
            judged()


# --- rates ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("power", POWERS)
def test_exponents_do_not_depend_on_the_unit_of_the_values(power):
    rng = np.random.default_rng(5)
    values = SCALES**-0.5 * (1 + 0.5 * rng.random((200, len(SCALES))))
    at_one, found = fit_rate(SCALES, values), fit_rate(SCALES, np.ldexp(values, power))
    assert found.doubt == at_one.doubt == ""
    # Subnormal values have few digits left, 7 at 2^−1050.
    rel = 1e-11 if power > -1020 else 1e-6
    np.testing.assert_allclose([found.exponent, *found.interval],
                               [at_one.exponent, *at_one.interval], rtol=rel)  # fmt: skip
    np.testing.assert_allclose(found.means, np.ldexp(at_one.means, power), rtol=rel)
    scaled = np.ldexp(1.0, power) / 8  # an error that is as large at every unit
    errors = [fit_rate(SCALES, v, error=e).interval for v, e in
              ((values, 1 / 8), (np.ldexp(values, power), scaled))]  # fmt: skip
    np.testing.assert_allclose(*errors, rtol=rel)


def test_fit_rate_of_one_draw_has_no_interval():
    fitted = fit_rate(SCALES, SCALES[None] ** -1)
    assert fitted.exponent == pytest.approx(-1, abs=1e-13)
    assert fitted.interval == Interval(-np.inf, np.inf)


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


@pytest.mark.parametrize(("noise", "draws"), [(0.2, 60), (0.5, 200), (0.5, 1000)])
def test_fit_rate_covers_the_exponent_of_noisy_power_laws(noise, draws):
    """Misses of a 95 % interval in 1000 fits, log-normal noise; right to order 1/N: 5.5 %."""
    rng, misses = np.random.default_rng(2), 0
    for _ in range(1000):
        values = SCALES**-0.5 * np.exp(noise * rng.normal(size=(draws, len(SCALES))))
        fit = fit_rate(SCALES, values, 0.95)
        misses += not (fit.doubt or fit.interval.low <= -0.5 <= fit.interval.high)
    assert misses <= misses_allowed(1000, 0.055)


@pytest.mark.parametrize(("draws", "confidence"), [(40, 0.9), (40, 0.999), (30, 0.99)])
def test_fit_rate_interval_is_students_for_small_symmetric_noise(draws, confidence):
    """With noise of 10⁻⁴ the slope is nearly a mean of draws: Student's interval of that mean."""
    noise = 1e-4 * np.random.default_rng(3).normal(size=(draws // 2, len(SCALES)))
    noise = np.concatenate([noise, -noise])
    logs = np.log(SCALES) - np.log(SCALES).mean()
    slopes = noise @ logs / (logs @ logs)
    half = stats.t.ppf((1 + confidence) / 2, draws - 1) * slopes.std(ddof=1) / np.sqrt(draws)
    low, high = fit_rate(SCALES, SCALES**-1 * (1 + noise), confidence).interval
    assert (high - low) / 2 == pytest.approx(half, rel=1e-3)
    assert (high + low) / 2 == pytest.approx(-1, abs=1e-7)


def test_mean_and_skewness_of_a_studentized_slope_are_those_that_the_correction_removes():
    """Simulated: 40,000 slopes through two exponential scales and three constant ones, N = 100.

    Standard errors: 0.05 of √N times the mean, 0.12 of √N times the skewness; terms of order 1/N
    take another tenth.
    """
    rng, draws, logs = np.random.default_rng(7), 100, np.array([-2.0, -1, 0, 1, 2])
    weights = logs / (logs @ logs)

    def sample(*shape):
        values = np.ones((*shape, 5))
        values[..., 0] += 0.3 * rng.exponential(size=shape)
        values[..., 4] = rng.exponential(size=shape)
        return values

    truth = np.log([1.3, 1, 1, 1, 1]) @ weights
    statistic = []
    for _ in range(40):
        values = sample(1000, draws)
        means = values.mean(axis=1)
        error = ((values / means[:, None]) @ weights).std(axis=1) / draws**0.5
        statistic.append((np.log(means) @ weights - truth) / error)
    many = sample(10**5)
    bend, shift = bend_and_shift(many / many.mean(axis=0), weights)
    t = np.concatenate(statistic)
    assert t.mean() * draws**0.5 == pytest.approx(-(bend + shift), abs=0.25)
    assert stats.skew(t) * draws**0.5 == pytest.approx(-6 * bend, abs=0.6)
    assert 6 * bend > 0.8  # there is something to remove


def test_fit_rate_of_signed_draws_with_a_positive_mean():
    """Draws ±1 around the power law leave its means as they are, whatever the sign of a draw."""
    noise = np.repeat([[1.0], [-1.0]], 400, axis=0)
    values = SCALES**-1.0 * (1 + 5 * noise)
    with pytest.raises(ValueError, match="positive and finite"):
        fit_rate(SCALES, values)
    fitted = fit_rate(SCALES, values, signed=True)
    assert fitted.exponent == pytest.approx(-1.0, abs=1e-13)
    # The noise is the same at all scales, so it moves the line and not its slope.
    np.testing.assert_allclose(fitted.interval, -1.0, atol=1e-10)


@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.01, 0.2])
def test_fit_rate_knows_nothing_where_the_sign_of_the_mean_is_in_doubt(shift):
    """Means negative, zero, or less than four standard errors (0.28) positive."""
    noise = np.repeat([[1.0], [-1.0]], 100, axis=0)
    fitted = fit_rate(SCALES, SCALES**-1.0 * (shift + noise), signed=True)
    assert fitted.interval == Interval(-np.inf, np.inf)
    assert fitted.doubt
    assert np.isnan(fitted.exponent) == (shift <= 0)


# --- decays ---------------------------------------------------------------------------------------

STEPS = np.arange(2.0, 9.0)


def outcomes(counts, trials):
    """0/1 draws with these failures at every scale."""
    return (np.arange(trials)[:, None] < np.asarray(counts)).astype(int)


def test_decay_rate_recovers_exact_frequencies():
    """Counts that are exactly proportional to 2^(−s): the likelihood peaks at ln 2."""
    failures = 2 ** (12 - STEPS.astype(int))
    assert decay_rate(STEPS, failures, 2**14) == pytest.approx(math.log(2), abs=1e-6)
    assert decay_rate(STEPS, failures / 7, 2**14 / 7) == pytest.approx(math.log(2), abs=1e-6)
    assert math.isnan(decay_rate(STEPS, np.array([5, 0, 0, 0, 0, 0, 0]), 100))


def test_fit_decay_maximizes_the_likelihood_and_widens_it_by_the_sandwich():
    """Independent scales: against a grid over both parameters, no derivative used, κ near 1."""
    rng, trials = np.random.default_rng(0), 4000
    x = (rng.random((trials, len(STEPS))) < np.exp(-0.9 * STEPS)).astype(int)
    failures = x.sum(axis=0)
    rates, constants = np.meshgrid(np.linspace(0.6, 1.2, 601), np.linspace(-1, 1, 801))
    log_p = np.minimum(-constants[..., None] - rates[..., None] * STEPS, -1e-9)
    terms = failures * log_p + (trials - failures) * np.log(-np.expm1(log_p))
    profile = terms.sum(axis=-1).max(axis=0)
    fit = fit_decay(STEPS, x, confidence=0.95)
    assert fit.rate == decay_rate(STEPS, failures, trials)
    assert abs(fit.rate - rates[0][profile.argmax()]) < 0.003
    inside = rates[0][profile > profile.max() - stats.chi2.ppf(0.95, 1) / 2]
    plain = inside[-1] - inside[0]
    assert 0.99 * plain < fit.interval.high - fit.interval.low < 1.15 * plain


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_fit_decay_covers_the_rate_with_one_uniform_for_all_scales(shared):
    """200 sweeps of 3000 draws at 90 %; most large scales have few failures."""
    rng, misses = np.random.default_rng(3), 0
    for _ in range(200):
        uniform = rng.random((3000, 1 if shared else len(STEPS)))
        x = (uniform < np.exp(-0.7 * STEPS)).astype(int)
        fit = fit_decay(STEPS, x, confidence=0.9)
        misses += not fit.interval.low <= 0.7 <= fit.interval.high
    assert misses <= misses_allowed(200, 0.1)


@pytest.mark.parametrize("power", [-1000, -600, -30, 30, 600, 1000])
def test_decays_do_not_depend_on_the_unit_of_the_scales(power):
    scales, rng = np.arange(6.0), np.random.default_rng(6)
    failures = rng.random((300, 6)) < np.exp(-0.5 - 0.3 * scales)
    at_one, found = fit_decay(scales, failures), fit_decay(np.ldexp(scales, power), failures)
    assert found.doubt == at_one.doubt == ""
    ends = np.array([found.rate, *found.interval])
    np.testing.assert_allclose(np.ldexp(ends, power), [at_one.rate, *at_one.interval], rtol=1e-6)
    again = decay_rate(np.ldexp(scales, power), failures.sum(axis=0), 300)
    assert again == pytest.approx(found.rate, rel=1e-6)


def test_fit_decay_doubts_what_rests_on_few_failures():
    fit = fit_decay(STEPS, outcomes([5, 0, 0, 0, 0, 0, 0], 100))
    assert fit.interval == Interval(-math.inf, math.inf)
    assert "fewer than two scales" in fit.doubt
    fit = fit_decay(STEPS, outcomes([5, 2, 1, 0, 0, 0, 0], 1000))
    assert fit.interval.low < fit.rate < fit.interval.high
    assert "too few to trust" in fit.doubt
    assert known(fit.needed) > 1000


def test_fit_decay_takes_a_probability_that_does_not_decay():
    fit = fit_decay(STEPS, (np.random.default_rng(0).random((100, 7)) < 0.5).astype(int))
    assert fit.interval.low < 0 < fit.interval.high


@pytest.mark.parametrize("confidence", [1 - 1e-15, 1.0])
def test_fit_decay_ends_at_every_confidence(confidence):
    x = outcomes([40, 22, 12, 3, 2, 0, 0], 100)
    assert fit_decay(STEPS, x, confidence).interval.high > fit_decay(STEPS, x).interval.high


@pytest.mark.parametrize(
    ("scales", "failures", "message"),
    [
        (STEPS[:4], np.ones((9, 4), int), "scales must be at least five"),
        (STEPS, np.full((9, 7), 2), "failures must be 0 or 1, got 2"),
        (STEPS, np.full((9, 7), 0.5), "failures must be 0 or 1, got 0.5"),
        (STEPS, np.full((9, 7), np.nan), "failures must be 0 or 1, got nan"),
        (STEPS[::-1], np.ones((9, 7), int), "strictly increasing"),
    ],
)
def test_fit_decay_rejects(scales, failures, message):
    with pytest.raises(ValueError, match=message):
        fit_decay(scales, failures)


def test_decay_rate_rejects_impossible_counts():
    with pytest.raises(ValueError, match="between 0 and trials = 100"):
        decay_rate(STEPS, np.full(7, 101), 100)


# --- sequences ------------------------------------------------------------------------------------


def test_e_values_are_what_the_formula_says():
    x, delta = np.array([0, 1, 1, 0, 1]), np.array([0.1, 0.2, 0.0, 1.0, 0.3])
    odds = 1 + 2.0 ** np.arange(-8, 41)
    used = delta < 1  # δ = 1 is no evidence
    factors = np.where(used[:, None], odds ** x[:, None] / (1 + (odds - 1) * delta[:, None]), 1)
    expected = np.cumprod(factors, axis=0).mean(axis=1)
    np.testing.assert_allclose(failure_e_value(x, delta), expected, rtol=1e-12)


def test_the_mean_e_value_of_a_true_statement_is_one_and_below_for_less():
    """Summed over all outcomes of 8 draws: a martingale at p = δ, a supermartingale below."""
    delta = np.linspace(0.05, 0.4, 8)
    for share, mean in ((1.0, 1.0), (0.5, None)):
        total = 0.0
        for world in itertools.product([0, 1], repeat=8):
            p = share * delta
            chance = np.prod(np.where(world, p, 1 - p))
            total += chance * failure_e_value(np.array(world), delta)[-1]
        assert total == pytest.approx(1, rel=1e-9) if mean else total < 1


@pytest.mark.parametrize("allowed", [0.01, 0.1, 0.5])
def test_extending_until_refuted_stays_below_the_level(allowed):
    """1000 runs of 500 draws at δ exactly, stopped at the first e-value of 1/α = 20.

    The fixed-number test at each of these lengths would have refuted far more than 5 %.
    """
    rng = np.random.default_rng(5)
    hits = fixed = 0
    for _ in range(1000):
        x = (rng.random(500) < allowed).astype(int)
        hits += failure_e_value(x, allowed).max() >= 20
        n = np.arange(1, 501)
        fixed += (stats.binom.sf(np.cumsum(x) - 1, n, allowed) <= 0.05).any()
    assert hits <= misses_allowed(1000, 0.05)
    assert fixed > 2 * misses_allowed(1000, 0.05)


@pytest.mark.slow
def test_e_values_find_what_is_false():
    x = (np.random.default_rng(0).random(1000) < 0.1).astype(int)
    assert failure_e_value(x, 0.03)[-1] > 1e6
    assert failure_e_value(np.array([1, 1]), 1e-9)[-1] > 1e6
    assert failure_e_value(x, 0.1)[-1] < 10


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.0, 0.02, 0.5])
def test_rate_sequences_cover_at_all_times_at_once(p):
    """1000 runs of 500 draws at 90 %."""
    rng, misses = np.random.default_rng(6), 0
    for _ in range(1000):
        low, high = rate_sequence((rng.random(500) < p).astype(int), 0.9)
        misses += not (low.max() <= p <= high.min())
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) <= 0).all()
    assert misses <= misses_allowed(1000, 0.1)


def test_rate_sequences_are_somewhat_wider_than_clopper_pearson():
    x = np.resize([0, 0, 0, 1], 1000)
    low, high = rate_sequence(x).last
    fixed = clopper_pearson(250, 1000)
    assert low < fixed.low < fixed.high < high
    assert high - low < 2 * (fixed.high - fixed.low)


def test_mean_sequences_cover_at_all_times_at_once():
    """100 runs of 300 draws at 90 %, bounds (−1, 3); and they end near the truth."""
    rng, misses = np.random.default_rng(8), 0
    for _ in range(100):
        values = 4 * rng.beta(2, 2, 300) - 1
        sequence = mean_sequence(values, (-1.0, 3.0), 0.9)
        misses += not (sequence.low.max() <= 1.0 <= sequence.high.min())
        assert sequence.last.high - sequence.last.low < 0.8
    assert misses <= misses_allowed(100, 0.1)


@pytest.mark.parametrize("bad", [[0, 2], [0.5], [np.nan]])
def test_sequences_refuse_what_is_no_outcome(bad):
    for function in (lambda x: failure_e_value(x, 0.1), rate_sequence):
        with pytest.raises(ValueError, match="failures must be 0 or 1"):
            function(np.array(bad))
    with pytest.raises(ValueError, match="declared bounds"):
        mean_sequence(np.array([2.0, np.nan]), (0.0, 1.0))
    with pytest.raises(ValueError, match="allowed must"):
        failure_e_value(np.array([0, 1]), np.nan)
