"""Laws: the distance from a distribution function, its limits, and what a verdict says of it."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from loose_parts import kind_of
from scipy import stats

from theory import Claim, Distribution, Law, Statement, verify
from theory.margins import Margin, measured
from theory.verification.judging import judge
from theory.verification.statistics import law_distance, law_radius, law_radius_at_any_time
from theory.verification.verdict import Evidence

NORMAL = np.random.default_rng(5).normal(size=300)


def zeros(values):
    return np.zeros(len(values))


def test_radius_is_that_of_massart():
    """2e^{−2Nt²} = level: at N = 100 and 5 %, t = 0.1358."""
    assert law_radius(100, 0.05) == pytest.approx(0.13581, abs=1e-5)
    for draws, level in ((1, 0.3), (7, 1e-12), (10**6, 0.01)):
        t = law_radius(draws, level)
        assert 2 * np.exp(-2 * draws * t**2) == pytest.approx(level)


def test_shares_of_the_level_at_any_time_add_up_to_it():
    draws = np.arange(1, 20_001)
    t = np.array([law_radius_at_any_time(int(n), 0.01) for n in draws])
    assert (2 * np.exp(-2 * draws * t**2)).sum() == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("law", [stats.norm, stats.norm(0.3, 1.2), stats.cauchy])
def test_distance_from_a_continuous_law_is_that_of_kolmogorov_and_smirnov(law):
    found = law_distance(NORMAL, zeros(NORMAL), law.cdf)
    expected = stats.kstest(NORMAL, law.cdf).statistic
    np.testing.assert_allclose(found, expected, atol=1.1e-9)
    assert found.low <= expected <= found.high


def test_distance_from_a_law_that_jumps():
    """By all values of both functions; a rule for continuous laws would say 0.7 here."""
    values = np.repeat([0.0, 1.0], [35, 65])
    found = law_distance(values, zeros(values), stats.bernoulli(0.7).cdf)
    np.testing.assert_allclose(found, 0.05, atol=1.1e-9)
    values = np.random.default_rng(1).poisson(2.0, 50) * 1.0
    places = np.arange(-1.0, 30.0)
    share = np.mean(values[None, :] <= places[:, None], axis=1)
    expected = np.max(np.abs(share - stats.poisson(2.5).cdf(places)))
    found = law_distance(values, zeros(values), stats.poisson(2.5).cdf)
    np.testing.assert_allclose(found, expected, atol=1.1e-9)


TENTHS = {
    "⌊10x⌋": (np.floor, "consistent"),
    "⌈10x⌉ − 1": (lambda t: np.ceil(t) - 1, "consistent"),  # jumps just after the tenths
    "10x, rounded": (np.round, "refuted"),  # half-way between them
}


@pytest.mark.parametrize("name", TENTHS)
def test_a_law_that_jumps_within_roundings_of_its_values_is_met(name):
    rounding, word = TENTHS[name]
    counts = np.random.default_rng(7).binomial(12, 0.4, 4000)
    law = Distribution(cdf=lambda x: stats.binom(12, 0.4).cdf(rounding(10 * x)))
    for values in (counts / 10, counts * 0.1):
        assert judged(values, law).verdict == word
    early = np.floor(10 * np.nextafter(counts * 0.1, -np.inf)) == counts
    assert early.any()  # else ⌊10x⌋ jumps where it should


def test_a_law_that_jumps_a_little_farther_off_is_refuted():
    values = np.random.default_rng(7).binomial(12, 0.4, 4000) / 10
    for off in (1e-13, -1e-13):
        law = Distribution(cdf=lambda x, o=off: stats.binom(12, 0.4).cdf(np.floor(10 * x + o)))
        assert judged(values, law).verdict == "refuted"


def completions(values, unknown):
    """All that a few draws of which nothing is known could be, on a grid, or need not be at all."""
    places = [-np.inf, -1.0, 0.1, 1.4, np.inf]
    known = values[~np.isnan(values)]
    missing = int(np.isnan(values).sum())
    for lost in itertools.product(places, repeat=missing):
        for number in range(unknown + 1):
            for more in itertools.product(places, repeat=number):
                yield np.concatenate([known, lost, more])


@pytest.mark.parametrize("sign", [-1, 1])
def test_limits_hold_whatever_the_unknown_draws_are(sign):
    """And are reached: low and high are the best and the worst of them, up to the grid."""
    values = sign * np.array([0.3, -0.2, np.nan, 1.1, 0.9, 0.5, np.nan])
    found = law_distance(values, zeros(values), stats.norm.cdf, unknown=2)
    exact = [law_distance(one, zeros(one), stats.norm.cdf).low for one in completions(values, 2)]
    assert found.low <= min(exact) + 1e-8
    assert found.low > min(exact) - 0.2  # the ends bound all x at once, no completion does
    assert found.high == pytest.approx(max(exact), abs=1e-6)


def test_errors_widen_both_ways():
    values = np.array([-0.5, 0.2, 0.8, 1.9])
    off = np.full(4, 0.3)
    found = law_distance(values, off, stats.norm.cdf)
    moved = [
        law_distance(values + np.array(signs) * 0.3, zeros(values), stats.norm.cdf)
        for signs in itertools.product((-1, -0.5, 0, 0.5, 1), repeat=4)
    ]
    assert found.low <= min(one.low for one in moved) + 1e-8
    assert found.high == pytest.approx(max(one.high for one in moved), abs=1e-6)
    everywhere = law_distance(values, np.full(4, np.inf), stats.norm.cdf)
    assert everywhere.low == 0
    assert everywhere.high == pytest.approx(1, abs=1e-6)


def test_infinite_draws_are_what_they_are():
    """Half of the mass is at ∞, where a law has none."""
    values = np.array([np.inf, np.inf, 0.0, -np.inf])
    found = law_distance(values, zeros(values), stats.norm.cdf)
    np.testing.assert_allclose(found, 0.5, atol=1e-8)


def judged(values, claim, hypotheses=None, anytime=False, level=0.01):
    evidence = Evidence(hypotheses or {}, {}, None, None, np.asarray(values))
    return judge("toy.x", kind_of("law", claim), evidence, level=level, anytime=anytime)


def test_a_law_is_refuted_just_beyond_the_radius():
    """The uniform law on [0, 1], of equidistant points moved by the radius ± 1 %."""
    n = 1000
    points, t = (np.arange(n) + 0.5) / n, law_radius(n, 0.01)
    claim = Distribution(cdf=lambda x: np.clip(x, 0, 1), resolution=0.2)
    for factor, word in ((0.97, "consistent"), (1.03, "refuted")):
        verdict = judged(points + factor * t, claim)
        assert verdict.verdict == word, str(verdict)
    (estimate,) = verdict.estimates
    assert estimate.method == "DKW"
    assert estimate.low == pytest.approx(estimate.observed - t)
    assert judged(points + 1.03 * t, claim, anytime=True).verdict == "consistent"


def test_what_is_said_to_show_does_show():
    """A law at the distance that a verdict calls detectable is refuted in 95 % of 400 runs.

    A test of a share that is .95 at least fails with probability below .0005 at 1/20 + 3 errors.
    """
    n, claim = 200, Distribution(cdf=lambda x: np.clip(x, 0, 1), resolution=0.2)
    rng = np.random.default_rng(3)
    verdict = judged(rng.uniform(size=n), claim)
    assert verdict.verdict == "consistent"
    assert verdict.detectable is not None
    assert f"{verdict.detectable:.2g} would have shown" in verdict.reason
    assert "distance of the law" in verdict.explain().seen
    off = verdict.detectable  # of the law that has this mass at −1
    missed = 0
    for _ in range(400):
        values = np.where(rng.uniform(size=n) < off, -1.0, rng.uniform(size=n))
        missed += judged(values, claim).verdict != "refuted"
    assert missed / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_draws_that_may_not_count_are_in_the_limits_and_not_in_the_number():
    unknown = np.arange(300) < 60
    hypothesis = Margin(np.where(unknown, np.nan, 1.0), np.zeros(300), np.full(300, np.nan))
    verdict = judged(NORMAL, Distribution(cdf=stats.norm.cdf, resolution=0.9), {"h": hypothesis})
    (estimate,) = verdict.estimates
    known = law_distance(NORMAL[60:], zeros(NORMAL[60:]), stats.norm.cdf, unknown=60)
    assert estimate.high == pytest.approx(known.high + law_radius(240, 0.01))
    assert verdict.verdict == "consistent"
    low, _ = law_distance(NORMAL[60:] + 9, zeros(NORMAL[60:]), stats.norm.cdf, unknown=60)
    assert low == pytest.approx(0.8, abs=1e-6)


def test_too_few_draws_say_how_many_would_do():
    verdict = judged(NORMAL[:50], Distribution(cdf=stats.norm.cdf, resolution=0.05))
    assert verdict.verdict == "inconclusive"
    assert verdict.draws_needed == pytest.approx(np.log(200) / (2 * 0.05**2), rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cdf": lambda x, y: x}, "cdf of the claim .* must take"),
        ({"cdf": stats.norm.cdf, "resolution": 0.0}, "resolution"),
        ({"cdf": stats.norm.cdf, "resolution": 1.0}, "resolution"),
        ({"cdf": stats.norm.cdf, "tolerance": -0.1}, "tolerance"),
        ({"cdf": stats.norm.cdf, "cdf_error": np.nan}, "cdf_error"),
    ],
)
def test_what_is_no_distribution_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Distribution(**wrong)


def test_the_error_of_every_draw_counts_not_the_mean_of_some():
    """Estimated errors: one draw of which nothing is known does not make all so."""
    statement = Statement(
        id="mine.law",
        sample=lambda key, _: jax.random.normal(key),
        claim=Law(
            lambda x, _: jax.numpy.where(x > 0.8, jax.numpy.nan, x),
            lambda _: Distribution(cdf=stats.norm.cdf, resolution=0.2),
        ),
    )
    verdict = verify(statement, key=jax.random.key(0), draws=1000)
    assert verdict.verdict == "consistent", str(verdict)
    assert verdict.estimates[0].high < 0.3


def test_the_law_at_the_draws():
    claims = (Distribution(cdf=stats.norm.cdf), Distribution(cdf=stats.expon.cdf))
    one, two = (
        Law[Any, Any](lambda x, _: measured(x, 0.0), lambda _, c=c: c) for c in (claims[0], claims)
    )
    values = np.array([0.5, np.nan, -1.0, 0.5])
    np.testing.assert_allclose(one.at(values, None), stats.norm.cdf(values))
    both = np.stack([values, values + 1], axis=1)
    np.testing.assert_allclose(two.at(both, None)[:, 1], stats.expon.cdf(values + 1))
    assert isinstance(claims[0], Claim)


def test_no_number_of_draws_makes_up_for_unknown_ones():
    values = np.where(np.arange(300) < 60, np.nan, NORMAL)  # a fifth of all draws, ±0.1
    few = judged(values, Distribution(cdf=stats.norm.cdf, resolution=0.05))
    assert few.verdict == "inconclusive"
    assert few.draws_needed is None
    assert "±0.1 of that come from draws that may lie anywhere" in few.reason
    more = judged(values, Distribution(cdf=stats.norm.cdf, resolution=0.15))
    assert more.draws_needed == pytest.approx(np.log(200) / (2 * 0.05**2), rel=0.01)
