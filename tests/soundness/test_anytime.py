"""Judgement in growing stages: its level holds whenever it stops.

False-alarm rate: LEVEL for each true statement; the slow test counts false alarms.
"""

import dataclasses
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from soundness.planted import LEVEL, const, normal, sharp, uniform, uniforms

from theory import (
    Claim,
    Deterministic,
    Distribution,
    Law,
    Moment,
    Probabilistic,
    Statement,
    verify,
    verify_until,
)
from theory.margins import measured

TRUE = Statement(
    id="toy.fails-at-its-rate",
    sample=uniform,
    claim=Probabilistic(
        conclusion=lambda u, _: sharp(u - 0.1),
        failure_probability=const(0.1),
    ),
    batch=5000,
)
FALSE = changed(TRUE, failure_probability=const(0.01))
BOUNDED = Statement(
    id="toy.uniform",
    sample=uniform,
    claim=Moment(
        quantity=lambda u, _: u,
        claims=const(Claim(0.5, 0.2, bounds=(0.0, 1.0))),
    ),
    batch=5000,
)
EVENT = Statement(
    id="toy.coin",
    sample=uniform,
    claim=Moment(
        quantity=lambda u, _: jnp.where(u < 0.5, 1.0, 0.0),
        claims=const(Claim(0.5, 0.2, bounds=(0.0, 1.0))),
    ),
    batch=5000,
)
UNIFORM = Distribution(cdf=lambda x: np.clip(x, 0, 1), resolution=0.1)
LAW = Statement(
    id="toy.law",
    sample=uniform,
    claim=Law(quantity=lambda u, _: measured(u, 0.0), claims=const(UNIFORM)),
    batch=5000,
)


def until(statement, draws=4000, level=LEVEL, seed=1):
    return verify_until(statement, key=jax.random.key(seed), draws=draws, level=level)


@pytest.mark.parametrize("statement", [TRUE, BOUNDED, EVENT, LAW], ids=lambda s: s.id)
def test_true_statements_are_not_refuted(statement):
    verdict = until(statement)
    assert verdict.anytime
    assert verdict.verdict in ("consistent", "inconclusive")


@pytest.mark.parametrize(
    "statement",
    [
        FALSE,
        changed(BOUNDED, claims=const(Claim(0.8, 0.2, bounds=(0.0, 1.0)))),
        changed(EVENT, claims=const(Claim(0.2, 0.2, bounds=(0.0, 1.0)))),
        changed(
            LAW, claims=const(dataclasses.replace(UNIFORM, cdf=lambda x: np.clip(x, 0, 1) ** 2))
        ),
    ],
    ids=lambda s: s.id,
)
def test_false_statements_are_refuted_early(statement):
    verdict = until(statement)
    assert verdict.anytime
    assert verdict.verdict == "refuted"
    assert verdict.draws < 4000


def test_counterexample_ends_a_deterministic_statement():
    statement = Statement(
        id="toy.below-two",
        sample=normal,
        claim=Deterministic(conclusion=lambda x, _: sharp(2.0 - x)),
    )
    verdict = until(statement)
    assert verdict.verdict == "refuted"
    assert verdict.draws < 4000


def test_unbounded_mean_without_a_sequence_is_not_refuted_by_waiting():
    """No confidence sequence is known for it, so it may be refused, too."""
    statement = Statement(
        id="toy.log-normal",
        sample=normal,
        claim=Moment(
            quantity=lambda x, _: jnp.exp(2 * x),
            claims=const(Claim(float(np.exp(2)), 1.0)),
        ),
    )
    try:
        word = until(statement, draws=300).verdict
    except ValueError:
        word = "refused"
    assert word in ("refused", "inconclusive", "consistent")


def test_draws_fixed_beforehand_are_not_called_anytime():
    verdict = verify(TRUE, key=jax.random.key(1), draws=300)
    assert not verdict.anytime


def test_draws_in_stages_are_those_of_one_run():
    """The last stage sees the draws that `verify` sees."""
    staged = until(TRUE, draws=500)
    at_once = verify(TRUE, key=jax.random.key(1), draws=staged.draws, level=LEVEL)
    assert staged.failure_rate is not None
    assert at_once.failure_rate is not None
    assert staged.failure_rate.failures == at_once.failure_rate.failures


def test_ten_thousand_draws_are_looked_at_few_times(monkeypatch):
    """Judged at every stage they would be judged 157 times, at a cost of the order of K²."""
    looks = []
    module = importlib.import_module("theory.verification.verify")  # whose name a function has
    assess = module.assess
    monkeypatch.setattr(
        module, "assess", lambda *given, **named: looks.append(1) or assess(*given, **named)
    )
    verdict = until(TRUE, draws=10_000)
    assert verdict.draws == 10_000
    assert 20 < len(looks) < 50


def test_draws_end_where_the_memory_does():
    verdict = verify_until(TRUE, key=jax.random.key(1), draws=10**9, level=LEVEL, memory=2**18)
    assert 100 < verdict.draws < 10_000
    assert verdict.reason.endswith(f"; the memory holds no more than {verdict.draws} draws")
    whole = verify(TRUE, key=jax.random.key(1), draws=verdict.draws, level=LEVEL)
    assert whole.failure_rate is not None
    assert verdict.failure_rate is not None
    assert whole.failure_rate.failures == verdict.failure_rate.failures


@pytest.mark.slow
@pytest.mark.parametrize("statement", [TRUE, BOUNDED, EVENT, LAW], ids=lambda s: s.id)
def test_false_alarms(statement):
    """1000 runs that may stop whenever they refute: within level + 3 standard errors."""
    level, runs = 0.05, 1000
    refuted = sum(until(statement, 500, level, seed).verdict == "refuted" for seed in range(runs))
    assert refuted / runs <= level + 3 * np.sqrt(level * (1 - level) / runs)


def test_statement_of_pairs_ends_at_its_limit():
    verdict = until(
        dataclasses.replace(
            changed(TRUE, conclusion=lambda u, _: sharp(u[0] - 0.05)), sample=uniforms(2)
        ),
        100,
    )
    assert verdict.draws <= 100
