"""Evidence: outcome logic against the table of the specification, statistics against exact sums."""

import itertools
import math
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from theory.evidence import (
    Interval,
    Margin,
    Outcome,
    clopper_pearson,
    exceeds,
    fit_rate,
    margin,
    mean_interval,
    outcome,
    poisson_binomial_tail,
    premise,
    rounding_error,
)

EPS = np.finfo(np.float64).eps


# --- outcomes -------------------------------------------------------------------------------------

TABLE = {  # (all hypotheses hold, conclusion holds) → outcome, from the specification
    (True, True): Outcome.CONFIRMED,
    (True, False): Outcome.MISS,
    (False, True): Outcome.BEYOND,
    (False, False): Outcome.VACUOUS,
}
STATES = {"holds": (True,), "fails": (False,), "undecided": (True, False)}  # → what may be true
VALUES = {"holds": 1.0, "fails": -1.0, "undecided": 0.5}  # at an error of 0.75


def table_outcome(hypotheses, conclusion):
    """What the table says however the undecided conditions turn out, if that is one answer."""
    worlds = itertools.product(STATES[conclusion], *(STATES[h] for h in hypotheses))
    answers = {TABLE[all(truths), concludes] for concludes, *truths in worlds}
    return answers.pop() if len(answers) == 1 else Outcome.UNDECIDED


def state(value, error):
    return "holds" if value > error else "fails" if value < -error else "undecided"


def bare(values, errors):
    return Margin(jnp.asarray(values), jnp.asarray(errors), jnp.full(np.shape(values), np.nan))


@pytest.mark.parametrize("count", range(4))
def test_outcome_is_the_table_for_every_combination_of_states(count):
    """All 3^(count + 1) combinations of hypotheses and conclusion, as one array of draws."""
    worlds = list(itertools.product(STATES, repeat=count + 1))
    values = np.array([[VALUES[s] for s in world] for world in worlds]).T
    *hypotheses, conclusion = (bare(v, np.full_like(v, 0.75)) for v in values)
    found = np.asarray(outcome(hypotheses, conclusion))
    assert found.tolist() == [table_outcome(world[:-1], world[-1]) for world in worlds]
    assert count == 0 or set(found) == set(Outcome)


numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, -1.0]),
)
errors = st.one_of(st.floats(0, 4, allow_subnormal=False), st.sampled_from([0.0, 1.0, np.inf]))


@given(
    hnp.arrays(np.float64, (3, 8), elements=numbers),
    hnp.arrays(np.float64, (3, 8), elements=errors),
)
def test_outcome_is_the_table_for_any_values(values, errors):
    found = outcome(
        [bare(values[0], errors[0]), bare(values[1], errors[1])], bare(values[2], errors[2])
    )
    for draw, answer in enumerate(np.asarray(found)):
        first, second, conclusion = (
            state(v, e) for v, e in zip(values[:, draw], errors[:, draw], strict=True)
        )
        assert answer == table_outcome((first, second), conclusion)


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0, -1.0])
@pytest.mark.parametrize("error", [np.nan, 1.0, np.inf])
def test_nan_and_values_inside_their_error_are_undecided(value, error):
    unsure = bare(value, error)
    assert (bool(unsure.holds), bool(unsure.fails), bool(unsure.undecided)) == (False, False, True)
    certain = bare(1.0, 0.0)
    assert int(outcome([certain], unsure)) == Outcome.UNDECIDED
    assert int(outcome([unsure], certain)) == Outcome.UNDECIDED


def test_no_hypotheses_always_hold():
    holds, fails = premise([])
    assert (bool(holds), bool(fails)) == (True, False)


# --- margins --------------------------------------------------------------------------------------

# Multiples of 1/8 up to 2¹⁰: sums and halves are exact, so that "iff" can be asked.
dyadic = st.integers(-(2**13), 2**13).map(lambda k: k / 8)
nearby = st.integers(-16, 16).map(lambda k: k / 8)


@given(
    hnp.arrays(np.float64, 6, elements=st.one_of(nearby, dyadic)),
    hnp.arrays(np.float64, 6, elements=nearby.map(abs)),
    hnp.arrays(np.float64, 6, elements=st.integers(-8, 8).map(lambda k: k / 8)),
)
def test_all_is_an_interval_around_the_true_minimum(values, errors, where):
    every = bare(values, errors).all()
    truth = values + where * errors
    assert float(every.value - every.error) <= truth.min() <= float(every.value + every.error)
    # As small as it can be: both ends are attained.
    assert float(every.value - every.error) == (values - errors).min()
    assert float(every.value + every.error) == (values + errors).min()
    assert bool(every.holds) == (values > errors).all()
    assert bool(every.fails) == (values < -errors).any()


@given(
    hnp.arrays(np.float64, 6, elements=st.floats(-1e300, 1e300)),
    hnp.arrays(np.float64, 6, elements=st.floats(0, 1e300)),
)
def test_all_is_never_wrong_for_any_floats(values, errors):
    every = bare(values, errors).all()
    assert not every.holds or (values > errors).all()
    assert not every.fails or (values < -errors).any()


def test_all_keeps_the_unit_and_the_smallest_ratio_and_passes_nan_on():
    every = exceeds(jnp.array([3.0, 8.0, 5.0]), jnp.array([2.0, 2.0, 4.0]), unit="m").all()
    assert (float(every.ratio), every.unit) == (1.25, "m")
    assert bool(bare([1.0, np.nan, 2.0], [0.0, 0.0, 0.0]).all().undecided)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (jnp.array([1.5, -3.0]), EPS * np.array([1.5, 3.0])),  # one rounding of a float
        (jnp.float32(1.5), np.finfo(np.float32).eps * 1.5),
        (2.0, 2 * EPS),
        (jnp.array([3, -1]), [0.0, 0.0]),  # integers are exact
        (7, 0.0),
        (np.array(True), 0.0),
    ],
)
def test_margin_trusts_floats_to_one_rounding_and_integers_completely(value, error):
    made = margin(value, unit="s")
    np.testing.assert_array_equal(made.value, np.asarray(value, float))
    np.testing.assert_array_equal(made.error, np.asarray(error, made.value.dtype))
    assert made.unit == "s"
    assert np.isnan(made.ratio).all()
    assert made.value.shape == made.error.shape == made.ratio.shape == np.shape(value)


def test_margin_spreads_a_given_error_over_all_entries():
    made = margin(jnp.array([1.0, -1.0, 0.2]), 0.25)
    assert made.holds.tolist() == [True, False, False]
    assert made.fails.tolist() == [False, True, False]
    assert made.undecided.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("left", "right", "value", "ratio"),
    [
        (3.0, 2.0, 1.0, 1.5),
        (3, 2, 1.0, 1.5),
        (-3.0, 2.0, -5.0, -1.5),
        (1.0, 0.0, 1.0, np.nan),
        (1.0, -2.0, 3.0, np.nan),
        (np.nan, 2.0, np.nan, np.nan),
        (jnp.array([1.0, 4.0]), 2.0, [-1.0, 2.0], [0.5, 2.0]),
        (2.0, jnp.array([1, 4]), [1.0, -2.0], [2.0, 0.5]),
    ],
)
def test_exceeds_is_the_difference_with_the_ratio_beside_it(left, right, value, ratio):
    made = exceeds(left, right, unit="K")
    np.testing.assert_array_equal(made.value, value)
    np.testing.assert_array_equal(made.ratio, ratio)
    np.testing.assert_array_equal(made.error, 4 * EPS * (np.abs(left) + np.abs(right)))
    assert made.unit == "K"
    np.testing.assert_array_equal(exceeds(left, right, 0.5).error, np.full(np.shape(value), 0.5))


def test_exceeds_in_float32_has_float32_errors():
    made = exceeds(jnp.float32(3.0), jnp.float32(2.0))
    assert made.value.dtype == made.error.dtype == jnp.float32
    assert float(made.error) == 20 * np.finfo(np.float32).eps


@given(st.floats(1e-3, 1e3), st.integers(-40, 40), st.integers(-3, 3), st.integers(-3, 3))
def test_exceeds_is_never_wrong_about_sides_that_carry_a_few_roundings(left, ulps, first, second):
    """Each side may be off by 3 units roundoff; the decision concerns the exact sides."""
    right = left * (1 + ulps * EPS)
    made = exceeds(left, right)
    roundoff = Fraction(EPS) / 2
    difference = Fraction(left) * (1 + first * roundoff) - Fraction(right) * (1 + second * roundoff)
    assert not made.holds or difference > 0
    assert not made.fails or difference < 0


# --- rounding -------------------------------------------------------------------------------------

# No overflow and no underflow, as in Higham's lemma: magnitudes in {0} ∪ [2⁻²⁰, 2²⁰].
single = st.floats(-(2.0**20), 2.0**20, width=32).map(lambda v: v if abs(v) > 2.0**-20 else 0.0)


@given(hnp.arrays(np.float32, (2, 16), elements=single))
def test_rounding_error_bounds_float32_dot_products(pair):
    left, right = jnp.asarray(pair)
    exact = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(*pair, strict=True))
    bound = rounding_error(16, jnp.dot(jnp.abs(left), jnp.abs(right)))
    assert bound.dtype == jnp.float32
    assert abs(Fraction(float(jnp.dot(left, right))) - exact) <= Fraction(float(bound))


def test_rounding_error_of_one_product_is_at_most_twice_the_worst():
    """γ₁ with eps for the unit roundoff is twice the error that random products do reach."""
    left, right = np.random.default_rng(0).uniform(1, 2, (2, 2000)).astype(np.float32)
    exact = left.astype(float) * right.astype(float)  # exact: 24 + 24 < 53 bits
    used = np.abs(left * right - exact) / np.asarray(
        rounding_error(1, jnp.asarray(exact, jnp.float32))
    )
    assert 0.4 < used.max() <= 0.5


def test_rounding_error_grows_with_the_chain_and_is_infinite_when_nothing_is_left():
    eps = float(np.finfo(np.float32).eps)
    magnitude = jnp.float32(3.0)
    expected = 1000 * eps / (1 - 1000 * eps) * 3
    assert float(rounding_error(1000, magnitude)) == pytest.approx(expected, rel=1e-6)  # float32
    assert float(rounding_error(2**23, magnitude)) == np.inf
    assert float(rounding_error(10, 2)) == pytest.approx(
        20 * EPS, rel=1e-12
    )  # the denominator is 1 to 2e-15


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
