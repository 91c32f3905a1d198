"""What is decided, how, and what is said where nothing can be."""

import fractions

import flint
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.certificates.ball import (
    MOST_BITS,
    Ball,
    MissingPrimitive,
    Undecided,
    decide,
    enclose,
)
from theory.margins import at_least, exceeds, margin, rounding_error


def test_a_tail_to_thirty_digits():
    """P(χ²_2 > x) = e^{−x/2}, whose digits are known: here at x = 2."""
    found = enclose(lambda x: jax.scipy.stats.chi2.sf(x, 2), 2.0)
    assert found.text(30).startswith("[0.36787944117144232159552377016")
    assert found.radius < 1e-30


def test_more_digits_take_more_bits():
    def cancelling(x):
        return (1 + x) - 1 - x * (1 - 2.0**-40)

    found = enclose(cancelling, 2.0**-60, digits=50)
    assert found.contains(2.0**-100)
    assert found.radius < 1e-80


def test_the_real_function_and_not_its_roundings():
    assert enclose(lambda x: (x + 1e-30) - x, 1.0).middle == pytest.approx(1e-30)
    assert (
        enclose(lambda x: (x * 3).astype(jnp.float32).astype(float), 0.1).contains(0.3) is not True
    )
    tenth = enclose(lambda: jnp.float64(0.1) * 10)
    assert not tenth.contains(1.0), "the float 0.1 is not 1/10"


CONDITIONS = {
    "a little more": (lambda x, _: exceeds(x + 1e-40, x), 1.0, "holds"),
    "a little less": (lambda x, _: exceeds(x, x + 1e-40), 1.0, "fails"),
    "equal, strict": (lambda x, _: exceeds(x, x), 1.0, "fails"),
    "equal, not strict": (lambda x, _: at_least(x, x), 1.0, "holds"),
    "cancelling": (lambda x, _: exceeds(x**2 - 2 * x + 1 + 1e-25, 0.0), 1.0 + 2**-30, "holds"),
    "irrational": (lambda x, _: exceeds(jnp.sqrt(x) ** 2, x), 2.0, "undecided"),
    "all": (lambda x, _: margin(jnp.stack([x, 1 - x])).all(), 0.25, "holds"),
    "not all": (lambda x, _: margin(jnp.stack([x, 1 - x])).all(), 1.5, "fails"),
    "an array": (lambda x, _: margin(jnp.stack([x, 1 - x])), 1.5, "fails"),
    "rounding bound": (lambda x, _: exceeds(x + 1e-17, x, rounding_error(9, x)), 1.0, "holds"),
    "instance's error": (lambda x, _: exceeds(x[0], 1.0, x[1]), np.array([1.5, 0.6]), "undecided"),
    "smaller error": (lambda x, _: exceeds(x[0], 1.0, x[1]), np.array([1.5, 0.4]), "holds"),
    "infinite, meant": (lambda x, _: exceeds(x, 1.0, infinite=True), np.inf, "holds"),
    "infinite, overflow": (lambda x, _: exceeds(x, 1.0), np.inf, "undecided"),
    "NaN": (lambda x, _: exceeds(x, 1.0), np.nan, "undecided"),
    "not known": (lambda x, _: margin(x, jnp.where(x > 0, jnp.inf, 0.0)), 1.0, "undecided"),
    "integers": (lambda x, _: exceeds(jnp.sum(x), 5), np.array([2, 4]), "holds"),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_decided(name):
    condition, instance, expected = CONDITIONS[name]
    found = decide(condition, instance)
    assert found.verdict == expected, found
    assert found.proved == (expected != "undecided")
    assert bool(found.reason) == (expected == "undecided")
    assert found.bits <= MOST_BITS


def test_what_is_beyond_the_stated_rounding_is_told_apart():
    """1.0 > 1 − 10⁻¹⁶ is proved of these numbers, but no more than rounding may have made."""

    def condition(x, _):
        return exceeds(x, 1 - 1e-16, rounding_error(8, x))

    near, far = decide(condition, 1.0), decide(condition, 1.5)
    assert (near.verdict, near.beyond_rounding) == ("holds", False)
    assert (far.verdict, far.beyond_rounding) == ("holds", True)
    assert not decide(condition, np.nan).beyond_rounding


def test_bits_are_doubled_until_it_is_decided():
    found = decide(lambda x, _: exceeds(jnp.exp(x) * jnp.exp(-x) + 1e-60, 1.0), 0.3)
    assert found.verdict == "holds"
    assert found.bits == 212
    assert decide(lambda x, _: exceeds(jnp.exp(x), 1.0), 0.3).bits == 53


def test_one_bound_below_another_at_given_sizes():
    """e^{−m/7} ≥ P(χ²_m ≥ 2m), the tail of Laurent and Massart, for each m."""

    def below(m, _):
        return exceeds(jnp.exp(-m / 7), jax.scipy.stats.chi2.sf(2 * m, m))

    assert all(decide(below, float(m)).verdict == "holds" for m in (1, 2, 10, 100))

    def too_small(m, _):
        return exceeds(jnp.exp(-m / 6), jax.scipy.stats.chi2.sf(2 * m, m))

    assert decide(too_small, 400.0).verdict == "fails"


def test_a_choice_by_an_undecided_comparison_is_the_hull():
    def either(x):
        zero = jnp.exp(x) * jnp.exp(-x) - 1
        return jnp.where(zero > 0, 3.0, 5.0), jax.lax.cond(zero > 0, lambda: 1.0, lambda: 2.0)

    first, second = enclose(either, 0.3, digits=10, most_bits=100)
    for found, values in ((first, (3.0, 5.0)), (second, (1.0, 2.0))):
        assert all(found.contains(v) for v in values)
        assert found.radius < 1.1


UNDECIDED = {
    "while": lambda z: jax.lax.while_loop(lambda v: v > z, lambda v: v - 1, 0.0),
    "argmax": lambda z: jnp.argmax(jnp.stack([0 * z, z])),
    "argsort": lambda z: jnp.argsort(jnp.stack([0 * z, z])),
    "integer": lambda z: jnp.floor(z).astype(int),
    "frexp": lambda z: jnp.frexp(z)[1],
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_followed_both_ways_is_an_error(name):
    with pytest.raises(Undecided, match=r"undecided|not be finite"):
        enclose(
            lambda x: UNDECIDED[name](jnp.exp(x) * jnp.exp(-x) - 1), 0.3, digits=10, most_bits=100
        )


def test_a_sorted_array_is_enclosed_though_its_order_is_undecided():
    def nearly_equal(x):
        return jnp.sort(jnp.stack([jnp.exp(x) * jnp.exp(-x), 1 + 0 * x, 0.5 + 0 * x]))

    found = enclose(nearly_equal, 0.3, digits=10, most_bits=100)
    assert (np.abs(found.middle - [0.5, 1, 1]) < 1e-20).all()


def test_a_missing_primitive_is_named_with_its_place():
    def with_fft(x):
        return jnp.abs(jnp.fft.rfft(x)[0])

    with pytest.raises(MissingPrimitive, match=r"'fft', in equation .*test_enclosing.py line"):
        enclose(with_fft, np.ones(4))
    with pytest.raises(MissingPrimitive, match="eigenvectors of eigh"):
        enclose(lambda x: jnp.linalg.eigh(x)[1], np.eye(2))


def test_what_no_result_needs_is_not_missed():
    def half(x):
        unused = jnp.fft.rfft(x)
        return jnp.sum(x), jnp.linalg.eigh(jnp.outer(x, x))[0], unused.shape[0]

    assert enclose(half, np.ones(3))[0].contains(3.0)


def test_bad_conditions_are_refused():
    with pytest.raises(ValueError, match="condition must return a Margin, got"):
        decide(lambda x, _: x, 1.0)
    with pytest.raises(ValueError, match="bits must be between 2 and most_bits = 100, got 200"):
        decide(lambda x, _: exceeds(x, 1.0), 1.0, bits=200, most_bits=100)
    with pytest.raises(ValueError, match=r"single number, got shape \(2,\)"):
        enclose(lambda x: x, np.ones(2)).text()


def test_the_precision_of_before_comes_back():
    before = flint.ctx.prec
    with pytest.raises(MissingPrimitive):
        enclose(lambda x: jnp.fft.fft(x).real, np.ones(4))
    assert flint.ctx.prec == before


def test_ends_are_rounded_outwards():
    third = enclose(lambda x: x / 3, 1.0)
    assert third.low <= third.middle <= third.high
    assert fractions.Fraction(float(third.low)) < fractions.Fraction(1, 3)
    assert fractions.Fraction(float(third.high)) > fractions.Fraction(1, 3)
    assert third.positive
    assert not third.negative
    unknown = Ball(np.array([flint.arb.nan(), float("nan")], object))
    assert unknown.low[0] == -np.inf
    assert unknown.high[0] == np.inf
    assert np.isnan(unknown.low[1])
