"""What `falsify` finds, and what it must not find."""

import dataclasses
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from falsification import planted
from falsification.planted import FALSE, RARE, TRUE, Setting
from untyped import known

from theory import (
    Claim,
    Deterministic,
    Moment,
    Parameters,
    Probabilistic,
    Reals,
    Statement,
    exceeds,
    falsify,
    parameter,
    verify,
)
from theory.falsification import budget as budgets
from theory.falsification import falsify as searches
from theory.falsification.proving import prove
from theory.keys import make_key
from theory.verification.evaluation import evaluate_instance
from theory.verification.outcomes import Outcome, outcome

BY_ID = {statement.id.removeprefix("planted."): statement for statement in (*FALSE, *TRUE)}
QUICK = ("gaussian-maximum", "small-and-still", "no-equal-points")
QUICK_TRUE = ("true-close", "true-labels", "true-one-key")


def test_there_are_as_many_as_promised():
    assert len(FALSE) >= 30
    assert len(RARE) >= 10
    assert len(TRUE) >= 30
    assert len(BY_ID) == len(FALSE) + len(TRUE)


def refuted(statement, **limits):
    """The counterexample that `falsify` finds, which is one when it is looked at again."""
    found = falsify(statement, **limits)
    assert found.verdict == "refuted", str(found)
    example = found.counterexample
    again = evaluate_instance(statement, known(example).instance, known(example).config)
    assert outcome(again.hypotheses.values(), known(again.conclusion))[0] == Outcome.MISS
    assert found.setting == known(example).config
    return found


@pytest.mark.parametrize("name", QUICK)
def test_false_statements_are_refuted_and_proved(name):
    found = refuted(BY_ID[name], evaluations=20_000, shrink=False)
    assert found.proved, known(found.counterexample).how


@pytest.fixture
def processor_time(monkeypatch):
    """Seconds are of processor time: on an idle machine that is more than the clock shows, and what
    else a machine does decides nothing."""
    clock = types.SimpleNamespace(monotonic=time.process_time)
    for module in (budgets, searches):
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.slow
@pytest.mark.usefixtures("processor_time")
@pytest.mark.parametrize("name", [s.id.removeprefix("planted.") for s in FALSE])
def test_every_false_statement_is_refuted_in_a_minute(name):
    found = refuted(BY_ID[name], seconds=60)
    assert found.seconds < 120  # the search and making smaller
    assert found.proved, known(found.counterexample).how


@pytest.mark.slow
@pytest.mark.parametrize("statement", RARE, ids=lambda s: s.id)
def test_what_is_called_rare_does_not_show_in_a_thousand_draws(statement):
    verdict = verify(statement, key=make_key(0), draws=1000)
    assert verdict.verdict != "refuted"


@pytest.mark.parametrize("name", QUICK_TRUE)
def test_true_statements_are_not_refuted(name):
    found = falsify(BY_ID[name], evaluations=3000)
    assert found.verdict == "inconclusive", str(found)
    assert found.tested


@pytest.mark.slow
@pytest.mark.usefixtures("processor_time")
@pytest.mark.parametrize("name", [s.id.removeprefix("planted.") for s in TRUE])
def test_no_true_statement_is_refuted_in_half_a_minute(name):
    assert falsify(BY_ID[name], seconds=30).verdict != "refuted"


def test_what_is_found_is_made_small():
    large = dataclasses.replace(BY_ID["gaussian-norm"].config, n=7, d=9)
    found = refuted(BY_ID["gaussian-norm"], config=large, evaluations=20_000)
    assert (found.setting.n, found.setting.d) == (2, 2)
    # One of 8 would do, but so near to the end of what a sampler draws its roundings decide.
    assert np.sum(np.abs(known(found.counterexample).instance) > 1e-12) <= 2


def test_the_same_key_finds_the_same():
    one, other = (
        falsify(BY_ID["gaussian-maximum"], evaluations=2000, key=make_key(7), shrink=False)
        for _ in range(2)
    )
    np.testing.assert_array_equal(
        known(one.counterexample).instance, known(other.counterexample).instance
    )
    assert one.evaluations == other.evaluations


def test_hypotheses_that_nothing_satisfies_make_it_vacuous():
    statement = planted.planted(
        "impossible",
        planted.uniform,
        lambda x, c: exceeds(0.0, 1.0),
        {"|x| > 2": lambda x, c: exceeds(jnp.abs(x[0, 0]), 2.0)},
    )
    found = falsify(statement, evaluations=500)
    assert found.verdict == "vacuous"
    assert found.counterexample is None


class Tail(Parameters):
    """A tail bound that is wrong from s = 1.25 on."""

    s: float = parameter(4.0, "deviation", low=0.1, high=6)


def normal(key, config):
    return jax.random.normal(key)


def test_the_setting_that_fails_most_is_found_and_confirmed():
    statement = Statement(
        id="planted.tail",
        config=Tail(),
        sample=normal,
        claim=Probabilistic(
            lambda z, c: exceeds(c.s, jnp.abs(z)), lambda z, c: jnp.exp(-(jnp.asarray(c.s) ** 2))
        ),
        draws={"quick": 200, "full": 2000},
    )
    assert falsify(statement, evaluations=200).verdict != "refuted"
    found = falsify(statement, over={"s": (0.1, 6.0)}, evaluations=6000)
    assert found.verdict == "refuted", str(found)
    assert known(found.confirmed).verdict == "refuted"
    assert found.setting.s > 1.25  # 2Φ(−s) > exp(−s²) from there on


def test_a_true_moment_is_not_refuted_over_its_range():
    statement = Statement(
        id="planted.moment",
        config=Tail(),
        sample=normal,
        claim=Moment(lambda z, c: jnp.tanh(c.s * z), lambda c: Claim(0.0, 0.2, bounds=(-1.0, 1.0))),
        draws={"quick": 300, "full": 600},
    )
    assert falsify(statement, over={"s": (0.1, 6.0)}, evaluations=3000).verdict != "refuted"


def test_settings_that_cannot_be_evaluated_are_left_out():
    """In the middle of the range, where the search begins, the sampler refuses."""

    def refuses(key, config):
        if 2 < config.s < 4:
            raise ValueError("s must not be near 3")
        return jax.random.normal(key)

    statement = Statement(
        id="planted.refusing",
        config=Tail(),
        sample=refuses,
        claim=Moment(lambda z, c: jnp.tanh(z), lambda c: Claim(0.0, 0.2, bounds=(-1.0, 1.0))),
        draws={"quick": 300, "full": 600},
    )
    found = falsify(statement, over={"s": (0.1, 6.0)}, evaluations=2000)
    assert not 2 < found.setting.s < 4
    with pytest.raises(ValueError, match="s must not be near 3"):
        falsify(statement, over={"s": (2.5, 3.5)}, evaluations=600)


def test_stages_after_the_one_that_is_searched_follow_from_it():
    """The second stage is the norm of the first: a search that moved it alone would refute this."""
    statement = Statement(
        id="planted.staged",
        config=Setting(),
        stages={
            "points": lambda key, earlier, c: planted.gaussian(key, c),
            "norms": lambda key, earlier, c: jnp.linalg.norm(earlier.points, axis=1),
        },
        claim=Deterministic(
            lambda i, c: exceeds(
                1e-9, jnp.max(jnp.abs(i.norms - jnp.linalg.norm(i.points, axis=1)))
            )
        ),
        domain={"": Reals()},
    )
    assert falsify(statement, evaluations=3000).verdict == "inconclusive"


def test_a_proof_is_of_hypotheses_and_conclusion():
    statement = BY_ID["small-and-still"]
    good = np.array([[0.05, 0.0], [0.0, 0.0]])
    assert prove(statement, good, Setting(n=2, d=2))[0]
    assert not prove(statement, 10 * good, Setting(n=2, d=2))[0]  # the hypothesis fails
    assert not prove(statement, good[::-1].copy(), Setting(n=2, d=2))[0]  # the conclusion holds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"over": {"q": (1, 2)}}, "over must be one of"),
        ({"over": {"n": (5, 2)}}, "low ≤ high"),
        ({"over": {"n": (0, 2)}}, "n must be"),
        ({"over": {"n": (2, float("nan"))}}, "low ≤ high"),
        ({"evaluations": 0}, "evaluations"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"level": 1.0}, "level"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        falsify(BY_ID["gaussian-norm"], **arguments)


def test_a_domain_must_name_an_array():
    wrong = dataclasses.replace(BY_ID["no-equal-points"], domain={"z": Reals()})
    with pytest.raises(ValueError, match="domain must name arrays of the instance, x, y; got 'z'"):
        falsify(wrong, evaluations=100)
    with pytest.raises(ValueError, match="domain"):
        dataclasses.replace(wrong, domain={"x": "reals"})
    with pytest.raises(ValueError, match="low must be below high"):
        Reals(2.0, 1.0)


def test_what_has_no_derivative_is_searched_by_evolution():
    """A loop whose end is not known beforehand has no derivative: the largest 2⁻ᵏ ≤ |x_11| + ½."""

    def smallest_power(x):
        return jax.lax.while_loop(lambda p: p > x, lambda p: p / 2, jnp.ones(()))

    statement = planted.planted(
        "loop",
        planted.uniform,
        lambda x, c: exceeds(smallest_power(jnp.abs(x[0, 0]) + 0.5), 0.6),
        {"x_11 ≈ .45": lambda x, c: exceeds(1e-5, jnp.abs(x[0, 0] - 0.45))},
    )
    assert refuted(statement, evaluations=20_000, shrink=False).evaluations > 1000


def test_margins_over_many_entries_have_derivatives():
    statement = planted.planted(
        "all", planted.gaussian, lambda x, c: exceeds(6.0, jnp.abs(x), 0.0).all()
    )
    assert refuted(statement, evaluations=20_000, shrink=False)
