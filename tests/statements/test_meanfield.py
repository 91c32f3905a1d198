"""Family meanfield: right on its default data, and able to fail."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from statement_checks import LEVEL, check_default, evidence_of, first_look, verdict_of

from theory import REGISTRY
from theory.margins import measured
from theory.statements.meanfield import width
from theory.verification.kinds import ByQuantity

DRAWS = {
    "meanfield.width": 500,
    "meanfield.dimension": 400,
    "meanfield.lazy-crossover": 400,
    "meanfield.lazy-crossover-time": 2000,
}
# What would hold at another rate: 1/N, a distance that falls with d, 1/α², t.
FALSE = {
    "meanfield.width": -1.0,
    "meanfield.dimension": -0.5,
    "meanfield.lazy-crossover": -2.0,
    "meanfield.lazy-crossover-time": 1.0,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


@pytest.mark.parametrize("id", list(FALSE))
def test_faster_rates_are_refuted(id):
    kind = REGISTRY[id].claim
    assert isinstance(kind, ByQuantity)
    claims = kind.claims(REGISTRY[id].config)
    several = claims if isinstance(claims, tuple) else (claims,)
    false = tuple(dataclasses.replace(claim, value=FALSE[id]) for claim in several)
    evidence = evidence_of(id, DRAWS[id])
    verdict = verdict_of(id, evidence, false if isinstance(claims, tuple) else false[0])
    assert verdict.verdict == "refuted", str(verdict)


def test_a_distance_that_grows_like_the_root_of_the_dimension_is_refuted():
    """As bounds before the theorem let it."""
    statement = REGISTRY["meanfield.dimension"]

    def grown(key, config):
        found = statement.sample(key, config)
        root = jnp.asarray(config.scales, found.value.dtype)[None, :] ** 0.5
        return measured(found.value * root, found.error * root)

    false = dataclasses.replace(statement, sample=grown)
    verdict = first_look(false, key=jax.random.key(0), draws=400, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


def test_initial_weights_have_the_stated_law():
    """20,000 neurons: relative deviations of 4·√(2/20000) have probability 6·10⁻⁵."""
    theta = width.initial_weights(jax.random.key(0), 20_000, 6, 4)
    square = jnp.mean(theta**2, axis=0)
    assert jnp.allclose(square[:4], jnp.array([1, 1 / 3, 1 / 3, 1 / 3]), rtol=0.04)
    assert (square[4:] == 0).all()


@pytest.mark.parametrize(
    ("id", "changes", "outside"),
    [
        ("meanfield.width", {"T": 1000.0}, "short steps"),
        ("meanfield.dimension", {"T": 1000.0}, "short steps"),
        ("meanfield.lazy-crossover", {"alpha_min": 0.01}, "lazy"),
        ("meanfield.lazy-crossover", {"T": 200.0, "alpha_min": 200.0}, "short steps"),
        ("meanfield.lazy-crossover-time", {"alpha": 0.2}, "first order"),
        ("meanfield.lazy-crossover-time", {"alpha": 1.0, "m": 5000}, "first order"),
    ],
)
def test_outside_their_regimes_rates_say_nothing(id, changes, outside):
    """There other exponents are measured, which contradict no theorem."""
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, **changes)
    found = {name: one.check(None, config) for name, one in statement.hypotheses.items()}
    assert [name for name, margin in found.items() if margin.fails] == [outside]
    default = [one.check(None, statement.config) for one in statement.hypotheses.values()]
    assert all(margin.holds for margin in default)
