"""How often true statements of every kind are refuted, and gross false ones are not: slow.

Samples are made by NumPy and judged as evidence. A test of a rule whose false-alarm rate is exactly
its level fails with probability .0013 (three standard errors); seeds are fixed.
"""

from typing import Any

import numpy as np
import pytest
from loose_parts import kind_of
from scipy import stats

from theory import Claim, Distribution, Margin
from theory.verification.judging import judge
from theory.verification.verdict import Evidence

pytestmark = pytest.mark.slow

LEVEL = 0.01
SEEDS = 1000
MOST = LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / SEEDS)
WIDE = 1e9  # a resolution that never stands in the way
SCALES = 2.0 ** np.arange(3, 9)
STEPS = np.arange(1.0, 9.0)


def word(kind, *, conclusion=None, allowed: Any = None, quantity=None, claim=None, scales=None):
    """The verdict on a sample."""
    margin = None
    if conclusion is not None:
        conclusion = np.asarray(conclusion, float)
        margin = Margin(conclusion, np.zeros_like(conclusion), np.full_like(conclusion, np.nan))
        allowed = np.broadcast_to(allowed, conclusion.shape)
    evidence = Evidence({}, {}, margin, allowed, quantity)
    of_kind = kind_of(kind, claim, scales)
    return judge("toy.x", of_kind, evidence, level=LEVEL).verdict


def shares(judged):
    """Share of each verdict over the seeds; `judged` takes a generator of random numbers."""
    words = [judged(np.random.default_rng([20261, seed])) for seed in range(SEEDS)]
    return {name: words.count(name) / SEEDS for name in set(words)} | {"seeds": SEEDS}


# Name → sampler (generator, shape) and mean.
LAWS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "uniform": (lambda rng, n: rng.uniform(size=n), 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "chi-square": (lambda rng, n: rng.chisquare(1, n), 1.0),
    "product-of-chi-squares": (lambda rng, n: rng.chisquare(1, n) * rng.chisquare(1, n), 1.0),
    "log-normal-1": (lambda rng, n: rng.lognormal(0, 1, n), float(np.exp(0.5))),
    "log-normal-2": (lambda rng, n: rng.lognormal(0, 2, n), float(np.exp(2.0))),
    "student-3": (lambda rng, n: rng.standard_t(3, n), 0.0),
    "pareto-2.5": (lambda rng, n: 1 + rng.pareto(2.5, n), 2.5 / 1.5),
    "minus-exponential": (lambda rng, n: -rng.exponential(size=n), -1.0),
    "event-.01": (lambda rng, n: (rng.random(n) < 0.01) * 1.0, 0.01),
    "event-.5": (lambda rng, n: (rng.random(n) < 0.5) * 1.0, 0.5),
    "jackpot": (lambda rng, n: (rng.random(n) < 1e-3) * 1e3, 1.0),
}


@pytest.mark.parametrize("draws", [20, 50, 200])
@pytest.mark.parametrize("law", LAWS)
def test_means(law, draws):
    sample, mean = LAWS[law]
    claim = Claim(mean, WIDE)
    found = shares(lambda rng: word("moment", quantity=sample(rng, draws), claim=claim))
    assert found.get("refuted", 0) <= MOST


@pytest.mark.parametrize("side", ["at most", "at least"])
@pytest.mark.parametrize("kind", ["moment", "empirical"])
def test_one_sided_means_at_their_limit(kind, side):
    claim = Claim(1.0, WIDE, side=side)
    found = shares(lambda rng: word(kind, quantity=rng.exponential(size=200), claim=claim))
    assert found.get("refuted", 0) <= MOST


@pytest.mark.parametrize("law", ["uniform", "event-.01", "event-.5", "rare", "beta"])
@pytest.mark.parametrize("draws", [20, 200])
def test_bounded_means(law, draws):
    extra = {
        "rare": (lambda rng, n: 0.5 + 0.5 * (rng.random(n) < 0.005), 0.5025),
        "beta": (lambda rng, n: rng.beta(0.05, 1.0, n), 0.05 / 1.05),
    }
    sample, mean = (LAWS | extra)[law]
    claim = Claim(mean, WIDE, bounds=(0.0, 1.0))
    found = shares(lambda rng: word("moment", quantity=sample(rng, draws), claim=claim))
    assert found.get("refuted", 0) <= MOST


@pytest.mark.parametrize("draws", [20, 100, 1000])
@pytest.mark.parametrize("delta", [0.01, 0.05, 0.3])
def test_failure_rates(delta, draws):
    def judged(rng):
        margins = np.where(rng.random(draws) < delta, -1.0, 1.0)
        return word("probabilistic", conclusion=margins, allowed=delta)

    assert shares(judged).get("refuted", 0) <= MOST


def test_failure_rates_of_their_own():
    def judged(rng):
        allowed = rng.uniform(0, 0.2, 300)
        margins = np.where(rng.random(300) < allowed, -1.0, 1.0)
        return word("probabilistic", conclusion=margins, allowed=allowed)

    assert shares(judged).get("refuted", 0) <= MOST


NOISES = {
    "uniform": lambda rng, n: 0.5 + rng.uniform(size=(n, len(SCALES))),
    "exponential": lambda rng, n: rng.exponential(size=(n, len(SCALES))),
    "log-normal-1": lambda rng, n: rng.lognormal(-0.5, 1, (n, len(SCALES))),
    "log-normal-2": lambda rng, n: rng.lognormal(-2, 2, (n, len(SCALES))),
    "shared-exponential": lambda rng, n: (
        rng.exponential(size=(n, 1)) * (0.9 + 0.2 * rng.uniform(size=(n, len(SCALES))))
    ),
    "tails-that-grow": lambda rng, n: rng.lognormal(
        -(np.linspace(0.1, 2, len(SCALES)) ** 2) / 2,
        np.linspace(0.1, 2, len(SCALES)),
        (n, len(SCALES)),
    ),
}


@pytest.mark.parametrize("draws", [30, 150])
@pytest.mark.parametrize("noise", NOISES)
def test_rates(noise, draws):
    def judged(rng):
        quantity = SCALES**-0.5 * NOISES[noise](rng, draws)
        return word("rate", quantity=quantity, claim=Claim(-0.5, WIDE), scales=SCALES)

    assert shares(judged).get("refuted", 0) <= MOST


@pytest.mark.parametrize("draws", [50, 300])
@pytest.mark.parametrize("shared", [False, True], ids=["independent", "one-uniform"])
def test_decays(shared, draws):
    """With one uniform for all scales 13 % of the intervals missed at level 1 %."""

    def judged(rng):
        uniforms = rng.random((draws, 1 if shared else len(STEPS)))
        failures = (uniforms < np.exp(-0.25 * STEPS)) * 1.0
        return word("decay", quantity=failures, claim=Claim(0.25, WIDE), scales=STEPS)

    assert shares(judged).get("refuted", 0) <= MOST


# Name → sampler (generator, number) and its distribution function, with and without jumps.
DISTRIBUTIONS = {
    "uniform": (lambda rng, n: rng.uniform(size=n), stats.uniform.cdf),
    "chi-square": (lambda rng, n: rng.chisquare(52, n), stats.chi2(52).cdf),
    "cauchy": (lambda rng, n: rng.standard_cauchy(n), stats.cauchy.cdf),
    "poisson": (lambda rng, n: rng.poisson(3, n) * 1.0, stats.poisson(3).cdf),
    "coin": (lambda rng, n: (rng.random(n) < 0.5) * 1.0, stats.bernoulli(0.5).cdf),
}


@pytest.mark.parametrize("anytime", [False, True])
@pytest.mark.parametrize("draws", [20, 500])
@pytest.mark.parametrize("law", DISTRIBUTIONS)
def test_laws(law, draws, anytime):
    """Refuted no more often than the level says; without jumps nearly as often."""
    sample, cdf = DISTRIBUTIONS[law]
    claim = Distribution(cdf=cdf, resolution=0.999)

    def judged(rng):
        evidence = Evidence({}, {}, None, None, sample(rng, draws))
        return judge("toy.x", kind_of("law", claim), evidence, level=LEVEL, anytime=anytime).verdict

    share = shares(judged).get("refuted", 0)
    assert share <= MOST
    if not anytime and law in ("uniform", "chi-square", "cauchy") and draws > 20:
        assert share > 0


# --- power ----------------------------------------------------------------------------------------


def shifted(rng):
    return word("moment", quantity=rng.normal(0.5, 1, 400), claim=Claim(0.0, 0.5))


def biased_coin(rng):
    events = (rng.random(500) < 0.5) * 1.0
    return word("moment", quantity=events, claim=Claim(0.3, 0.5))


def bounded_off(rng):
    claim = Claim(0.7, 0.2, bounds=(0.0, 1.0))
    return word("moment", quantity=rng.uniform(size=1000), claim=claim)


def empirical_off(rng):
    claim = Claim(0.8, 0.2, side="at least")
    return word("empirical", quantity=rng.uniform(size=400), claim=claim)


def too_bold(rng):
    margins = np.where(rng.random(200) < 0.3, -1.0, 1.0)
    return word("probabilistic", conclusion=margins, allowed=0.05)


def one_in_ten(rng):
    margins = np.where(rng.random(100) < 0.1, -1.0, 1.0)
    return word("deterministic", conclusion=margins, allowed=0.0)


def rate_off(rng):
    quantity = SCALES**-0.5 * NOISES["uniform"](rng, 150)
    return word("rate", quantity=quantity, claim=Claim(-1.0, 0.2), scales=SCALES)


def decay_off(rng):
    failures = (rng.random((500, len(STEPS))) < np.exp(-0.25 * STEPS)) * 1.0
    return word("decay", quantity=failures, claim=Claim(0.5, 0.2), scales=STEPS)


@pytest.mark.parametrize(
    "judged",
    [shifted, biased_coin, bounded_off, empirical_off, too_bold, one_in_ten, rate_off, decay_off],
)
def test_gross_false_ones_are_refuted(judged):
    """In at least 95 % of samples; each lies five standard errors or more from its claim."""
    assert shares(judged).get("refuted", 0) >= 0.95


def test_counts_tell_a_level_from_three_times_it():
    """The tests above can fail, and rarely do where the rule has its level."""
    most = int(np.floor(MOST * SEEDS))
    assert stats.binom.sf(most, SEEDS, LEVEL) < 0.005
    assert stats.binom.cdf(most, SEEDS, 3 * LEVEL) < 0.05
