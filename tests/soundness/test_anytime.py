"""Judgement in growing stages: its level holds whenever it stops.

False-alarm rate: LEVEL for each true statement; the slow test counts false alarms.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from soundness.planted import LEVEL, const, normal, sharp, uniform, uniforms

from theory import Claim, Statement, verify, verify_until

TRUE = Statement(
    id="toy.fails-at-its-rate",
    kind="probabilistic",
    sample=uniform,
    conclusion=lambda u, _: sharp(u - 0.1),
    failure_probability=const(0.1),
    batch=5000,
)
FALSE = dataclasses.replace(TRUE, failure_probability=const(0.01))
BOUNDED = Statement(
    id="toy.uniform",
    kind="moment",
    sample=uniform,
    quantity=lambda u, _: u,
    claim=const(Claim(0.5, 0.2, bounds=(0.0, 1.0))),
    batch=5000,
)
EVENT = Statement(
    id="toy.coin",
    kind="moment",
    sample=uniform,
    quantity=lambda u, _: jnp.where(u < 0.5, 1.0, 0.0),
    claim=const(Claim(0.5, 0.2, bounds=(0.0, 1.0))),
    batch=5000,
)


def until(statement, draws=4000, level=LEVEL, seed=1):
    return verify_until(statement, key=jax.random.key(seed), draws=draws, level=level)


@pytest.mark.parametrize("statement", [TRUE, BOUNDED, EVENT], ids=lambda s: s.id)
def test_true_statements_are_not_refuted(statement):
    verdict = until(statement)
    assert verdict.anytime
    assert verdict.verdict in ("consistent", "inconclusive")


@pytest.mark.parametrize(
    "statement",
    [
        FALSE,
        dataclasses.replace(BOUNDED, claim=const(Claim(0.8, 0.2, bounds=(0.0, 1.0)))),
        dataclasses.replace(EVENT, claim=const(Claim(0.2, 0.2, bounds=(0.0, 1.0)))),
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
        kind="deterministic",
        sample=normal,
        conclusion=lambda x, _: sharp(2.0 - x),
    )
    verdict = until(statement)
    assert verdict.verdict == "refuted"
    assert verdict.draws < 4000


def test_unbounded_mean_without_a_sequence_is_not_refuted_by_waiting():
    """No confidence sequence is known for it, so it may be refused, too."""
    statement = Statement(
        id="toy.log-normal",
        kind="moment",
        sample=normal,
        quantity=lambda x, _: jnp.exp(2 * x),
        claim=const(Claim(float(np.exp(2)), 1.0)),
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


@pytest.mark.slow
@pytest.mark.parametrize("statement", [TRUE, BOUNDED, EVENT], ids=lambda s: s.id)
def test_false_alarms(statement):
    """1000 runs that may stop whenever they refute: within level + 3 standard errors."""
    level, runs = 0.05, 1000
    refuted = sum(until(statement, 500, level, seed).verdict == "refuted" for seed in range(runs))
    assert refuted / runs <= level + 3 * np.sqrt(level * (1 - level) / runs)


def test_statement_of_pairs_ends_at_its_limit():
    verdict = until(
        dataclasses.replace(TRUE, sample=uniforms(2), conclusion=lambda u, _: sharp(u[0] - 0.05)),
        100,
    )
    assert verdict.draws <= 100
