"""Draws in stages: their keys, what a condition is given, and how failures are counted."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import made_of
from untyped import known

from theory import Hypothesis, Parameters, margin, parameter
from theory.testing import assert_statement
from theory.verification.evaluation import evaluate, evaluate_instance, traceable_parameters
from theory.verification.stages import Staged
from theory.verification.verify import verify


class Setting(Parameters):
    n: int = parameter(3, "points", low=1)
    scale: float = parameter(2.0, "of the weights", low=0)


def data(key, earlier, config):
    assert not earlier
    return jax.random.uniform(key, (config.n,))


def weights(key, earlier, config):
    assert list(earlier) == ["data"]
    return config.scale * jax.random.normal(key, earlier.data.shape)


def outputs(key, earlier, config):
    assert list(earlier) == ["data", "weights"]
    return {"f": earlier["data"] @ earlier.weights, "noise": jax.random.normal(key)}


STAGES = {"data": data, "weights": weights, "outputs": outputs}
DRAWN = {"id": "toy.staged", "stages": STAGES, "config": Setting()}
SMALL = Hypothesis(lambda i, _: margin(0.5 - i.data[0]), "x₀ < ½", stage="data")


def staged(**given):
    parts: dict[str, Any] = (
        {"conclusion": lambda i, _: margin(1 + i.outputs["f"] ** 2)} | DRAWN | given
    )
    return made_of(**parts)


def test_each_stage_has_its_own_key_and_sees_the_earlier_ones(key):
    """The keys are those of a sampler that splits its own."""
    drawn = staged().sample(key, Setting())
    keys = jax.random.split(key, 3)
    np.testing.assert_array_equal(drawn.data, jax.random.uniform(keys[0], (3,)))
    np.testing.assert_array_equal(drawn["weights"], 2.0 * jax.random.normal(keys[1], (3,)))
    np.testing.assert_array_equal(drawn.outputs["noise"], jax.random.normal(keys[2]))
    assert list(drawn) == ["data", "weights", "outputs"]


def test_staged_statements_are_evaluated_as_those_with_a_sampler(key):
    """The same values, to the bit, also in batches and with traced values."""

    def sample(key, config):
        keys = jax.random.split(key, 3)
        x = jax.random.uniform(keys[0], (config.n,))
        return x, x @ (config.scale * jax.random.normal(keys[1], x.shape))

    plain = made_of(
        id="toy.plain",
        sample=sample,
        config=Setting(),
        hypotheses={"small": lambda i, _: margin(0.5 - i[0][0])},
        conclusion=lambda i, _: margin(1 + i[1] ** 2),
    )
    statement = staged(hypotheses={"small": SMALL})
    assert traceable_parameters(statement, Setting(), ("scale",)) == ("scale",)
    choices: tuple[dict[str, Any], ...] = ({}, {"batch": 3}, {"traced": ("scale",)})
    for options in choices:
        one, other = (evaluate(s, key, 20, **options) for s in (statement, plain))
        np.testing.assert_array_equal(known(one.conclusion).value, known(other.conclusion).value)
        small = [e.hypotheses["small"].value for e in (one, other)]
        np.testing.assert_array_equal(*small)


@pytest.mark.parametrize(
    ("stage", "seen"),
    [
        ("data", ["data"]),
        ("weights", ["data", "weights"]),
        ("outputs", ["data", "weights", "outputs"]),
        (None, ["data", "weights", "outputs"]),
    ],
)
def test_a_condition_sees_its_stage_and_those_before(key, stage, seen):
    found = []

    def check(instance, _):
        found.append(list(instance))
        return margin(1.0, 0.0)

    evaluate(staged(measured={"seen": Hypothesis(check, stage=stage)}), key, 2)
    assert found
    assert all(names == seen for names in found)


def test_a_condition_cannot_peek(key):
    peeking = Hypothesis(lambda i, _: margin(i.weights[0]), stage="data")
    with pytest.raises(AttributeError, match="there is no stage 'weights' here; there are data"):
        evaluate(staged(hypotheses={"peeking": peeking}), key, 2)


def test_conditions_say_what_they_look_at():
    conditions = {
        "bare": lambda i, _: margin(1.0),
        **{name: Hypothesis(lambda i, _: margin(1.0), stage=name) for name in STAGES},
    }
    expected = {"bare": None, "data": "data", "weights": "weights", "outputs": "outputs"}
    assert staged(hypotheses=conditions).looks_at == expected
    assert staged().first == "data"


@pytest.mark.parametrize(
    ("solve", "trials"), [(None, (200, 200)), (lambda i: np.zeros(()), (60, 140))]
)
def test_a_single_stage_is_the_first_of_several_only_where_something_follows(key, solve, trials):
    """Failures are counted among all draws where nothing is drawn after what is assumed."""
    single = staged(
        stages={"data": data},
        solve=solve,
        hypotheses={"small": SMALL},
        conclusion=lambda i, _: margin(1.0),
    )
    assert single.first == (None if solve is None else "data")
    verdict = verify(single, key=key, draws=200)
    assert verdict.failure_rate is not None
    assert trials[0] <= verdict.failure_rate.trials <= trials[1]


@pytest.mark.parametrize(("stage", "trials"), [("data", (60, 140)), ("weights", (200, 200))])
def test_failures_are_counted_among_draws_that_meet_hypotheses_about_the_first_stage(
    key, stage, trials
):
    """x₀ < ½ in half of 200 draws: outside [60, 140] once in 10⁸."""
    premise = dataclasses.replace(SMALL, stage=stage)
    verdict = verify(staged(hypotheses={"small": premise}), key=key, draws=200)
    assert verdict.failure_rate is not None
    assert trials[0] <= verdict.failure_rate.trials <= trials[1]


def test_what_a_solver_returns_is_a_stage(key):
    """Which conditions about earlier ones are not given."""
    seen = []

    def peek(instance, _):
        seen.append(list(instance))
        return margin(1.0)

    statement = staged(
        solve=lambda i: i.data.sum(),
        hypotheses={"small": SMALL},
        measured={
            "before": Hypothesis(peek, stage="outputs"),
            "after": Hypothesis(lambda i, _: margin(i.solution), stage="solution"),
        },
        conclusion=lambda i, _: margin(i.solution),
    )
    evidence = evaluate(statement, key, 5)
    drawn = [statement.sample(jax.random.fold_in(key, i), Setting()).data for i in range(5)]
    np.testing.assert_allclose(known(evidence.conclusion).value, np.sum(drawn, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(
        evidence.measured["after"].value, known(evidence.conclusion).value
    )
    assert seen
    assert all(names == list(STAGES) for names in seen)


def test_an_instance_without_a_part_is_refused():
    statement = staged(solve=lambda i: i.data.sum(), conclusion=lambda i, _: margin(i.solution))
    parts = {"data": jnp.ones(3), "weights": jnp.ones(3), "outputs": {"f": 0.75}}
    with pytest.raises(
        ValueError, match=r"stages data, .*, solution, got Staged of data, weights, outputs"
    ):
        evaluate_instance(statement, Staged(parts))
    with pytest.raises(ValueError, match=r"must have the stages data, .* got dict"):
        evaluate_instance(statement, parts)


def test_instances_of_ones_own_are_staged_too():
    instance = Staged({"data": jnp.full(3, 0.25), "weights": jnp.ones(3), "outputs": {"f": 0.75}})
    evidence = evaluate_instance(staged(hypotheses={"small": SMALL}), instance)
    assert evidence.hypotheses["small"].value == 0.25
    assert known(evidence.conclusion).value == 1 + 0.75**2
    assert "data=" not in repr(instance)
    assert list(instance.up_to("weights")) == ["data", "weights"]


def test_a_counterexample_is_shown_by_stages():
    false = staged(conclusion=lambda i, _: margin(0.5 - i.data[0]))
    with pytest.raises(AssertionError, match=r"\.data float64\[3\]"):
        assert_statement(false, draws=20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sample": lambda key, config: key},
            "sample or stages must be given, .* got both",
        ),
        ({"stages": {}}, "sample or stages must be given, one of them, got neither"),
        (
            {"stages": {"items": data}},
            "name of a stage must be .* attribute, got 'items'",
        ),
        ({"stages": {"a b": data}}, "name of a stage must be usable as an attribute, got 'a b'"),
        (
            {"stages": {"data": lambda key, config: key}},
            r"stages\['data'\] must take \(key, earlier, config\), got \(key, config\)",
        ),
        (
            {"hypotheses": {"h": Hypothesis(lambda i, _: margin(1.0), stage="solution")}},
            r"stage of hypotheses\['h'\] must be one of data, weights, outputs; got 'solution'",
        ),
        (
            {"stages": {"data": data, "solution": weights}, "solve": lambda i: i.data},
            "stages must leave the name 'solution' to what `solve` returns",
        ),
    ],
)
def test_stages_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        staged(**changes)


def test_a_stage_needs_stages():
    with pytest.raises(ValueError, match="none in a statement with `sample`; got 'data'"):
        made_of(
            id="toy.x",
            sample=lambda key, config: key,
            conclusion=lambda i, _: margin(1.0),
            hypotheses={"small": SMALL},
        )


def test_a_copy_of_a_staged_statement_is_one():
    copy = dataclasses.replace(staged(), stages={"data": data, "outputs": lambda *_: {"f": 1.0}})
    assert list(copy.sample(jax.random.key(0), Setting())) == ["data", "outputs"]
    plain = dataclasses.replace(staged(), stages={}, sample=lambda key, config: key)
    assert not plain.stages
