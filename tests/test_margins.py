"""Evidence: outcome logic against the table of the specification, and margins."""

import itertools
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.margins import Margin, exceeds, margin, rounding_error
from theory.verification.outcomes import Outcome, outcome, premise

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
    """A strict condition fails where the whole interval lies at or below 0."""
    fails = value <= -error and error < np.inf
    return "holds" if value > error else "fails" if fails else "undecided"


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


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0, -1.0, np.inf, -np.inf])
@pytest.mark.parametrize("error", [np.nan, 1.5, np.inf])
def test_nan_and_values_inside_their_error_are_undecided(value, error):
    if np.isinf(value) and np.isfinite(error):
        pytest.skip("an infinite margin with a finite error is decided")
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
    assert bool(every.fails) == (values <= -errors).any()


@given(
    hnp.arrays(np.float64, 6, elements=st.floats(-1e300, 1e300)),
    hnp.arrays(np.float64, 6, elements=st.floats(0, 1e300, allow_subnormal=False)),
)
def test_all_is_never_wrong_for_any_floats(values, errors):
    every = bare(values, errors).all()
    assert not every.holds or (values > errors).all()
    assert not every.fails or (values <= -errors).any()


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
    exact = isinstance(left, int) and isinstance(right, int)
    roundings = 0.0 if exact else 4 * EPS * (np.abs(left) + np.abs(right))
    np.testing.assert_array_equal(made.error, np.where(np.isnan(roundings), np.inf, roundings))
    assert made.unit == "K"
    stated = np.where(np.isnan(roundings), np.inf, np.full(np.shape(value), 0.5))
    np.testing.assert_array_equal(exceeds(left, right, 0.5).error, stated)


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
    assert not made.fails or difference <= 0


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
