"""`assert_statement`: passes what is true, and names the instance that breaks what is false."""

import dataclasses

import jax.numpy as jnp
import pytest
from falsification.planted import Setting, gaussian, planted
from hypothesis import Phase, settings
from hypothesis import strategies as st
from loose_parts import changed

from theory import REGISTRY, Deterministic
from theory.certificates import max_margin
from theory.certificates.max_margin import MultiplierRange
from theory.margins import exceeds, margin
from theory.statements.orthogonal import boundary, certificates
from theory.testing import strategies
from theory.testing.assertions import assert_statement
from theory.verification.stages import Staged
from theory.verification.statement import Statement

FEW = settings(max_examples=20, deadline=None, derandomize=True)
# A counterexample as found: shrinking would sample and train anew at every step.
FOUND = settings(FEW, phases=[Phase.generate])
MOVEMENT = REGISTRY["lazy.movement"]
RANGE = REGISTRY["orthogonal.multiplier-range"]


def solved(load=0.9):
    """Instances of `orthogonal.multiplier-range`, degenerate ones included."""
    points = strategies.labelled_points(n=4, d=8, load=load)

    def staged(p):
        points = boundary.Points(jnp.asarray(p.x), jnp.asarray(p.y))
        return Staged({"points": points, "closed_form": max_margin.solve(*points, 0.5)})

    return points.map(staged)


def test_true_statements_pass_over_draws():
    assert_statement(RANGE, draws=20)


def test_true_statements_pass_under_hypothesis():
    """Every kind of data; the hypothesis of near-orthogonality rejects what it must."""
    assert_statement(RANGE, instances=solved(), settings=FEW)


@pytest.mark.slow
def test_movement_holds_on_degenerate_data():
    """Repeated, parallel, tiny and huge points, any time and momentum."""
    config = dataclasses.replace(MOVEMENT.config, n=8, d=4, m=16)

    def with_data(config, data):
        return dataclasses.replace(config, data=data)

    configs = st.builds(
        with_data,
        strategies.configurations(config, "T", "momentum"),
        strategies.datasets(n=32, d=4),
    )
    assert_statement(MOVEMENT, configs=configs, settings=FEW)


def test_a_false_statement_fails_with_the_instance_that_broke_it():
    """A range that is a fourth too narrow, on exactly orthogonal data of norm 1."""
    false = changed(
        RANGE,
        conclusion=lambda i, _: certificates.within(
            MultiplierRange(jnp.asarray(1.7), jnp.asarray(9.0)), i.closed_form.limit
        ),
    )
    with pytest.raises(AssertionError) as failure:
        assert_statement(false, instances=solved(), settings=FOUND)
    text = str(failure.value)
    assert "orthogonal.multiplier-range fails on an instance that satisfies its hypotheses" in text
    assert "near-orthogonality: margin" in text
    assert "conclusion: margin -" in text
    assert ".x float64[4, 8]" in text


@pytest.mark.slow
def test_over_draws_it_names_the_draw_and_how_to_make_it_again():
    with pytest.raises(AssertionError) as failure:
        assert_statement(
            changed(MOVEMENT, conclusion=lambda i, _: margin(-jnp.max(jnp.abs(i.training.change)))),
            draws=4,
        )
    text = str(failure.value)
    assert "lazy.movement: refuted" in text
    assert "draw 0: statement.sample(jax.random.fold_in(key, 0), config)" in text
    assert ".change float64[8, 400]" in text


def test_inconclusive_is_no_pass():
    with pytest.raises(AssertionError, match="inconclusive"):
        assert_statement(REGISTRY["separability.mean"], draws=100)


def test_hypothesis_shrinks_the_counterexample():
    statement = Statement(
        id="toy.below",
        sample=lambda key, config: jnp.zeros(()),
        hypotheses={"positive": lambda x, _: exceeds(x, 0.0)},
        claim=Deterministic(conclusion=lambda x, _: exceeds(10.0, x)),
    )
    instances = st.integers(-1000, 1000).map(lambda i: jnp.asarray(float(i)))
    with pytest.raises(AssertionError, match=r"instance float64\[\]: 10\."):
        assert_statement(statement, instances=instances, settings=settings(derandomize=True))


INTEGERS = st.integers(-1000, 1000).map(lambda i: jnp.asarray(float(i)))


def above(limit):
    return Statement(
        id="toy.above",
        sample=lambda key, config: jnp.zeros(()),
        hypotheses={"above": lambda x, _: exceeds(x, limit)},
        claim=Deterministic(conclusion=lambda x, _: exceeds(x, limit - 1)),
    )


def test_neither_compilation_nor_a_strict_hypothesis_fails_the_search():
    """A deadline that no compilation keeps, and most instances rejected."""
    hurried = settings(max_examples=5, deadline=1, derandomize=True)
    assert_statement(above(990.0), instances=INTEGERS, settings=hurried)


def test_a_hypothesis_that_nothing_satisfies_is_no_pass():
    with pytest.raises(AssertionError, match=r"above was not tested: no instance satisfies"):
        assert_statement(above(2000.0), instances=INTEGERS, settings=settings(max_examples=2))


def test_only_deterministic_statements_can_be_searched():
    with pytest.raises(ValueError, match=r"got the probabilistic lazy\.dynamics"):
        assert_statement(REGISTRY["lazy.dynamics"], instances=st.just(0))
    with pytest.raises(ValueError, match="must not both be given"):
        assert_statement(RANGE, instances=st.just(0), configs=st.just(0))


def test_a_false_statement_about_configurations_says_how_to_draw_the_instance():
    config = dataclasses.replace(MOVEMENT.config, n=8, d=4, m=16)
    false = changed(
        MOVEMENT,
        conclusion=lambda i, _: exceeds(0.1, jnp.max(i.training.change / i.training.limit)),
    )
    configs = strategies.configurations(config, "T")
    with pytest.raises(AssertionError, match=r"drawn with theory\.keys\.make_key\(\d+\) from"):
        assert_statement(false, configs=configs, settings=FOUND)


def test_a_failure_shows_a_smaller_instance():
    statement = planted("short", gaussian, lambda x, c: exceeds(3.0 * c.d, jnp.sum(x**2)))
    with pytest.raises(AssertionError, match=r"made smaller, in the setting Setting\(n=2, d=2\)"):
        assert_statement(statement, draws=20, config=Setting(n=5, d=6))
