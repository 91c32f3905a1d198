"""The table of misses in the documentation: complete, and from laws that have their means."""

import numpy as np
import pytest
from untyped import known

from experiments.documentation import coverage


@pytest.mark.parametrize("law", coverage.LAWS, ids=lambda law: law.name)
def test_laws_have_the_means_they_state(law):
    """10⁶ draws, six standard errors; the heaviest tails (σ = 2, index 2.5) within 10 %."""
    values = law.sample(np.random.default_rng(0), (10**6,))
    heavy = law.name in ("log-normal, σ = 2", "Pareto, index 2.5")
    allowed = 0.1 * law.mean if heavy else 6 * values.std() / 1000
    assert values.mean() == pytest.approx(law.mean, abs=allowed, rel=0)


def test_the_documentation_holds_a_table_of_every_law():
    text = coverage.PAGE.read_text()
    written = text.split(coverage.BEGIN)[1].split(coverage.END)[0]
    for law in coverage.LAWS:
        for draws in coverage.DRAWS:
            assert f"| {law.name} | {draws} |" in written


def test_student_misses_where_its_interval_is_known_to():
    """Bernoulli(0.01), N = 20: no event at all in 0.99^20 = 82 % of the samples, each a miss."""
    law = next(law for law in coverage.LAWS if law.name.startswith("Bernoulli"))
    shares = coverage.simulate(law, 20, 1000)
    assert shares.student == pytest.approx(0.818, abs=0.05)
    assert shares.refuted == 0
    assert known(shares.bounded) < 0.02
