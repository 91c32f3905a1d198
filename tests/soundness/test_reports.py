"""A verdict says what the draws could have shown, and names draws and conclusions that are none."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import kind_of, made_of
from scipy import optimize, stats
from soundness.planted import SEED, Parts, const, normal, sharp, uniform, uniforms

from theory import Margin, margin, verify
from theory.verification.judging import judge
from theory.verification.verdict import Evidence


def judged(draws=100, level=0.01, **parts):
    statement = made_of(**({"id": "toy.x", "sample": normal} | parts))
    return verify(statement, key=jax.random.key(SEED), draws=draws, level=level)


def smallest_refuted(trials, allowed, level) -> float:
    """The failure rate at which a binomial test of this level refutes with probability .95."""
    counts = np.arange(trials + 1)
    k = max(2, int(counts[stats.binom.sf(counts - 1, trials, allowed) <= level / 2][0]))
    found: Any = optimize.brentq(lambda p: stats.binom.sf(k - 1, trials, p) - 0.95, 1e-9, 1 - 1e-9)
    return found


# --- what the draws could have shown --------------------------------------------------------------


@pytest.mark.parametrize("draws", [14, 50, 400])
def test_detectable_rate_of_a_deterministic_statement(draws):
    verdict = judged(draws, conclusion=lambda x, _: sharp(1 + x**2))
    assert verdict.verdict == "consistent"
    assert verdict.detectable == pytest.approx(1 - 0.05 ** (1 / draws), rel=1e-6)


def test_detectable_rate_counts_only_draws_that_meet_the_premise():
    verdict = judged(
        200,
        sample=uniforms(2),
        hypotheses={"small": lambda u, _: sharp(0.25 - u[0])},
        conclusion=lambda u, _: sharp(1 + u[1]),
    )
    met = verdict.hypotheses["small"].met
    assert 20 < met < 80
    assert verdict.detectable == pytest.approx(1 - 0.05 ** (1 / met), rel=1e-6)


@pytest.mark.parametrize(("draws", "delta", "level"), [(100, 0.05, 0.01), (400, 0.2, 1e-3)])
def test_detectable_rate_of_a_probabilistic_statement(draws, delta, level):
    verdict = judged(
        draws,
        level,
        kind="probabilistic",
        sample=uniform,
        conclusion=lambda u, _: sharp(u - delta / 2),
        failure_probability=const(delta),
    )
    assert verdict.verdict == "consistent"
    expected = smallest_refuted(draws, delta, level)
    assert verdict.detectable == pytest.approx(expected, rel=1e-3)


def test_detectable_rate_is_in_the_reason():
    """For N = 100 and δ = .05 at level .01 it is .18."""
    verdict = judged(
        kind="probabilistic",
        sample=uniform,
        conclusion=lambda u, _: sharp(u - 0.02),
        failure_probability=const(0.05),
    )
    assert "0.18" in verdict.reason


def test_what_is_false_by_the_detectable_rate_is_found():
    """With probability .95, by the rule on 1000 samples of failures: within 3 standard errors."""
    draws, delta, samples = 100, 0.05, 1000
    rate = smallest_refuted(draws, delta, 0.01)
    rng = np.random.default_rng(3)
    found = 0
    for fails in rng.random((samples, draws)) < rate:
        value = np.where(fails, -1.0, 1.0)
        conclusion = Margin(value, np.zeros(draws), np.full(draws, np.nan))
        evidence = Evidence({}, {}, conclusion, np.full(draws, delta), None)
        found += judge("toy.x", kind_of("probabilistic"), evidence).verdict == "refuted"
    assert found >= samples * 0.95 - 3 * np.sqrt(samples * 0.95 * 0.05)


# --- draws that are none --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sample",
    [
        lambda key, config: jnp.asarray(0.3),
        lambda key, config: jax.random.normal(jax.random.key(1)),
        lambda key, config: jnp.asarray(np.random.default_rng(1).normal()),
    ],
)
def test_repeated_draws_are_counted_as_one_and_named(sample):
    verdict = judged(sample=sample, conclusion=lambda x, _: sharp(1 + x**2))
    assert verdict.distinct == 1
    assert any("same instance" in note and "key" in note for note in verdict.notes)


@pytest.mark.parametrize("solve", [None, lambda instance: {"x": instance["x"]}])
def test_draws_that_differ_in_unused_keys_alone_are_one(solve):
    parts: Parts = {"sample": lambda key, config: {"key": key, "x": jnp.ones(3)}, "solve": solve}
    verdict = judged(conclusion=lambda i, _: sharp(jnp.sum(i["x"])), **parts)
    assert (verdict.distinct, verdict.draws, verdict.verdict) == (1, 100, "inconclusive")
    assert any("but random keys" in note for note in verdict.notes)
    fixed = lambda key, config: {"key": jax.random.key(3), "x": jnp.ones(3)}  # noqa: E731
    parts["sample"] = fixed
    verdict = judged(conclusion=lambda i, _: sharp(jnp.sum(i["x"])), **parts)
    assert any("same instance" in note for note in verdict.notes)


def test_one_probability_that_differs_makes_draws_of_one_another():
    verdict = judged(
        kind="probabilistic",
        sample=lambda key, config: {"key": key, "x": jnp.ones(3)},
        conclusion=lambda i, _: sharp(jnp.sum(i["x"])),
        failure_probability=lambda i, _: 0.1 * jax.random.uniform(i["key"]),
    )
    assert verdict.distinct == 100


def test_draws_are_distinct_and_not_named():
    verdict = judged(conclusion=lambda x, _: sharp(1 + x**2))
    assert verdict.distinct == verdict.draws == 100
    assert not verdict.notes


@pytest.mark.parametrize("batch", [1, 7, 16, 100])
def test_distinct_draws_do_not_depend_on_the_batch(batch):
    verdict = judged(45, batch=batch, conclusion=lambda x, _: sharp(1 + x**2))
    assert verdict.distinct == 45


# --- conclusions that say nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    "conclusion",
    [
        lambda x, _: margin(1.0, 0.0),
        lambda x, _: sharp(0 * x + 2),
        lambda x, _: margin(x - x + 1),
    ],
)
def test_constant_conclusion_is_named(conclusion):
    notes = " ".join(judged(conclusion=conclusion).notes)
    assert "every draw" in notes or "tautolog" in notes


def test_conclusion_that_is_its_premise_is_named():
    verdict = judged(
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        conclusion=lambda u, _: sharp(u - 0.5),
    )
    assert any("large" in note and "tautolog" in note for note in verdict.notes)


def test_conclusion_that_follows_from_its_premise_is_not_named():
    verdict = judged(
        sample=uniform,
        hypotheses={"large": lambda u, _: sharp(u - 0.5)},
        conclusion=lambda u, _: sharp(u**2 - 0.25),
    )
    assert not verdict.notes


def test_no_number_of_draws_helps_where_delta_is_one():
    verdict = judged(
        kind="probabilistic", conclusion=lambda x, _: sharp(x), failure_probability=const(1.0)
    )
    assert verdict.verdict == "vacuous"
    assert "δ ≥ 1 in 100 of 100 draws" in verdict.reason
