"""Verdicts end: at tiny levels, with many draws, whatever the batch."""

import dataclasses
import time

import jax
import numpy as np
import pytest
from loose_parts import kind_of
from soundness import decays, failures, means, rates
from soundness.planted import NOT_REFUTED, answer

from theory import Margin, verify
from theory.verification.judging import judge
from theory.verification.verdict import Evidence

BY_NAME = {
    (theme.__name__.rpartition(".")[2], planted.name): planted
    for theme in (decays, failures, means, rates)
    for planted in theme.PLANTED
}
PLAIN = [
    ("decays", "half"),
    ("failures", "delta-exact"),
    ("means", "coin"),
    ("means", "normal"),
    ("rates", "square-root"),
]


@pytest.mark.parametrize("level", [1e-12, 1e-9, 0.9])
@pytest.mark.parametrize("name", PLAIN, ids="-".join)
def test_every_level_ends(name, level):
    """At level .9 a true statement may be refuted nine times of ten: only the end is asked for."""
    found = answer(BY_NAME[name], level=level)
    assert found.verdict is not None
    if level < 1e-3:
        assert found.word in NOT_REFUTED


@pytest.mark.parametrize(
    "name", [("failures", "delta-of-the-draw-exact"), ("means", "coin")], ids="-".join
)
def test_batches_change_nothing(name):
    planted = BY_NAME[name]
    words = set()
    for batch in (1, 7, 1000):
        statement = dataclasses.replace(planted.statement, batch=batch)
        verdict = verify(statement, key=jax.random.key(2), draws=150)
        words.add((verdict.verdict, verdict.reason))
    assert len(words) == 1


@pytest.mark.parametrize("same", [True, False])
def test_many_draws_of_a_probabilistic_statement(same):
    """10⁵ draws with δ of their own took 33 s; a second is enough, ten are allowed here."""
    draws = 100_000
    rng = np.random.default_rng(0)
    allowed = np.full(draws, 0.05) if same else rng.uniform(0, 0.1, draws)
    value = np.where(rng.random(draws) < allowed, -1.0, 1.0)
    conclusion = Margin(value, np.zeros(draws), np.full(draws, np.nan))
    start = time.process_time()
    verdict = judge(
        "toy.x",
        kind_of("probabilistic"),
        Evidence({}, {}, conclusion, allowed, None),
        level=1e-3,
    )
    assert time.process_time() - start < 10
    assert verdict.verdict == "consistent"
