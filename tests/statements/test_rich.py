"""Family rich: right on its default data, and able to fail."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loose_parts import changed
from statement_checks import LEVEL, check_default, first_look
from untyped import known

from theory import REGISTRY, Deterministic
from theory.certificates import hypentropy
from theory.margins import at_least
from theory.parameters import filled
from theory.statements.rich import flow, regimes
from theory.verification.evaluation import evaluate

DRAWS = {
    "rich.hypentropy": 32,
    "rich.kernel-regime": 32,
    "rich.kernel-regime-sharp": 32,
    "rich.rich-regime": 32,
    "rich.rich-regime-sharp": 32,
}
# By which α leaves what the theorem allows: to a hundredth of what the least ℓ₂ norm takes, and to
# about 1, which is no longer small.
EXCESS = {
    "rich.kernel-regime": -math.log(100),
    "rich.kernel-regime-sharp": -math.log(100),
    "rich.rich-regime": 54.0,
    "rich.rich-regime-sharp": 22.0,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


def test_the_potential_of_another_scale_is_refuted():
    """Q_{1.2α} in place of Q_α: descent does not end at its minimum."""
    statement = REGISTRY["rich.hypentropy"]

    def other(drawn):
        p = drawn.data
        return hypentropy.dual_solution(
            np.asarray(p.x), np.asarray(p.y), float(p.log_alpha) + math.log(1.2)
        )

    false = dataclasses.replace(
        changed(
            statement,
            conclusion=lambda i, c: at_least(
                *flow._sides(flow.gap(i, c, i.data.log_alpha + math.log(1.2)))
            ),
        ),
        solve=other,
    )
    verdict = first_look(false, key=jax.random.key(0), draws=16, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.parametrize("id", list(EXCESS))
def test_the_least_norm_itself_is_not_reached(id):
    """ε = 0 in the conclusion alone; where the printed α makes them equal to 1e-11, ε < 0."""
    epsilon = -1e-9 if id == "rich.kernel-regime" else 0.0
    statement = REGISTRY[id]
    claim = statement.claim
    assert isinstance(claim, Deterministic)
    false = changed(
        statement,
        conclusion=lambda i, c: claim.conclusion(i, filled(c, {"epsilon": epsilon})),
    )
    verdict = first_look(false, key=jax.random.key(0), draws=16, level=LEVEL)
    assert verdict.verdict == "refuted", str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("id", list(EXCESS))
def test_far_outside_the_regime_the_conclusion_fails(id):
    statement = REGISTRY[id]
    config = dataclasses.replace(statement.config, log_factor=EXCESS[id])
    evidence = evaluate(statement, jax.random.key(0), 16, config)
    assert not any(h.holds.any() for h in evidence.hypotheses.values())
    if id != "rich.kernel-regime":  # a hundredth of that is where ours begins to ask for more
        assert known(evidence.conclusion).fails.sum() >= 4


def test_too_few_steps_are_vacuous():
    statement = REGISTRY["rich.hypentropy"]
    config = dataclasses.replace(statement.config, steps=50)
    verdict = first_look(statement, key=jax.random.key(0), draws=16, config=config)
    assert verdict.verdict == "vacuous"
    assert "interpolates fails in 16 of 16 draws" in verdict.reason


@pytest.mark.parametrize(
    ("threshold", "norm", "by_hand"),
    [
        (regimes.kernel_printed, 2.0, (2 * 1.1 * 21 * 2.0) ** 0.5),
        (regimes.kernel_sharp, 2.0, (2.0 * 1.1**0.75 / (24**0.5 * 0.1**0.25)) ** 0.5),
        (regimes.rich_scale, 3.0, (2 * 1.1 * 3.0) ** (-2.1 / 0.2)),
        (regimes.rich_dimension, 3.0, math.exp(-12 / 0.3)),
        (
            regimes.rich_sharp,
            3.0,
            (3.0 * math.exp(-1 / 1.2) * (12 * math.e / 1.1) ** -11) ** 0.5,
        ),
    ],
)
def test_thresholds_by_hand(threshold, norm, by_hand):
    assert np.exp(threshold(jnp.array(norm), 0.1, 12)) == pytest.approx(by_hand)


def test_a_unit_of_the_labels_changes_the_printed_threshold_only():
    """c times the labels have c times the solutions, at √c times α."""
    for threshold in (regimes.kernel_printed, regimes.kernel_sharp, regimes.rich_sharp):
        one, hundred = (threshold(jnp.array(c), 0.1, 12) for c in (1.0, 100.0))
        assert hundred - one == pytest.approx(math.log(100) / 2)
    one, hundred = (regimes.rich_dimension(jnp.array(c), 0.1, 12) for c in (1.0, 100.0))
    assert hundred - one > 100
