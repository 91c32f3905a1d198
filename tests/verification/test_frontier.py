"""Where hypotheses begin to hold."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from scipy import stats
from untyped import known

from theory import (
    Deterministic,
    Distribution,
    Law,
    Parameters,
    Probabilistic,
    Statement,
    exceeds,
    frontier,
    parameter,
)
from theory.keys import make_key


class Setting(Parameters):
    """A threshold in m, a noisy one in s."""

    m: int = parameter(100, "width", low=2, even=True)
    s: float = parameter(1.0, "level", low=0.01, high=100)


def statement(**changes):
    given = {
        "id": "mine.edge",
        "config": Setting(),
        "sample": lambda key, c: jax.random.exponential(key),
        "hypotheses": {"m > 777": lambda e, c: exceeds(c.m, 777)},
        "claim": Deterministic[Any, Any](lambda e, c: exceeds(e + 1.0, 0.0)),
    }
    return Statement(**given | changes)


def test_a_threshold_is_found():
    said = []
    found = frontier(statement(), "m", say=said.append)
    assert found.reached_above
    assert known(found.below) <= 777 < known(found.above)
    assert known(found.above) / known(found.below) < 1.03
    assert all(value.value % 2 == 0 for value in found.probes)  # m is even
    assert len(said) == len(found.probes)
    assert "all hypotheses hold from m = " in str(found)


class Signed(Parameters):
    """A number on either side of 0."""

    b: float = parameter(-1.0, "level")


@pytest.mark.parametrize(
    ("threshold", "low", "high"), [(-2.5, -5.0, 5.0), (0.0, -3.0, 5.0), (-70.0, -1e3, -1.0)]
)
def test_a_range_may_hold_0_or_lie_below(threshold, low, high):
    signed = statement(config=Signed(), hypotheses={"b": lambda e, c: exceeds(c.b, threshold)})
    found = frontier(signed, "b", low=low, high=high)
    assert found.reached_above
    assert known(found.below) <= threshold < known(found.above)
    near = max(0.02 * abs(threshold), 0.02**2 * (high - low))  # as `close` is documented
    assert known(found.above) - known(found.below) <= near


def test_without_a_range_a_negative_number_asks_for_one():
    signed = statement(config=Signed(), hypotheses={"b": lambda e, c: exceeds(c.b, -2.0)})
    with pytest.raises(ValueError, match="low and high must be given: b is -1, and factors of 2"):
        frontier(signed, "b")


def test_it_holds_up_to_a_threshold_too():
    found = frontier(
        statement(hypotheses={"m < 555": lambda e, c: exceeds(555, c.m)}), "m", low=2, high=10_000
    )
    assert not found.reached_above
    assert known(found.below) < 555 <= known(found.above)


def test_a_noisy_threshold_is_found_as_well_as_draws_can_tell():
    """P(e > s) is ½ at s = ln 2."""
    noisy = statement(hypotheses={"e > s": lambda e, c: exceeds(e, c.s)})
    found = frontier(noisy, "s", key=make_key(1))
    assert not found.reached_above
    assert known(found.below) < 0.6931 < known(found.above)
    decided = [p for p in found.probes if p.reached is not None]
    assert all(p.reached == (p.value < 0.6931) for p in decided)


def test_the_verdict_changes_at_a_threshold():
    tail = statement(
        hypotheses={},
        claim=Probabilistic[Any, Any](lambda e, c: exceeds(c.s, e), lambda e, c: jnp.asarray(0.05)),
    )
    found = frontier(tail, "s", goal="consistent", low=0.5, high=20.0)
    assert found.reached_above
    assert known(found.below) < 3.3  # e^{−s} = .05 at s = 2.996; a little above it is not refuted
    assert {p.verdict for p in found.probes} >= {"consistent", "refuted"}


def exponential_above(s):
    """That the draws, exponential from s − 1 on, are exponential."""
    return statement(
        sample=lambda key, c: jax.random.exponential(key) + jnp.maximum(c.s, s) - s,
        hypotheses={},
        claim=Law[Any, Any](lambda e, c: e, lambda c: Distribution(cdf=stats.expon.cdf)),
        draws={"quick": 1000, "full": 1000},
    )


def test_a_law_says_how_many_draws_it_takes_and_is_given_them():
    """t = √(log(2/α)/(2N)) reaches 0.05 at α = .01/40 with N = 1798, and .01 with N = 1060."""
    few = frontier(exponential_above(2.0), "s", goal="consistent", low=0.5, high=8.0)
    assert few.below is None
    assert "undecided at s = 0.5" in few.reason
    assert few.reason.endswith("; about 1,798 draws would tell")
    assert [(p.met, p.draws, p.needed) for p in few.probes[:1]] == [(1000, 1000, 1798)]
    enough = frontier(exponential_above(2.0), "s", goal="consistent", low=0.5, high=8.0, draws=1800)
    assert not enough.reached_above
    assert 2.0 <= known(enough.below) < known(enough.above) < 2.3


def test_without_a_change_it_says_so():
    found = frontier(statement(), "s", low=1.0, high=2.0)
    assert found.below is None
    assert "at neither of s = 1 and 2" in found.reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameter": "q"}, "parameter must be one of m, s"),
        ({"parameter": "m", "goal": "true"}, "goal"),
        ({"parameter": "m", "low": 3.0}, "both"),
        ({"parameter": "m", "low": 3.0, "high": 2.0}, "low < high"),
        ({"parameter": "m", "low": -1.0, "high": 2.0}, "m must be"),
        ({"parameter": "s", "low": -jnp.inf, "high": 2.0}, "finite, low < high"),
        ({"parameter": "m", "low": 1e300, "high": 1e301}, "high must be at most 2147483647"),
        ({"parameter": "m", "level": 0.0}, "level"),
        ({"parameter": "m", "goal": "consistent", "draws": 0}, "draws must be an integer ≥ 1"),
        ({"parameter": "m", "draws": 100}, "draws must be left out with the goal 'held'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        frontier(statement(), **arguments)


def test_without_hypotheses_nothing_can_be_held():
    with pytest.raises(ValueError, match="no hypotheses"):
        frontier(statement(hypotheses={}), "m")
