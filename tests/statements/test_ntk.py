"""Family ntk: right on its default data, and able to fail."""

import dataclasses

import jax
import numpy as np
import pytest
from statement_checks import check_default, evidence_of, verdict_of

from theory import REGISTRY, Claim
from theory.verification import evaluate

DRAWS = {
    "ntk.kernel-convergence": 256,
    "ntk.training-dynamics": 128,
}


@pytest.mark.parametrize("id", list(DRAWS))
def test_the_default_run_tests_the_statement(id):
    check_default(id, DRAWS[id])


FALSE_CLAIMS = {
    "ntk.kernel-convergence": Claim(-1.0, 0.15),
    "ntk.training-dynamics": Claim(-1.0, 0.15),
}


@pytest.mark.parametrize("id", list(FALSE_CLAIMS))
def test_a_false_claim_is_refuted(id):
    verdict = verdict_of(id, evidence_of(id, DRAWS[id]), FALSE_CLAIMS[id])
    assert verdict.verdict == "refuted", str(verdict)


def test_ntk_training_dynamics_by_both_predictors():
    statement = REGISTRY["ntk.training-dynamics"]
    config = dataclasses.replace(statement.config, m_min=8, widths=5, steps=400)
    by_flow = evaluate(statement, jax.random.key(3), 8, config)
    by_steps = evaluate(
        statement, jax.random.key(3), 8, dataclasses.replace(config, predictor="closed-form")
    )
    # Same networks. Flow and descent differ by O(learning rate): max over t of |e^{−λt} −
    # (1 − ηλ)^{t/η}| ≈ ηλ/(2e) with ηλ ≤ T/steps·(largest eigenvalue/n) ≤ 0.0075·15, times the
    # size of the residual, below 10.
    assert np.abs(by_flow.quantity - by_steps.quantity).max() < 0.0075 * 15 / (2 * np.e) * 10
    assert not np.array_equal(by_flow.quantity, by_steps.quantity)
