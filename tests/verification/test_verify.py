"""Statements of a user's own, from the lambdas to the verdict."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed, made_of
from scipy import stats
from untyped import known

from theory.margins import exceeds, margin, measured
from theory.parameters import Parameters, parameter
from theory.verification.claims import Claim
from theory.verification.evaluation import evaluate, evaluate_instance
from theory.verification.memory import largest_batch, memory_needed
from theory.verification.statement import Hypothesis
from theory.verification.verify import assess, verify


class Setting(Parameters):
    m: int = parameter(4, "neurons", low=1)
    claimed: float = parameter(1.0, "the claimed value")


def normals(key, config):
    """The instance of every toy: m normals."""
    return jax.random.normal(key, (config.m,))


def toy(**parts):
    """A statement about normals; its conclusion holds in every draw unless it is given."""
    parts = {"id": "toy.x", "kind": "deterministic", "sample": normals, "config": Setting()} | parts
    if parts["kind"] in ("deterministic", "probabilistic"):
        parts.setdefault("conclusion", lambda x, _: margin(1 + x[0] ** 2))
    return made_of(**parts)


TAIL = float(stats.norm.sf(2.0))  # P(x > 2) for a standard normal
SCALES = 2.0 ** np.arange(3, 8)

TRIANGLE = toy(  # the slack is far above rounding, so that equal signs are decided too
    conclusion=lambda x, _: exceeds(jnp.sum(jnp.abs(x)) + 1e-9, jnp.abs(jnp.sum(x)))
)
BELOW_ONE = toy(conclusion=lambda x, _: margin(1.0 - x[0]))
BELOW_ONE_IF_NEGATIVE = toy(
    hypotheses={"negative": lambda x, _: margin(-x[0])}, conclusion=lambda x, _: margin(1.0 - x[0])
)
NEVER = toy(hypotheses={"huge": lambda x, _: exceeds(1.0, 8.0 + x[0] ** 2)})
BELOW_TWO = toy(
    kind="probabilistic",
    conclusion=lambda x, _: margin(2.0 - x[0]),
    failure_probability=lambda x, _: TAIL,
)
BELOW_TWO_TOO_BOLD = changed(BELOW_TWO, failure_probability=lambda x, _: TAIL / 10)
SECOND_MOMENT = toy(
    kind="moment",
    quantity=lambda x, _: jnp.mean(x**2),
    claims=lambda config: Claim(config.claimed, 0.1),
    config=Setting(m=8),
)
SQUARE_ROOT = toy(
    kind="rate",
    quantity=lambda x, _: jnp.asarray(SCALES, x.dtype) ** -0.5 * (1.5 + jnp.tanh(x)),
    claims=lambda config: Claim(-config.claimed / 2, 0.1),
    scales=lambda config: SCALES,
    config=Setting(m=len(SCALES)),
)


@pytest.mark.parametrize(
    ("statement", "draws", "config", "verdict"),
    [
        (TRIANGLE, 50, None, "consistent"),
        (BELOW_ONE, 50, None, "refuted"),  # no x > 1 in 50 draws: once in 5,000
        (BELOW_ONE_IF_NEGATIVE, 50, None, "consistent"),
        (NEVER, 50, None, "vacuous"),
        (BELOW_TWO, 2000, None, "consistent"),  # false-alarm rate 0.5 %
        (BELOW_TWO, 4, None, "inconclusive"),
        (BELOW_TWO_TOO_BOLD, 2000, None, "refuted"),  # 45 failures against 4.5 allowed
        (SECOND_MOMENT, 1000, None, "consistent"),  # false-alarm rate 1 %
        (SECOND_MOMENT, 20, None, "inconclusive"),
        (SECOND_MOMENT, 1000, Setting(m=8, claimed=1.1), "refuted"),  # 6 standard errors off
        (SQUARE_ROOT, 200, None, "consistent"),  # false-alarm rate 1 %
        (SQUARE_ROOT, 200, Setting(m=5, claimed=1.4), "refuted"),  # 10 standard errors off
    ],
)
def test_toy_statements_get_the_verdict_they_deserve(key, statement, draws, config, verdict):
    result = verify(statement, key=key, draws=draws, config=config)
    assert result.verdict == verdict, result
    assert (result.id, result.kind, result.draws) == ("toy.x", statement.kind, draws)


def test_vacuous_statements_say_which_hypothesis_fails_and_by_what_factor(key):
    """8 + x² > 1 by a factor above 8; the median of x² is 0.45."""
    result = verify(NEVER, key=key, draws=50)
    assert "huge fails in 50 of 50 draws by a factor of 8." in result.reason
    assert known(result.hypotheses["huge"].ratio)[2] < 1 / 8


def test_draws_are_the_instances_of_their_folded_keys(key):
    """The counterexample that is named can be drawn again, and it is the first."""
    evidence = evaluate(BELOW_ONE, key, 50)
    for i, value in enumerate(known(evidence.conclusion).value):
        x = normals(jax.random.fold_in(key, i), Setting())
        # One subtraction of equal numbers, up to a fused multiplication in the sampler.
        assert value == pytest.approx(1 - float(x[0]), abs=1e-15)
    first = int(np.argmax(known(evidence.conclusion).value < 0))
    assert f"first in draw {first}" in verify(BELOW_ONE, key=key, draws=50).reason


def test_draws_depend_on_neither_their_number_nor_the_batch(key):
    def bits(key, config):
        return jax.random.uniform(key, (config.m,))

    statement = toy(kind="probabilistic", sample=bits, failure_probability=lambda x, _: x[1] ** 2)
    whole = toy(
        kind="moment",
        sample=bits,
        quantity=lambda x, _: measured(x, 0.0),
        claims=lambda config: (Claim(0.5, 0.1),) * config.m,
    )
    full, quantity = evaluate(statement, key, 20), evaluate(whole, key, 20).quantity
    assert known(quantity).shape == (20, 4)
    assert len(np.unique(known(quantity))) == 80  # all draws differ; equal doubles: once in 1e12
    for draws, batch in [(1, 16), (7, 16), (20, 3)]:
        part = evaluate(dataclasses.replace(whole, batch=batch), key, draws)
        np.testing.assert_array_equal(part.quantity, known(quantity)[:draws])
        part = evaluate(dataclasses.replace(statement, batch=batch), key, draws)
        np.testing.assert_array_equal(part.allowed, known(full.allowed)[:draws])
        np.testing.assert_array_equal(
            known(part.conclusion).value, known(full.conclusion).value[:draws]
        )
        np.testing.assert_array_equal(
            known(part.conclusion).error, known(full.conclusion).error[:draws]
        )


def test_the_same_key_gives_the_same_verdict_and_another_key_other_draws(key):
    assert verify(BELOW_ONE, key=key, draws=50) == verify(BELOW_ONE, key=key, draws=50)
    other = evaluate(BELOW_ONE, jax.random.key(1), 50)
    assert not np.array_equal(
        known(other.conclusion).value, known(evaluate(BELOW_ONE, key, 50).conclusion).value
    )


def test_draws_default_to_quick_and_level_reaches_the_verdict(key):
    result = verify(dataclasses.replace(BELOW_TWO, draws={"quick": 7}), key=key, level=0.2)
    assert (result.draws, result.level) == (7, 0.2)
    interval = stats.beta.ppf(
        0.9, known(result.failure_rate).failures + 1, 7 - known(result.failure_rate).failures
    )
    assert known(result.failure_rate).high == pytest.approx(interval, rel=1e-9)


def test_bare_functions_look_at_everything(key):
    statement = toy(
        hypotheses={
            "bare": lambda x, _: margin(x[0]),
            "seen": Hypothesis(lambda x, _: margin(x[1]), "x₁ > 0"),
        },
        measured={"beside": Hypothesis(lambda x, _: margin(x[2]))},
    )
    assert statement.looks_at == {"bare": None, "seen": None, "beside": None}
    result = verify(statement, key=key, draws=50)
    assert {name: c.stage for name, c in result.hypotheses.items()} == {"bare": None, "seen": None}
    assert list(result.measured) == ["beside"]
    assert known(result.failure_rate).trials == 50  # hypotheses about everything: all draws count


def test_float32_is_enough_for_what_float32_can_tell(key):
    single = {"key": key, "precision": "float32"}
    evidence = evaluate(BELOW_ONE, key, 50, precision="float32")
    assert (
        known(evidence.conclusion).value.dtype
        == known(evidence.conclusion).error.dtype
        == np.float32
    )
    # At least four roundings of the value, at float32's eps.
    assert (
        known(evidence.conclusion).error >= 2.0**-21 * np.abs(known(evidence.conclusion).value)
    ).all()
    assert verify(BELOW_ONE, draws=50, **single).verdict == "refuted"
    assert verify(SQUARE_ROOT, draws=200, **single).verdict == "consistent"
    # A slack of 1e-9 is below what float32 can tell from 0: some draws have equal signs.
    assert verify(TRIANGLE, draws=50, **single).verdict == "inconclusive"
    close = toy(conclusion=lambda x, _: margin(jnp.float32(1e-9), 1e-7))
    assert verify(close, draws=50, **single).outcomes["undecided"] == 50


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"conclusion": lambda i: margin(i)},
        {"constant": lambda i: 1.0},
        {"hypotheses": {"large": lambda i: margin(i)}},
        {"measured": {"large": lambda i: margin(i)}},
        {"kind": "probabilistic", "failure_probability": lambda i: 0.1},
        {"kind": "moment", "quantity": lambda i: i, "claims": lambda config: Claim(0.0, 1.0)},
    ],
)
def test_conditions_of_the_instance_alone_are_refused(changes):
    message = r"must take \(instance, config\), got \(i\): too many positional arguments"
    with pytest.raises(ValueError, match=message):
        toy(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": lambda key: key}, r"sample must take \(key, config\), got \(key\)"),
        ({"solve": lambda i, c: i}, r"solve must take \(instance\), got \(i, c\)"),
    ],
)
def test_other_functions_say_what_they_take(changes, message):
    with pytest.raises(ValueError, match=message):
        toy(**changes)


def test_conditions_see_the_configuration(key):
    statement = toy(
        hypotheses={"claimed": lambda x, config: margin(config.claimed - 0.5)},
        conclusion=lambda x, config: margin(config.claimed + x[0] ** 2),
    )
    evidence = evaluate(statement, key, 5, Setting(claimed=3.0))
    assert evidence.hypotheses["claimed"].value.tolist() == [2.5] * 5
    x = normals(jax.random.fold_in(key, 0), Setting())
    instance = evaluate_instance(statement, x, Setting(claimed=3.0))
    assert known(instance.conclusion).value[0] == pytest.approx(
        known(evidence.conclusion).value[0], rel=1e-15
    )
    assert evaluate_instance(statement, x).hypotheses["claimed"].value == 0.5  # the default


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws must be an integer ≥ 1, got 0"),
        ({"draws": -3}, "draws must be an integer ≥ 1, got -3"),
        ({"level": 0.0}, r"level must be a finite number in \[1e-12, 1\), got 0.0"),
        ({"level": 1.0}, r"level must be a finite number in \[1e-12, 1\), got 1.0"),
        ({"level": float("nan")}, r"level must be a finite number in \[1e-12, 1\), got nan"),
    ],
)
def test_verify_says_what_it_needs(key, options, message):
    with pytest.raises(ValueError, match=message):
        verify(TRIANGLE, key=key, **options)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (toy(conclusion=lambda x, _: x[0] > 0), "conclusion must return a Margin, got "),
        (
            toy(conclusion=lambda x, _: margin(x)),
            r"one margin \(use .all\(\)\), got a value of shape \(4,\)",
        ),
        (toy(hypotheses={"wide": lambda x, _: True}), "wide must return a Margin, got bool"),
        (toy(hypotheses={"wide": lambda x, _: margin(x)}), r"wide must return one margin"),
        (toy(measured={"seen": lambda x, _: margin(x)}), r"seen must return one margin"),
    ],
)
def test_checks_must_return_one_margin(key, statement, message):
    with pytest.raises(ValueError, match=message):
        verify(statement, key=key, draws=2)


# --- a solver on the host, and cases --------------------------------------------------------------


def test_the_solver_sees_every_draw_as_numpy_and_the_checks_see_its_answer(key):
    """Sorting by numpy between sampler and checks; the same draws as without a solver."""
    seen = []

    def solve(x):
        assert isinstance(x, np.ndarray)
        seen.append(x)
        return {"sorted": np.sort(x), "first": x[0]}

    statement = toy(
        solve=solve,
        hypotheses={"spread": lambda i, _: exceeds(i["sorted"][-1], i["sorted"][0])},
        conclusion=lambda i, _: margin(i["sorted"][-1] - i["first"] + 1e-9),
        batch=8,
    )
    evidence = evaluate(statement, key, 20)
    assert len(seen) == 20
    plain = toy(
        hypotheses={"spread": lambda x, _: exceeds(jnp.max(x), jnp.min(x))},
        conclusion=lambda x, _: margin(jnp.max(x) - x[0] + 1e-9),
        batch=8,
    )
    expected = evaluate(plain, key, 20)
    np.testing.assert_allclose(
        known(evidence.conclusion).value, known(expected.conclusion).value, atol=1e-14
    )
    assert verify(statement, key=key, draws=20).verdict == "consistent"


def test_cases_are_checked_when_the_statement_is_made():
    statement = toy(cases={"wide": {"m": 9}})
    assert statement.configured("wide") == Setting(m=9)
    assert statement.configured() == Setting()
    with pytest.raises(ValueError, match="m must be an integer ≥ 1, got 0"):
        toy(cases={"empty": {"m": 0}})
    with pytest.raises(ValueError, match="case must be one of wide; got 'narrow'"):
        statement.configured("narrow")


def test_constants_reach_the_verdict(key):
    """x₀ < 1 under the hypothesis |x₁| > C·1: contradicted by draws with x₀ > 1."""
    statement = toy(
        hypotheses={"large": lambda x, _: exceeds(jnp.abs(x[1]), 1.0)},
        conclusion=lambda x, _: margin(1.0 - x[0]),
        constant=lambda x, _: jnp.abs(x[1]),
    )
    x = np.array([normals(jax.random.fold_in(key, i), Setting()) for i in range(50)])
    constant = verify(statement, key=key, draws=50).constant
    assert known(constant).smallest == pytest.approx(np.abs(x[x[:, 0] > 1, 1]).max())
    assert known(constant).largest == pytest.approx(np.abs(x[:, 1]).max())


# --- draws in batches that fit into memory --------------------------------------------------------

WIDE = toy(  # a draw holds 8·m bytes at least: m random bits, and numbers made of them
    kind="moment",
    measured={"first": lambda x, _: margin(1 + x[0] ** 2)},
    quantity=lambda x, _: measured(jnp.sort(x)[:3], 0.0),
    claims=lambda config: Claim(0.0, 1.0),
    config=Setting(m=10_000),
    id="toy.wide",
)
SORTED = toy(
    kind="moment",
    measured={"first": lambda x, _: margin(1 + x[0] ** 2)},
    solve=np.sort,
    quantity=lambda x, _: measured(jnp.cumsum(x)[-3:], 0.0),
    claims=lambda config: Claim(0.0, 1.0),
    config=Setting(m=10_000),
    id="toy.sorted",
)


@pytest.mark.parametrize("statement", [WIDE, SORTED], ids=lambda s: s.id)
def test_a_batch_that_fits_gives_the_same_evidence(key, statement):
    full = largest_batch(statement, key, 30, limit=10**12)
    assert full.batch == 15  # two batches of the statement's own size, 16, none of them half empty
    assert full.memory == memory_needed(statement, key, 30)
    assert full.memory >= 15 * 8 * 10_000
    fit = largest_batch(statement, key, 30, limit=full.memory // 3)
    assert 1 <= fit.batch <= 6
    assert fit.memory == memory_needed(statement, key, 30, batch=fit.batch) <= full.memory // 3
    some, all = evaluate(statement, key, 30, batch=fit.batch), evaluate(statement, key, 30)
    assert known(some.quantity).shape == (30, 3)
    np.testing.assert_allclose(known(some.quantity), known(all.quantity), rtol=1e-12)
    np.testing.assert_allclose(
        some.measured["first"].value, all.measured["first"].value, rtol=1e-12
    )


@pytest.mark.parametrize("statement", [WIDE, SORTED], ids=lambda s: s.id)
def test_too_little_memory_for_one_draw_is_an_error_with_both_numbers(key, statement):
    message = f"{statement.id} needs at least .* GiB .* one draw at a time, and 9.31e-07 GiB may"
    with pytest.raises(ValueError, match=message):
        largest_batch(statement, key, 30, limit=1000)
    with pytest.raises(ValueError, match="limit must be an integer ≥ 1, got 0"):
        largest_batch(statement, key, 30, limit=0)
    with pytest.raises(ValueError, match="batch must be an integer ≥ 1, got 0"):
        evaluate(statement, key, 30, batch=0)


@pytest.mark.parametrize("statement", [WIDE, SORTED], ids=lambda s: s.id)
def test_what_the_estimate_compiled_is_what_runs(key, statement):
    statement = dataclasses.replace(statement)  # none of it is compiled yet
    fit = largest_batch(statement, key, 30, limit=10**12)
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event)
    )
    try:
        evaluate(statement, key, 30, batch=fit.batch)
        ran = [event for event in compiled if "backend_compile" in event]
        evaluate(statement, key, 30, batch=3)
    finally:
        jax.monitoring.clear_event_listeners()
    assert not ran
    assert [event for event in compiled if "backend_compile" in event]  # the listener would see it


def test_evidence_is_assessed_as_verify_does(key):
    evidence = evaluate(SECOND_MOMENT, key, 200, Setting(m=8, claimed=1.1))
    options = {"config": Setting(m=8, claimed=1.1), "level": 0.2}
    assert assess(SECOND_MOMENT, evidence, **options) == verify(
        SECOND_MOMENT, key=key, draws=200, **options
    )
